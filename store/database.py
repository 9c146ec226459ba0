"""The database: runs the sync functions of the store off the event loop, each in a transaction."""

from __future__ import annotations

import asyncio
import select
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, Insert, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql.base import ReadOnlyColumnCollection

P = ParamSpec("P")
Result = TypeVar("Result")
Item = TypeVar("Item")

SQLITE_SYNCHRONOUS = "FULL"
"""A commit is on the disk before the request is answered. Tests set it to OFF."""

GROUP_LIMIT = 500
"""The most items that share a transaction, so that none waits long for the commit."""

TURNS_TO_ARRIVE = 2
"""The turns of the event loop that a request needs from its socket to `gather`. An idle turn takes no time."""

POSTGRESQL_THREADS = 4
SQLITE_READERS = 2
BUSY_TIMEOUT_MS = 10_000
CONNECTION_PARAMETERS = {
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
"""
Parameters of libpq that DATABASE_URL can override. A server that has vanished is noticed within half a minute.

By default Linux waits two hours for an answer, and a quarter of an hour for an acknowledgement:
https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
"""

IDLE_SECONDS = 5.0
"""A connection that has been idle for longer is tested before it is used, because it may have died unnoticed."""


class DatabaseUnavailableError(Exception):
    """The database could not be reached or could not commit. The transaction has had no effect."""


class Database:
    """
    One writer thread and a few readers on SQLite, a few threads on PostgreSQL.

    Store functions are sync and take a Connection first. One call of `run` is one transaction.
    """

    _reading: Engine | None = None
    """Where readers do not wait for the writer; None on PostgreSQL, where no thread does, and in memory."""

    def __init__(self, url: str) -> None:
        """Take a `url` like `sqlite:///…` or `postgresql://…`, without a driver. Connects when first used."""
        self.engine = _engine(url)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self._threads = ThreadPoolExecutor(1 if self.is_sqlite else POSTGRESQL_THREADS, thread_name_prefix="store")
        if self.is_sqlite and self.engine.url.database not in {None, "", ":memory:"}:
            self._reading = _engine(url, reading=True)
            self._readers = ThreadPoolExecutor(SQLITE_READERS, thread_name_prefix="read")
        self._waiting: dict[Callable[..., Any], list[tuple[Any, asyncio.Future[Any]]]] = {}
        self._draining: dict[Callable[..., Any], asyncio.Task[None]] = {}

    async def run(
        self, function: Callable[Concatenate[Connection, P], Result], *args: P.args, **kwargs: P.kwargs
    ) -> Result:
        """Call `function(connection, …)` in a transaction. Raises DatabaseUnavailableError."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: self.run_sync(function, *args, **kwargs))

    async def read(
        self, function: Callable[Concatenate[Connection, P], Result], *args: P.args, **kwargs: P.kwargs
    ) -> Result:
        """
        Call a function that writes nothing, like `run`, but without waiting for the writer of SQLite.

        For what may take long. It sees everything that was committed before. Raises DatabaseUnavailableError.
        """
        reading = self._reading
        if reading is None:
            return await self.run(function, *args, **kwargs)

        def call() -> Result:
            with _translate_outages(), reading.begin() as connection:
                return function(connection, *args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._readers, call)

    async def gather(self, function: Callable[[Connection, list[Item]], list[Result]], item: Item) -> Result:
        """
        Call `function(connection, items)` once for all items that are waiting for it, in one transaction.

        The function returns one result for each item, in order. There is no timer: items that arrive during a commit
        form the next group, so that a single item never waits. If a group fails, each of its callers gets the error.
        """
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(function, []).append((item, future))
        if function not in self._draining:
            self._draining[function] = asyncio.create_task(self._drain(function))
        return await future

    async def run_until_available(
        self, function: Callable[Concatenate[Connection, P], Result], *args: P.args, **kwargs: P.kwargs
    ) -> Result:
        """Call `run`, and retry until the database is available. For what only this process knows."""
        return await _until_available(lambda: self.run(function, *args, **kwargs))

    async def gather_until_available(
        self, function: Callable[[Connection, list[Item]], list[Result]], item: Item
    ) -> Result:
        """Call `gather`, and retry until the database is available."""
        return await _until_available(lambda: self.gather(function, item))

    async def _drain(self, function: Callable[[Connection, list[Any]], list[Any]]) -> None:
        while waiting := self._waiting.get(function):
            turns = 0
            while turns < TURNS_TO_ARRIVE and len(waiting) < GROUP_LIMIT:
                before = len(waiting)
                await asyncio.sleep(0)
                turns = turns + 1 if len(waiting) == before else 0
            group, self._waiting[function] = waiting[:GROUP_LIMIT], waiting[GROUP_LIMIT:]
            items = [item for item, _ in group]
            results = (await asyncio.gather(self.run(function, items), return_exceptions=True))[0]
            for index, (_, future) in enumerate(group):
                if future.done():  # its caller was cancelled
                    continue
                if isinstance(results, BaseException):
                    future.set_exception(results)
                else:
                    future.set_result(results[index])
        del self._draining[function]

    def run_sync(
        self, function: Callable[Concatenate[Connection, P], Result], *args: P.args, **kwargs: P.kwargs
    ) -> Result:
        """Do the same as `run` in the calling thread, for the terminal, migrations and the sync stores of slack_sdk."""
        with self.begin() as connection:
            return function(connection, *args, **kwargs)

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Open a transaction in the calling thread. Raises DatabaseUnavailableError."""
        with _translate_outages(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def without_transaction(self) -> Iterator[Connection]:
        """Open a connection in the calling thread that commits every statement. It is closed afterwards, not pooled."""
        with _translate_outages(), self.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.detach()
            yield connection

    def empty_log(self) -> bool:
        """Write SQLite's log into the database, and empty it. Return False if another process is using it."""
        if not self.is_sqlite:
            return True
        connection = self.engine.raw_connection()  # https://www.sqlite.org/pragma.html#pragma_wal_checkpoint
        try:
            is_busy, _, _ = connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            connection.close()
        return not is_busy

    async def close(self) -> None:
        """Wait for running transactions and close the connections."""
        await asyncio.to_thread(self._threads.shutdown)
        if self._reading is not None:
            await asyncio.to_thread(self._readers.shutdown)
            self._reading.dispose()
        self.engine.dispose()


@contextmanager
def _translate_outages() -> Iterator[None]:
    try:
        yield
    except (DBAPIError, PoolTimeoutError) as error:
        if _is_outage(error):
            raise DatabaseUnavailableError(f"the database did not answer: {type(error).__name__}") from error
        raise


async def _until_available(attempt: Callable[[], Awaitable[Result]]) -> Result:
    wait = 0.05
    while True:
        try:
            return await attempt()
        except DatabaseUnavailableError:
            await asyncio.sleep(wait)
            wait = min(2 * wait, 2.0)


def _is_outage(error: DBAPIError | PoolTimeoutError) -> bool:
    # OperationalError covers "cannot connect", "disk full", "locked" and "server closed the connection".
    # InterfaceError is a connection that died earlier. The others (integrity, data, syntax) are bugs.
    if isinstance(error, PoolTimeoutError) or error.connection_invalidated:
        return True
    return type(error).__name__ in {"OperationalError", "InterfaceError"}


def _engine(url: str, *, reading: bool = False) -> Engine:
    """With `reading`, transactions of SQLite neither lock anything nor wait: https://www.sqlite.org/wal.html"""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        engine = create_engine(
            parsed, hide_parameters=True, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False}
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_reading if reading else _begin_sqlite)
        return engine
    engine = create_engine(
        parsed.set(drivername="postgresql+psycopg", query=CONNECTION_PARAMETERS | dict(parsed.query)),
        hide_parameters=True,  # rows hold personal data and secrets, and the text of an error ends up in a log
        pool_size=POSTGRESQL_THREADS + 2,
        pool_timeout=10,
    )
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "checkout", partial(_replace_if_dead, engine))
    return engine


def _note_use(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info["used_at"] = time.monotonic()


def _replace_if_dead(engine: Engine, connection: Any, record: ConnectionPoolEntry, _fairy: object) -> None:
    """
    Replace a connection that died while it was idle, before it fails the next transaction.

    Between two transactions a socket has data only if the server has closed the connection. So a busy connection is
    checked without a round trip.
    """
    poller = select.poll()
    idle = time.monotonic() - record.info.get("used_at", time.monotonic())
    try:
        poller.register(connection.fileno(), select.POLLIN)
        if idle < IDLE_SECONDS and not poller.poll(0):
            return
        engine.dialect.do_ping(connection)
    except engine.dialect.loaded_dbapi.Error as error:
        raise DisconnectionError from error


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # BEGIN is sent by _begin_sqlite
    cursor = connection.cursor()
    for pragma in (
        "journal_mode = WAL",
        f"synchronous = {SQLITE_SYNCHRONOUS}",
        f"busy_timeout = {BUSY_TIMEOUT_MS}",
        "foreign_keys = ON",
        "secure_delete = ON",  # what is erased is overwritten
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # This waits for the write lock. A transaction that starts with a read and then writes would fail with "locked".
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_reading(connection: Connection) -> None:
    connection.exec_driver_sql("PRAGMA query_only = ON")
    connection.exec_driver_sql("BEGIN")


def insert_missing(connection: Connection, table: Table, *unique: str) -> Insert:
    """Return an INSERT that skips rows whose `unique` columns exist already. Other conflicts still raise."""
    return _insert_missing(connection.dialect.name, table, unique)


@cache  # building a statement costs more than running it, and there are few different ones
def _insert_missing(dialect: str, table: Table, unique: tuple[str, ...]) -> Insert:
    if dialect == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing(index_elements=unique)
    return postgresql.insert(table).on_conflict_do_nothing(index_elements=unique)


def put(connection: Connection, table: Table, row: Mapping[str, object], *unique: str) -> None:
    """Insert the row or replace the one with the same `unique` columns. If two do so at once, the later one wins."""
    connection.execute(_put(connection.dialect.name, table, unique), [dict(row)])


@cache
def _put(dialect: str, table: Table, unique: tuple[str, ...]) -> Insert:
    # Two variables, because the two statements have no common type with conflict handling.
    if dialect == "sqlite":
        sqlite_insert = sqlite.insert(table)
        return sqlite_insert.on_conflict_do_update(
            index_elements=unique, set_=_others(table, unique, sqlite_insert.excluded)
        )
    postgresql_insert = postgresql.insert(table)
    return postgresql_insert.on_conflict_do_update(
        index_elements=unique, set_=_others(table, unique, postgresql_insert.excluded)
    )


def _others(table: Table, unique: Collection[str], excluded: ReadOnlyColumnCollection[str, Any]) -> dict[str, Any]:
    return {column.name: excluded[column.name] for column in table.columns if column.name not in unique}
