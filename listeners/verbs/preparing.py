"""What has to be so before anything is served: nobody else at work, the newest schema, the right keys."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from alembic.util import CommandError
from sqlalchemy import Connection

from listeners.verbs import MIGRATE, RefusedError, opened
from services.clock import SteadyClock
from services.settings import Settings
from store import lanes, migrations, routing, stored_secrets
from store.alone import NotAloneError, alone_on, sqlite_file
from store.database import Database
from store.encryption import KEY_FILE, Cipher, WrongKeyError, key_in


@contextmanager
def prepared(settings: Settings, *, works: bool) -> Iterator[Cipher]:
    """
    Make the database ready and keep others away from it; answers with the keys to it.

    *works*: whether this process will route and post, which on SQLite only one may do at a time.
    Raises RefusedError, DatabaseUnavailableError.
    """
    file = sqlite_file(settings.database_url)
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


def migrate(database: Database) -> None:
    """Bring it to the newest schema. Raises RefusedError, DatabaseUnavailableError."""
    try:
        database.run_sync(migrations.upgrade)
    except CommandError:
        raise RefusedError("The database is newer than this version of the app: install the newest version.") from None


def cipher_of(settings: Settings) -> Cipher:
    """The operator's keys; on SQLite, when none are named, the one beside the file. Raises RefusedError."""
    keys = settings.encryption_keys
    if not keys:
        keys = (_key_beside(sqlite_file(settings.database_url)),)
    try:
        return Cipher.of(keys)
    except ValueError:
        raise RefusedError(f"What stands in {KEY_FILE} beside the database is no key: put the key back.") from None


def _key_beside(file: Path | None) -> str:
    if file is None:
        raise RefusedError("DATABASE_URL names no file: nothing would be left after a restart.", status=2)
    try:
        return key_in(file.parent)
    except OSError as error:
        raise RefusedError(f"{file.parent / KEY_FILE} cannot be read or made: {error.strerror}.") from None


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
