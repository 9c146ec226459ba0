"""What an operator looks at: the status of each workspace, and its audit log."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import asdict

from domain.day_counts import FAILED, MUTED, SENT_TO_CHANNEL, SENT_TO_DRI, counted
from domain.notification_hours import utc_text
from listeners.cli.terminal import RefusedError, Terminal, add_json_argument, add_workspace_argument
from services.clock import SteadyClock
from services.home.home_state import REPORTED_DAYS, WorkspaceStatus
from services.home.status import read_status
from services.messages.wording import sentence
from store import audit
from store.home import counts
from store.slack import workspaces

MOST_SHOWN = 1_000
"""Audit entries."""

_OUTCOME_LABELS = {
    SENT_TO_DRI: "Sent to DRIs",
    SENT_TO_CHANNEL: "Sent to channels",
    FAILED: "Failed",
    MUTED: "Muted",
}


def show_status(options: Namespace, terminal: Terminal) -> int:
    with terminal.database() as database:
        active_ids = [workspace.id for workspace in database.run_sync(workspaces.all_active)]
        ids, now = [options.workspace] if options.workspace else active_ids, SteadyClock()()
        statuses = [status for workspace_id in ids if (status := database.run_sync(read_status, workspace_id, now))]
        stored = [database.run_sync(counts.stored_characters, status.workspace_id) for status in statuses]
    if options.workspace and not statuses:
        raise RefusedError(f"The app is not installed in workspace {options.workspace}.")
    if options.json:
        objects = [
            status.as_dict() | {"stored_characters": size} for status, size in zip(statuses, stored, strict=True)
        ]
        terminal.write(json.dumps(objects[0] if options.workspace else objects, indent=2))
    elif statuses:
        terminal.write(
            "\n\n".join(
                "\n".join([*status_lines_of(status), f"  Stored            {size / 1_000_000:,.1f} MB of job changes"])
                for status, size in zip(statuses, stored, strict=True)
            )
        )
    else:
        terminal.note("The app is not installed in any workspace yet.")
    return 0


def status_lines_of(status: WorkspaceStatus) -> Iterator[str]:
    yield f"{status.workspace_name} ({status.workspace_id}){'' if status.is_active else ', app removed'}"
    if status.slack_token_ends_at is not None:
        end = utc_text(status.slack_token_ends_at)
        yield f"  Slack             no longer renews the token, which expires at {end}. Add the app to Slack again"
    yield f"  Default channel   {_channel(status)}"
    for number, line in enumerate(status.salesforce):
        time = f" {utc_text(line.at)}" if line.at is not None else ""
        yield f"  {'' if number else 'Salesforce':<17} {line.text}{time}"
    for outage in status.outages:
        yield f"  FAILING           {sentence(outage.text(utc_text))}"
    last_accepted = "never" if status.last_accepted_at is None else utc_text(status.last_accepted_at)
    yield f"  Last job change   {last_accepted}"
    since = f", the oldest since {utc_text(status.waiting_since)}" if status.waiting_since is not None else ""
    yield f"  Waiting           {status.waiting:,}{since}"
    for outcome, count in status.last_day.items():
        yield f"  {_OUTCOME_LABELS[outcome]:<17} {count:,} in the last 24 hours"
    hint = " (to see why, run: python app.py failed)" if status.failed else ""
    yield f"  Failed, all time  {status.failed:,}{hint}"
    yield f"  Wrong data        {counted(status.reported, 'report')} in the last {REPORTED_DAYS} days"


def _channel(status: WorkspaceStatus) -> str:
    if status.default_channel_id is None:
        return "none; an admin can choose one in the app's Home"
    name = f"#{status.default_channel_name} ({status.default_channel_id})"
    problem = status.default_channel_problem
    return f"{name}, cannot be posted to: {problem}" if problem else name


def add_audit_arguments(parser: ArgumentParser) -> None:
    add_workspace_argument(parser)
    add_json_argument(parser)


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
        terminal.write(f"{utc_text(entry.at)}  {entry.actor:<11}  {action}")
    return 0
