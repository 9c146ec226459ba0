"""Job changes that could not be delivered: listing and retrying them."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import asdict

from domain.day_counts import counted
from domain.notification_hours import utc_text
from listeners.cli.terminal import Terminal, add_workspace_filter
from services.clock import SteadyClock
from store.database import Database
from store.delivery import failed
from store.intake import job_changes

AT_ONCE = 500
"""Job changes that are retried in one transaction."""

MOST_SHOWN = MOST_FOUND = 10_000


def show_failed(options: Namespace, terminal: Terminal) -> int:
    with terminal.database() as database:
        rows = database.run_sync(failed.failures, options.workspace, MOST_SHOWN)
    if options.json:
        terminal.write(json.dumps([asdict(row) for row in rows], indent=2))
        return 0
    for row in rows:
        terminal.write(f"{row.job_change_id}  {row.workspace_id}  {utc_text(row.ended_at)}  {row.reason}")
    if rows:
        terminal.note("To try again, run: python app.py retry ID… or python app.py retry --all")
    else:
        terminal.note("No failed job changes.")
    return 0


def add_retry_arguments(parser: ArgumentParser) -> None:
    selection = parser.add_mutually_exclusive_group(required=True)
    selection.add_argument("ids", nargs="*", default=[], metavar="ID", help="job changes, as `failed` lists them")
    selection.add_argument("--all", action="store_true", help="every job change that has failed until now")
    add_workspace_filter(parser)


def retry_failed(options: Namespace, terminal: Terminal) -> int:
    with terminal.database() as database:
        if options.all:
            # Only what has failed until now: what fails again at once must not be retried forever.
            until, count = SteadyClock()(), 0
            while oldest := database.run_sync(failed.oldest, until, MOST_FOUND, options.workspace):
                count += len(_retry(database, oldest))
            terminal.write(f"{counted(count, 'job change')} will be retried.")
            return 0
        ids = list(dict.fromkeys(options.ids))
        chosen = database.run_sync(failed.failed_among, options.workspace, ids) if options.workspace else ids
        retried = _retry(database, chosen)
        terminal.write(f"{len(retried):,} of {counted(len(ids), 'job change')} will be retried.")
        others = [job_change_id for job_change_id in ids if job_change_id not in set(retried)]
        for job_change_id in others:
            terminal.note(_why_not(database, job_change_id, options.workspace))
    return 1 if others else 0


def _retry(database: Database, ids: Sequence[str]) -> list[str]:
    """Return the job changes among them that will be retried."""
    now = SteadyClock()
    batches = (ids[start : start + AT_ONCE] for start in range(0, len(ids), AT_ONCE))
    return [job_change_id for batch in batches for job_change_id in database.run_sync(failed.retry, batch, now())]


def _why_not(database: Database, job_change_id: str, workspace_id: str | None) -> str:
    origin = database.run_sync(job_changes.origin, job_change_id)
    if origin is None:
        return f"There is no job change with the id {job_change_id}."
    if workspace_id and origin.workspace_id != workspace_id:
        return f"{job_change_id} belongs to workspace {origin.workspace_id}."
    return f"{job_change_id} has not failed. To see its status, run: python app.py explain {job_change_id}"
