"""What an operator looks at: the status of each workspace, and its audit log."""

from __future__ import annotations

import asyncio
import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from listeners.cli.running.preparing import cipher_of
from listeners.cli.terminal import RefusedError, Terminal, add_workspace_argument, shown_time
from services.home.home_state import REPORTED_DAYS, WorkspaceStatus
from store import audit
from store.slack import workspaces

MOST_SHOWN = 1_000
"""Audit entries."""


def add_status_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--workspace", metavar="ID", help="only this one")
    parser.add_argument("--json", action="store_true", help="as JSON, times in milliseconds since the epoch")


def show_status(asked: Namespace, terminal: Terminal) -> int:
    with terminal.database() as database:
        active = [each.id for each in database.run_sync(workspaces.all_active)]
    found = asyncio.run(_ask(terminal, [asked.workspace] if asked.workspace else active))
    if asked.workspace and not found:
        raise RefusedError(f"No workspace {asked.workspace} has installed the app.")
    if asked.json:
        told = [each.as_dict() for each in found]
        terminal.write(json.dumps(told[0] if asked.workspace else told, indent=2))
    elif found:
        terminal.write("\n\n".join("\n".join(_lines(each)) for each in found))
    else:
        terminal.note("No workspace has installed the app yet.")
    return 0


async def _ask(terminal: Terminal, workspace_ids: Sequence[str]) -> list[WorkspaceStatus]:
    settings = terminal.settings()
    async with terminal.build(settings, cipher_of(settings)) as app:
        found = [await app.status.of(each) for each in workspace_ids]
    return [each for each in found if each]


def _lines(one: WorkspaceStatus) -> Iterator[str]:
    yield f"{one.workspace_name} ({one.workspace_id}){'' if one.is_active else ', which has removed the app'}"
    yield f"  default channel   {_channel(one)}"
    yield from _salesforce(one)
    yield f"  last job change   {'never' if one.last_accepted_at is None else shown_time(one.last_accepted_at)}"
    since = f", the oldest since {shown_time(one.waiting_since)}" if one.waiting_since is not None else ""
    yield f"  waiting           {one.waiting:,}{since}"
    for name, count in one.last_day.items():
        yield f"  {name.replace('_', ' '):<17} {count:,} in 24 hours"
    yield f"  buried in all     {one.buried:,}{' (python app.py buried says why)' if one.buried else ''}"
    yield f"  wrong data        {one.reported:,} reports in {REPORTED_DAYS} days"


def _channel(one: WorkspaceStatus) -> str:
    if one.default_channel_id is None:
        return "none is chosen: an admin does that in the app's Home"
    name = f"#{one.default_channel_name} ({one.default_channel_id})"
    return f"{name}, which cannot be posted to: {one.default_channel_problem}" if one.default_channel_problem else name


def _salesforce(one: WorkspaceStatus) -> Iterator[str]:
    for place, line in enumerate(one.salesforce):
        at = f" {shown_time(line.at)}" if line.at is not None else ""
        yield f"  {'' if place else 'Salesforce':<17} {line.text}{at}"


def add_audit_arguments(parser: ArgumentParser) -> None:
    add_workspace_argument(parser)
    parser.add_argument("--json", action="store_true", help="as JSON, times in milliseconds since the epoch")


def show_audit(options: Namespace, terminal: Terminal) -> int:
    with terminal.database() as database:
        entries = database.run_sync(audit.recent, options.workspace, MOST_SHOWN)
        if not entries and database.run_sync(workspaces.find, options.workspace) is None:
            raise RefusedError(f"There is no audit log for workspace {options.workspace}.")
    if options.json:
        terminal.write(json.dumps([asdict(entry) for entry in entries], indent=2))
        return 0
    for entry in entries:
        action = f"{entry.action}: {entry.detail}" if entry.detail else entry.action
        terminal.write(f"{shown_time(entry.at)}  {entry.actor:<11}  {action}")
    return 0
