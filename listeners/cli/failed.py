"""What could not be delivered, and trying it again."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict

from listeners.cli.terminal import Terminal, shown_time
from services.clock import SteadyClock
from store.database import Database
from store.delivery import deliveries, failed
from store.intake import job_changes

AT_ONCE = 500
"""Job changes that are replayed in one transaction."""

MOST_SHOWN = MOST_FOUND = 10_000


def buried_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="as JSON")


def show_buried(asked: Namespace, terminal: Terminal) -> int:
    with terminal.database() as database:
        found = database.run_sync(deliveries.buried, limit=MOST_SHOWN)
    if asked.json:
        terminal.write(json.dumps([asdict(each) for each in found], indent=2))
        return 0
    for each in found:
        terminal.write(f"{each.job_change_id}  {each.workspace_id}  {shown_time(each.ended_at)}  {each.reason}")
    terminal.note("Try again with: python app.py replay ID, or replay --all" if found else "Nothing is buried.")
    return 0


def replay_arguments(parser: ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("ids", nargs="*", default=[], metavar="ID", help="job changes, as buried lists them")
    which.add_argument("--all", action="store_true", help="everything that is buried now")


def replay_buried(asked: Namespace, terminal: Terminal) -> int:
    with terminal.database() as database:
        if asked.all:
            return _replay_all(database, terminal)
        ids = list(dict.fromkeys(asked.ids))
        replayed = _replayed(database, _portions(ids))
        terminal.write(f"{len(replayed):,} of {len(ids):,} will be tried again.")
        left = [each for each in ids if each not in set(replayed)]
        for each in left:
            terminal.note(_why_not(database, each))
    return 1 if left else 0


def _replay_all(database: Database, terminal: Terminal) -> int:
    # Only those of now: what fails again at once must not be tried for ever.
    until = SteadyClock()()
    pages = iter(lambda: database.run_sync(failed.buried_until, until, MOST_FOUND), [])
    replayed = _replayed(database, (portion for page in pages for portion in _portions(page)))
    terminal.write(f"{len(replayed):,} will be tried again.")
    return 0


def _replayed(database: Database, portions: Iterable[Sequence[str]]) -> list[str]:
    now = SteadyClock()
    return [each for portion in portions for each in database.run_sync(failed.replay, portion, now())]


def _portions(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + AT_ONCE] for start in range(0, len(ids), AT_ONCE))


def _why_not(database: Database, job_change_id: str) -> str:
    if database.run_sync(job_changes.origin, job_change_id) is None:
        return f"There is no job change {job_change_id}."
    return f"{job_change_id} is not buried: python app.py explain {job_change_id} tells how it stands."
