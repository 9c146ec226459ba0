"""Who changed what in a workspace, and when."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from listeners.cli.terminal import RefusedError, Terminal, shown_time
from store.operations import audit
from store.slack import workspaces

MOST_SHOWN = 1_000


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--workspace", required=True, metavar="ID", help="the workspace, such as T0123456789")
    parser.add_argument("--json", action="store_true", help="as JSON, times in milliseconds since the epoch")


def show_audit(asked: Namespace, terminal: Terminal) -> int:
    with terminal.database() as database:
        changes = database.run_sync(audit.recent, asked.workspace, MOST_SHOWN)
        if not changes and database.run_sync(workspaces.find, asked.workspace) is None:
            raise RefusedError(f"There is no workspace {asked.workspace}, and there was none.")
    if asked.json:
        terminal.tell(json.dumps([asdict(change) for change in changes], indent=2))
        return 0
    for change in changes:
        what = f"{change.action}: {change.detail}" if change.detail else change.action
        terminal.tell(f"{shown_time(change.at)}  {change.actor:<11}  {what}")
    return 0
