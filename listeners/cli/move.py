"""Moving from SQLite to PostgreSQL, checked row by row before anything of it counts."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy import Connection, Table

from listeners.cli.running.preparing import migrate
from listeners.cli.terminal import RefusedError, Terminal, opened
from services.settings import Settings, database_fault
from store.database import Database, DatabaseUnavailableError
from store.encryption import KEY_FILE
from store.operations import moving
from store.operations.moving import Sum
from store.operations.single_process import NotAloneError, alone_on, sqlite_file


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--to", required=True, metavar="URL", help="postgresql://…, a database without the app's tables"
    )


def move(asked: Namespace, terminal: Terminal) -> int:
    settings = terminal.settings()
    file = sqlite_file(settings.database_url)
    if file is None:
        raise RefusedError("DATABASE_URL is not a SQLite file: there is nothing to move from.", status=2)
    with terminal.database() as source, _alone(file), opened(_checked(asked.to)) as target:
        _bring_up(target)
        if full := target.run_sync(moving.filled):
            raise RefusedError(f"The new database is not empty: {', '.join(full)}. Nothing was copied.")
        sums = _moved(source, target, terminal)
    for name, found in sums:
        terminal.write(f"{name:<24}{found.rows:>12,}")
    terminal.write(f"{'rows in all, compared':<24}{sum(found.rows for _, found in sums):>12,}")
    terminal.note(_afterwards(settings, file))
    return 0


def _bring_up(target: Database) -> None:
    try:
        migrate(target)
    except DatabaseUnavailableError:
        raise RefusedError("The new database does not answer: check --to, and that it is up.") from None


def _moved(source: Database, target: Database, terminal: Terminal) -> Sequence[tuple[str, Sum]]:
    """All or nothing: what was copied is committed once it is known to be the same."""
    with source.begin() as old, target.begin() as new:
        sums = [(table.name, _copied(old, new, table, terminal)) for table in moving.TABLES]
        for table in moving.TABLES:
            moving.count_on(new, table)
    return sums


def _copied(old: Connection, new: Connection, table: Table, terminal: Terminal) -> Sum:
    expected = moving.sum_of(old, table)
    with _bar(table.name, expected.rows, terminal) as bar:
        for copied in moving.copy(old, new, table):
            bar.update(bar.task_ids[0], completed=copied)
    if moving.sum_of(new, table) != expected:
        raise RefusedError(f"{table.name} is not the same in the new database. Nothing was moved; please report this.")
    return expected


@contextmanager
def _bar(name: str, rows: int, terminal: Terminal) -> Iterator[Progress]:
    columns = (TextColumn(name), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=terminal.err, disable=not terminal.err.is_terminal, transient=True) as bar:
        bar.add_task(name, total=rows)
        yield bar


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """What is accepted or sent meanwhile would be missing there."""
    with ExitStack() as stack:
        try:
            stack.enter_context(alone_on(file))
        except NotAloneError:
            raise RefusedError(f"The app is at work on {file}: stop it first.") from None
        yield


def _checked(url: str) -> str:
    fault = "must start with postgresql://" if url.startswith("sqlite") else database_fault(url)
    if fault:
        raise RefusedError(f"--to {fault}.", status=2)
    return url


def _afterwards(settings: Settings, file: Path) -> str:
    keys = "" if settings.encryption_keys else f" and ENCRYPTION_KEYS to what stands in {file.parent / KEY_FILE}"
    return f"Everything has arrived. Set DATABASE_URL to the new address{keys}, and start the app. {file} is as it was."
