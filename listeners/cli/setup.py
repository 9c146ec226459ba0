"""Setting up a workspace from the terminal: the Slack app's manifest, and keys for senders of job changes."""

from __future__ import annotations

import asyncio
from argparse import ArgumentParser, Namespace

from domain.audit import OPERATOR
from domain.workspace import BEARER, SIGNING
from listeners.cli.running.preparing import cipher_of
from listeners.cli.terminal import MANIFEST, RefusedError, Terminal, add_workspace_argument
from services.intake.keys import GRACE_MS
from services.settings import redirect_fault
from services.slack.manifest import Manifest
from store.slack import workspaces

SECRET = "secret"  # noqa: S105 - a name for SIGNING


def add_manifest_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--url", metavar="https://…", help="the public address of this app")
    parser.add_argument(
        "--socket-mode",
        action="store_true",
        help="for Socket Mode: the app needs no public address, and no --url (also set SLACK_APP_TOKEN)",
    )


def show_manifest(options: Namespace, terminal: Terminal) -> int:
    manifest = Manifest.parse(MANIFEST.read_text())
    if options.url:
        try:
            manifest = manifest.at(options.url)
        except ValueError as error:
            raise RefusedError(f"{error}.", status=2) from None
        if fault := redirect_fault(options.url, terminal.environ.get("SLACK_API_URL", "")):
            raise RefusedError(f"{options.url!r} {fault}.", status=2)
    elif not options.socket_mode:
        raise RefusedError("Add --url with the app's https:// address, or --socket-mode to run without one.", status=2)
    if options.socket_mode:
        manifest = manifest.by_socket()
    terminal.write(manifest.as_json())
    terminal.note(f"\nOpen this link to create the Slack app from the manifest:\n{manifest.share_link}")
    return 0


def add_key_arguments(parser: ArgumentParser) -> None:
    add_workspace_argument(parser)
    parser.add_argument(
        "--kind",
        choices=(SECRET, BEARER, SIGNING),
        default=SECRET,
        help="secret: it signs each request (the default, also called signing); bearer: it is sent with each request",
    )
    parser.add_argument(
        "--stolen", action="store_true", help="revoke the previous keys at once instead of after 24 hours"
    )


def make_key(options: Namespace, terminal: Terminal) -> int:
    with terminal.database() as database:
        if database.run_sync(workspaces.find, options.workspace) is None:
            raise RefusedError(f"The app is not installed in workspace {options.workspace}.")

    async def make() -> str:
        settings = terminal.settings()
        async with terminal.build(settings, cipher_of(settings)) as app:
            grace_ms = 0 if options.stolen else GRACE_MS
            kind = SIGNING if options.kind == SECRET else options.kind
            return await app.intake_keys.make(options.workspace, kind, OPERATOR, grace_ms)

    terminal.write(asyncio.run(make()))
    expiry = "stops working within seconds" if options.stolen else "keeps working for 24 hours"
    terminal.note(f"Store it now: it is shown only once. The previous key, if any, {expiry}.")
    return 0
