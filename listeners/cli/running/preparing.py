"""What has to be so before anything is served: nobody else at work, the newest schema, the right keys."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import Connection

from listeners.cli.running.modes import is_open, warn_of_open
from listeners.cli.terminal import MIGRATE, RefusedError, opened
from services.clock import SteadyClock
from services.settings import Settings
from store import migrations
from store.database import Database
from store.delivery import lanes, routing
from store.encryption import KEY_FILE, Cipher, WrongKeyError, key_in
from store.operations import stored_secrets
from store.operations.single_process import NotAloneError, alone_on, sqlite_file

ATTEMPTS, WAIT_SECONDS = 100, 0.3
"""How often a migration tries to have its tables to itself, and how long it stands back in between."""


@contextmanager
def prepared(settings: Settings, *, works: bool) -> Iterator[Cipher]:
    """
    Make the database ready and keep others away from it; answers with the keys to it.

    *works*: whether this process will route and post, which on SQLite only one may do at a time.
    Raises RefusedError, DatabaseUnavailableError.
    """
    file = sqlite_file(settings.database_url)
    warn_of_open([Path(".env"), *([file] if file else [])])
    with ExitStack() as stack:
        if file and works:
            stack.enter_context(_alone_on(file))
        cipher = cipher_of(settings)
        with opened(settings.database_url) as database:
            _bring_up(database)
            if file and works:
                database.run_sync(_release)
            _check(database, cipher)
        yield cipher


def migrate(database: Database, wait: Callable[[float], None] = time.sleep, attempts: int = ATTEMPTS) -> None:
    """Bring it to the newest schema, beside those who serve from it. Raises RefusedError, DatabaseUnavailableError."""
    for _ in range(attempts):
        try:
            with database.without_transaction() as connection:
                migrations.build_beside(connection)
            return database.run_sync(migrations.upgrade)
        except migrations.NewerSchemaError:
            newer = "The database is newer than this version of the app: install the newest version."
            raise RefusedError(newer) from None
        except migrations.LockedError:
            wait(WAIT_SECONDS)
    held = "Something holds a table of the database: look into pg_stat_activity for what runs long, and try again."
    raise RefusedError(held)


def cipher_of(settings: Settings) -> Cipher:
    """The operator's keys; on SQLite, when none are named, the one beside the file. Raises RefusedError."""
    keys = settings.encryption_keys
    if not keys:
        keys = (_key_beside(sqlite_file(settings.database_url)),)
    try:
        return Cipher.of(keys)
    except ValueError:
        raise RefusedError(f"{KEY_FILE} beside the database holds no key: put the key back.") from None


def _key_beside(file: Path | None) -> str:
    if file is None:
        raise RefusedError("DATABASE_URL names no file: nothing would be left after a restart.", status=2)
    try:
        key = key_in(file.parent)
    except OSError as error:
        raise RefusedError(f"{file.parent / KEY_FILE} cannot be read or made: {error.strerror}.") from None
    if is_open(file.parent / KEY_FILE):
        place = file.parent / KEY_FILE
        raise RefusedError(f"{place}, which opens every secret, can be read by everybody here: chmod 600 {place}.")
    return key


@contextmanager
def _alone_on(file: Path) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(alone_on(file))
        except NotAloneError as error:
            raise RefusedError(str(error)) from None
        except OSError as error:
            raise RefusedError(f"{file} cannot be used: {error.strerror} ({error.filename}).") from None
        yield


def _bring_up(database: Database) -> None:
    if database.is_sqlite:
        migrate(database)
    elif not database.run_sync(migrations.is_newest):
        raise RefusedError(f"The database is not at the newest schema: {MIGRATE}.")


def _release(connection: Connection) -> None:
    routing.release_all(connection)
    lanes.release_all(connection, SteadyClock()())


def _check(database: Database, cipher: Cipher) -> None:
    try:
        database.run_sync(stored_secrets.check, cipher)
    except WrongKeyError as error:
        raise RefusedError(str(error)) from None
