"""A new key for a workspace's sender of job changes."""

from __future__ import annotations

import asyncio
from argparse import ArgumentParser, Namespace

from listeners.cli.running.preparing import cipher_of
from listeners.cli.terminal import RefusedError, Terminal
from services.intake.keys import GRACE_MS
from store.intake.keys import BEARER, SIGNING
from store.operations.audit import OPERATOR
from store.slack import workspaces


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--workspace", required=True, metavar="ID", help="the workspace, such as T0123456789")
    parser.add_argument(
        "--kind",
        choices=(SIGNING, BEARER),
        default=SIGNING,
        help="signing: a secret that signs each request (the default); bearer: a key that is sent with it",
    )
    parser.add_argument("--stolen", action="store_true", help="end the previous ones at once instead of after 24 hours")


def intake_key(asked: Namespace, terminal: Terminal) -> int:
    with terminal.database() as database:
        if database.run_sync(workspaces.find, asked.workspace) is None:
            raise RefusedError(f"No workspace {asked.workspace} has installed the app.")
    grace_ms = 0 if asked.stolen else GRACE_MS
    terminal.tell(asyncio.run(_make(asked.workspace, asked.kind, grace_ms, terminal)))
    until = "is refused within seconds" if asked.stolen else "still works for 24 hours"
    terminal.remark(f"This is shown once. The key before it, if there was one, {until}.")
    return 0


async def _make(workspace_id: str, kind: str, grace_ms: int, terminal: Terminal) -> str:
    settings = terminal.settings()
    async with terminal.build(settings, cipher_of(settings)) as app:
        return await app.intake_keys.make(workspace_id, kind, OPERATOR, grace_ms)
