"""Moving from SQLite to PostgreSQL, with every row compared before the copy is committed."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy import Connection, Table
from sqlalchemy.engine import make_url

from listeners.cli.running.preparing import migrate
from listeners.cli.terminal import RefusedError, Terminal, opened
from services.settings import database_fault
from store.database import DatabaseUnavailableError
from store.encryption import KEY_FILE
from store.operations import moving
from store.operations.moving import TableChecksum
from store.operations.single_process import DatabaseInUseError, exclusive_lock, sqlite_file


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--to",
        required=True,
        metavar="URL",
        help="postgresql://… of a database that has no data of the app; its password is taken from PGPASSWORD",
    )


def move(options: Namespace, terminal: Terminal) -> int:
    settings = terminal.settings()
    file = sqlite_file(settings.database_url)
    if file is None:
        raise RefusedError("DATABASE_URL is not a SQLite file, so there is nothing to move.", status=2)
    with terminal.database() as source, _alone(file), opened(_checked(options.to)) as target:
        try:
            migrate(target)
        except DatabaseUnavailableError:
            raise RefusedError(
                "The new database is not responding. Check --to and that the database is running."
            ) from None
        if filled_tables := target.run_sync(moving.non_empty_tables):
            raise RefusedError(f"The new database is not empty: {', '.join(filled_tables)}. Nothing was copied.")
        # Everything is copied in one transaction, which is committed only if all rows are the same.
        with source.begin() as old, target.begin() as new:
            sums = [(table.name, _copy(old, new, table, terminal)) for table in moving.TABLES]
            for table in moving.TABLES:
                moving.reset_sequence(new, table)
    for table_name, table_sum in sums:
        terminal.write(f"{table_name:<24}{table_sum.rows:>12,}")
    terminal.write(f"{'Rows copied, compared':<24}{sum(table_sum.rows for _, table_sum in sums):>12,}")
    keys = "" if settings.encryption_keys else f" and ENCRYPTION_KEYS to the content of {file.parent / KEY_FILE}"
    terminal.note(f"All data was moved. Set DATABASE_URL to the new address{keys}, then start the app.")
    terminal.note(f"{file} was not changed.")
    return 0


def _copy(old: Connection, new: Connection, table: Table, terminal: Terminal) -> TableChecksum:
    expected = moving.checksum(old, table)
    with _bar(table.name, expected.rows, terminal) as bar:
        for rows in moving.copy(old, new, table):
            bar.update(bar.task_ids[0], completed=rows)
    if moving.checksum(new, table) != expected:
        raise RefusedError(f"{table.name} differs in the new database. Nothing was moved. Please report this.")
    return expected


@contextmanager
def _bar(name: str, rows: int, terminal: Terminal) -> Iterator[Progress]:
    columns = (TextColumn(name), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=terminal.err, disable=not terminal.err.is_terminal, transient=True) as bar:
        bar.add_task(name, total=rows)
        yield bar


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Keep the app from running: what it accepted or sent during the move would be missing in the new database."""
    with ExitStack() as stack:
        try:
            stack.enter_context(exclusive_lock(file))
        except DatabaseInUseError:
            raise RefusedError(f"The app is running on {file}. Stop it first.") from None
        yield


def _checked(url: str) -> str:
    fault = "must start with postgresql://" if url.startswith("sqlite") else database_fault(url)
    if fault:
        raise RefusedError(f"--to {fault}.", status=2)
    if make_url(url).password:
        raise RefusedError(
            "--to contains a password, which every user of this machine can see. Change it, leave it out of the"
            " address, and set PGPASSWORD in the environment instead.",
            status=2,
        )
    return url
