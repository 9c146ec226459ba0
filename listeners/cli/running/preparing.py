"""What happens before anything is served: file permissions, the process lock, migrations and encryption keys."""

from __future__ import annotations

import asyncio
import logging
import stat
import time
from argparse import Namespace
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from listeners.cli.terminal import MIGRATE, App, RefusedError, Terminal, opened
from services.clock import SteadyClock
from services.settings import Settings
from store import migrations
from store.database import Database
from store.delivery import lanes, routing
from store.encryption import KEY_FILE, Cipher, WrongKeyError, key_in
from store.operations import secrets
from store.operations.single_process import DatabaseInUseError, exclusive_lock, sqlite_file

ATTEMPTS, WAIT_SECONDS = 100, 0.3
"""How often a migration tries to lock its tables, and how long it waits between two attempts."""

log = logging.getLogger(__name__)

Result = TypeVar("Result")


@contextmanager
def prepared(settings: Settings, *, works: bool) -> Iterator[Cipher]:
    """
    Prepare the database for serving and yield the cipher for its secrets.

    `works` is True if this process will route and post. On SQLite only one process may do that at a time.
    Raises RefusedError, DatabaseUnavailableError.
    """
    file = sqlite_file(settings.database_url)
    warn_of_readable([Path(".env"), *([file] if file else [])])
    with ExitStack() as stack:
        if file and works:
            stack.enter_context(_alone_on(file))
        cipher = cipher_of(settings)
        with opened(settings.database_url) as database:
            if database.is_sqlite:
                migrate(database)
            elif not database.run_sync(migrations.may_run):
                raise RefusedError(f"The database schema is out of date. {MIGRATE}")
            if file and works:
                # This is the only process that works on the file: every lease was left behind by one that has ended.
                database.run_sync(routing.release_all)
                database.run_sync(lanes.release_all, SteadyClock()())
            try:
                database.run_sync(secrets.check_readable, cipher)
            except WrongKeyError as error:
                raise RefusedError(str(error), status=2) from None
        yield cipher


def migrate_database(_arguments: Namespace, terminal: Terminal) -> int:
    settings = terminal.settings()
    with opened(settings.database_direct_url or settings.database_url) as database:
        migrate(database)
    terminal.write("The database schema is up to date.")
    return 0


def migrate(database: Database, wait: Callable[[float], None] = time.sleep, attempts: int = ATTEMPTS) -> None:
    """
    Migrate to the newest schema while other processes may be serving from the database.

    Raises RefusedError, DatabaseUnavailableError.
    """
    for _ in range(attempts):
        try:
            with database.without_transaction() as connection:
                migrations.build_indexes_concurrently(connection)
            return database.run_sync(migrations.upgrade)
        except migrations.NewerSchemaError:
            newer = "The database was migrated by a newer version of the app. Install the newest version."
            raise RefusedError(newer) from None
        except migrations.LockedError:
            wait(WAIT_SECONDS)
    raise RefusedError(
        "The migration could not lock a table. Check pg_stat_activity for long-running statements, then try again."
    )


def run_with_app(terminal: Terminal, work: Callable[[App], Coroutine[Any, Any, Result]]) -> Result:
    """Do the work of a verb that does not serve. Raises RefusedError, and what `work` does."""

    async def run() -> Result:
        settings = terminal.settings()
        async with terminal.build(settings, cipher_of(settings)) as app:
            return await work(app)

    return asyncio.run(run())


def cipher_of(settings: Settings) -> Cipher:
    """
    Return the cipher for the operator's keys.

    On SQLite without ENCRYPTION_KEYS, the key is read from a file beside the database, and created if it is missing.
    Raises RefusedError.
    """
    keys = settings.encryption_keys
    if not keys:
        keys = (_key_beside(sqlite_file(settings.database_url)),)
    try:
        return Cipher.of(keys)
    except ValueError:
        text = f"{KEY_FILE} beside the database holds no key. Restore the file from a backup."
        raise RefusedError(text, status=2) from None


def _key_beside(file: Path | None) -> str:
    if file is None:
        raise RefusedError("DATABASE_URL names no file, so nothing would survive a restart.", status=2)
    place = file.parent / KEY_FILE
    if file.exists() and not place.exists():
        with opened(f"sqlite:///{file}") as database:
            has_secrets = database.run_sync(secrets.has_any)
        if has_secrets:
            raise RefusedError(
                f"{file} holds secrets that only the key in {place} can decrypt, and that file is missing. Restore it"
                " from a backup, or set ENCRYPTION_KEYS to its content.",
                status=2,
            )
    try:
        key = key_in(file.parent)
    except OSError as error:
        raise RefusedError(f"{place} cannot be read or created: {error.strerror}.") from None
    if is_readable_by_others(place):
        raise RefusedError(
            f"{place} decrypts every secret, and every user of this machine can read it. Run: chmod 600 {place}"
        )
    return key


def is_readable_by_others(file: Path) -> bool:
    """Whether every user may read or write the file. Group permissions are left to the operator."""
    return file.exists() and bool(stat.S_IMODE(file.stat().st_mode) & stat.S_IRWXO)


def warn_of_readable(files: Iterable[Path]) -> None:
    for file in files:
        if is_readable_by_others(file):
            log.warning("%s can be read by every user of this machine. Run: chmod o= %s", file, file)


@contextmanager
def _alone_on(file: Path) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(exclusive_lock(file))
        except DatabaseInUseError as error:
            raise RefusedError(str(error)) from None
        except OSError as error:
            raise RefusedError(f"{file} cannot be used: {error.strerror} ({error.filename}).") from None
        yield
