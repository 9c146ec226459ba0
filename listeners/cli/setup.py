"""Setting up a workspace from the terminal: the Slack app's manifest, senders, and the buttons on cards."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from dataclasses import replace
from functools import partial
from getpass import getpass
from pathlib import Path

from domain.audit import OPERATOR
from domain.messages.card_buttons import CardButton, InvalidButtonsError, buttons_to_json, card_buttons
from domain.notification_hours import utc_text
from domain.workspace import BEARER, SIGNING
from listeners.cli.running.preparing import run_with_app
from listeners.cli.terminal import MANIFEST, App, RefusedError, Terminal, add_workspace_argument
from listeners.intake.senders_view import result_line, sender_line
from services.clock import wall_ms
from services.home.preferences import card_buttons_change
from services.intake.keys import GRACE_MS, LONGEST_SECRET
from services.intake.senders import registry
from services.intake.senders.proofs import API_KEY, STANDARD_WEBHOOKS
from services.intake.senders.sender import Sender
from services.settings import redirect_fault
from services.slack.manifest import Manifest
from store.slack import workspaces

SECRET = "secret"  # noqa: S105 - a name for SIGNING


_PRINTED = "that is printed here"


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
        default=None,
        help="secret: it signs each request (the default, also called signing); bearer: it is sent with each request",
    )
    parser.add_argument(
        "--sender",
        metavar="NAME",
        help=f"a key for this sender alone: {', '.join(registry.SHIPPED)}, or any other name; a secret that the vendor"
        " has made is read from a prompt or standard input",
    )
    parser.add_argument(
        "--stolen", action="store_true", help="revoke the previous keys at once instead of after 24 hours"
    )


def make_key(options: Namespace, terminal: Terminal) -> int:
    with terminal.database() as database:
        if database.run_sync(workspaces.find, options.workspace) is None:
            raise RefusedError(f"The app is not installed in workspace {options.workspace}.")
    sender = _chosen_sender(options)
    secret = _vendor_secret(sender) if sender and sender.proof.is_made_by_vendor else None
    kind = BEARER if options.kind == BEARER else SIGNING

    async def make(app: App) -> str | None:
        grace_ms = 0 if options.stolen else GRACE_MS
        if sender is None:
            return await app.intake_keys.make(options.workspace, kind, OPERATOR, grace_ms)
        key = await app.intake_keys.make_for(options.workspace, sender, OPERATOR, secret, grace_ms)
        url = app.added_senders.url(options.workspace, sender.name)
        terminal.note(f"{sender.label} {sender.proof.about}: {sender.documents}")
        for number, step in enumerate(sender.steps, 1):
            terminal.note(f"{number}. {step.format(url=url, secret=_PRINTED)}")
        return key

    if (key := run_with_app(terminal, make)) is not None:
        terminal.write(key)
        terminal.note("Store it now: it is shown only once.")
    expiry = "stops working within seconds" if options.stolen else "keeps working for 24 hours"
    terminal.note(f"The previous key, if any, {expiry}.")
    return 0


def _chosen_sender(options: Namespace) -> Sender | None:
    """Raises RefusedError."""
    if options.sender is None:
        return None
    name = registry.source_of({"source": options.sender})
    if name is None:
        raise RefusedError(f"The name of a sender has 1 to {registry.LONGEST_SOURCE} characters.", status=2)
    sender = registry.find(name)
    if options.kind is None:
        return sender
    if sender.proof not in (API_KEY, STANDARD_WEBHOOKS):
        raise RefusedError(f"{sender.label} {sender.proof.about}. Leave out --kind.", status=2)
    return replace(sender, proof=API_KEY if options.kind == BEARER else STANDARD_WEBHOOKS)


def _vendor_secret(sender: Sender) -> str:
    """Read the secret from a hidden prompt or standard input: a command line is visible to every user."""
    prompt = f"Secret of {sender.label}, which {sender.proof.about}: "
    secret = (getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline()).strip()
    if not 0 < len(secret) <= LONGEST_SECRET:
        raise RefusedError(f"A secret has 1 to {LONGEST_SECRET} characters. Nothing was changed.", status=2)
    return secret


def add_sender_arguments(parser: ArgumentParser) -> None:
    add_workspace_argument(parser)
    parser.add_argument("--refused", metavar="NAME", help="show the latest payloads of this sender that were refused")
    parser.add_argument("--send-again", metavar="NUMBER", type=int, help="receive a refused payload once more")
    parser.add_argument("--revoke", metavar="NAME", help="end the keys of this sender at once")


def show_senders(options: Namespace, terminal: Terminal) -> int:
    with terminal.database():
        return run_with_app(terminal, partial(_show_senders, options, terminal))


async def _show_senders(options: Namespace, terminal: Terminal, app: App) -> int:
    workspace_id, added = options.workspace, app.added_senders
    if options.revoke:
        revoked = await app.intake_keys.revoke(workspace_id, options.revoke, OPERATOR)
        terminal.write("Revoked." if revoked else f"{options.revoke} has no key.")
        return 0 if revoked else 1
    if options.send_again is not None:
        received = await added.send_again(workspace_id, options.send_again)
        if received is None:
            raise RefusedError("It is no longer kept.")
        terminal.write("; ".join(map(result_line, received.results)))
        return 0
    if options.refused:
        for payload in await added.refused(workspace_id, options.refused):
            terminal.write(f"{payload.id}  {utc_text(payload.received_at)}  {payload.reason}\n    {payload.text}")
        return 0
    for sender in await added.all_of(workspace_id):
        terminal.write(f"{sender.name}: {sender_line(sender, utc_text)}")
    return 0


def add_card_buttons_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("action", choices=("export", "import"), help="what to do with the buttons")
    parser.add_argument("file", metavar="FILE", type=Path, nargs="?", help="the JSON file to import")
    add_workspace_argument(parser)


def change_card_buttons(options: Namespace, terminal: Terminal) -> int:
    with terminal.database() as database:
        workspace = database.run_sync(workspaces.find, options.workspace)
        if workspace is None:
            raise RefusedError(f"The app is not installed in workspace {options.workspace}.")
        if options.action == "export":
            terminal.write(buttons_to_json(workspace.card_buttons, indent=2))
            return 0
        if options.file is None:
            raise RefusedError("Specify the FILE to import.", status=2)
        change = card_buttons_change(workspace.id, OPERATOR, _buttons_in(options.file), None, wall_ms())
        terminal.note(database.run_sync(change).text)
    return 0


def _buttons_in(path: Path) -> tuple[CardButton, ...]:
    """Raises RefusedError."""
    try:
        return card_buttons(json.loads(path.read_text(encoding="utf-8-sig")))
    except OSError as error:
        raise RefusedError(f"{path} cannot be used: {error.strerror}.") from None
    except ValueError:
        raise RefusedError(f"{path} is not a JSON file.") from None
    except InvalidButtonsError as error:
        raise RefusedError(str(error)) from None
