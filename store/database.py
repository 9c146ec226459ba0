"""The seam between the async outside and the sync store: store functions off the event loop, a transaction each."""

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
"""A commit is on the disk before a request is answered with yes. Tests set it to OFF."""

GROUP_LIMIT = 500
"""How many items at most share one transaction, so that none of them waits long for its commit."""

TURNS_TO_ARRIVE = 2
"""How many turns of the loop a request takes from its socket to us; a turn in which nothing happens takes no time."""

POSTGRESQL_THREADS = 4
BUSY_TIMEOUT_MS = 10_000
NETWORK_PATIENCE = {
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
"""
Of libpq, unless DATABASE_URL says otherwise: a server that vanished without a word is given up in half a minute.

Linux would wait for two hours where we wait for an answer, and for a quarter of one where we speak:
https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
"""

QUIET_SECONDS = 5.0
"""A connection that nobody used for so long may have died without a word: it is tried before it is used."""


class DatabaseUnavailableError(Exception):
    """The database could not be reached or could not commit. Nothing of the transaction has happened."""


class Database:
    """
    One writer thread on SQLite, a few on PostgreSQL.

    Store functions are sync and take a Connection first; whatever one call of `run` does is one transaction.
    """

    def __init__(self, url: str) -> None:
        """*url*: `sqlite:///…` or `postgresql://…`; the driver is chosen here. Connects only when first used."""
        self.engine = _engine(url)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self._threads = ThreadPoolExecutor(1 if self.is_sqlite else POSTGRESQL_THREADS, thread_name_prefix="store")
        self._waiting: dict[Callable[..., Any], list[tuple[Any, asyncio.Future[Any]]]] = {}
        self._draining: dict[Callable[..., Any], asyncio.Task[None]] = {}

    async def run(
        self, function: Callable[Concatenate[Connection, P], Result], *args: P.args, **kwargs: P.kwargs
    ) -> Result:
        """Call `function(connection, …)` in a transaction. Raises DatabaseUnavailableError."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: self.run_sync(function, *args, **kwargs))

    async def gather(self, function: Callable[[Connection, list[Item]], list[Result]], item: Item) -> Result:
        """
        Call `function(connection, items)` once for all the items that wait for it, in one transaction.

        It answers one result an item, in order. There is no timer: what has arrived by now is one group, what arrives
        while it commits is the next, so a lone item never waits. A failed group fails all of its items with
        DatabaseUnavailableError.
        """
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(function, []).append((item, future))
        if function not in self._draining:
            self._draining[function] = asyncio.create_task(self._drain(function))
        return await future

    async def run_until_available(
        self, function: Callable[Concatenate[Connection, P], Result], *args: P.args, **kwargs: P.kwargs
    ) -> Result:
        """The same as `run`, again and again until the database is back: for what only this process knows."""
        return await _until_available(lambda: self.run(function, *args, **kwargs))

    async def gather_until_available(
        self, function: Callable[[Connection, list[Item]], list[Result]], item: Item
    ) -> Result:
        """The same as `gather`, again and again until the database is back."""
        return await _until_available(lambda: self.gather(function, item))

    async def _drain(self, function: Callable[[Connection, list[Any]], list[Any]]) -> None:
        while waiting := self._waiting.get(function):
            await _until_no_more_come(waiting)
            group, self._waiting[function] = waiting[:GROUP_LIMIT], waiting[GROUP_LIMIT:]
            items = [item for item, _ in group]
            answer = (await asyncio.gather(self.run(function, items), return_exceptions=True))[0]
            for index, (_, future) in enumerate(group):
                if future.done():  # its caller has gone away
                    continue
                if isinstance(answer, BaseException):
                    future.set_exception(answer)
                else:
                    future.set_result(answer[index])
        del self._draining[function]

    def run_sync(
        self, function: Callable[Concatenate[Connection, P], Result], *args: P.args, **kwargs: P.kwargs
    ) -> Result:
        """The same as `run`, in the calling thread: for the terminal, migrations and slack_sdk's sync stores."""
        with self.begin() as connection:
            return function(connection, *args, **kwargs)

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction in the calling thread. Raises DatabaseUnavailableError."""
        with _outages(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def without_transaction(self) -> Iterator[Connection]:
        """A connection in the calling thread, thrown away after it, that commits each statement by itself."""
        with _outages(), self.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.detach()
            yield connection

    async def close(self) -> None:
        """Wait for what is running and let the connections go."""
        await asyncio.to_thread(self._threads.shutdown)
        self.engine.dispose()


@contextmanager
def _outages() -> Iterator[None]:
    try:
        yield
    except (DBAPIError, PoolTimeoutError) as error:
        if _is_outage(error):
            raise DatabaseUnavailableError(f"the database did not answer: {type(error).__name__}") from error
        raise


async def _until_no_more_come(waiting: list[Any]) -> None:
    """Let requests in that have arrived already: one commit of many costs less than two, and nobody waits longer."""
    turns = 0
    while turns < TURNS_TO_ARRIVE and len(waiting) < GROUP_LIMIT:
        before = len(waiting)
        await asyncio.sleep(0)
        turns = turns + 1 if len(waiting) == before else 0


async def _until_available(attempt: Callable[[], Awaitable[Result]]) -> Result:
    wait = 0.05
    while True:
        try:
            return await attempt()
        except DatabaseUnavailableError:
            await asyncio.sleep(wait)
            wait = min(2 * wait, 2.0)


def _is_outage(error: DBAPIError | PoolTimeoutError) -> bool:
    # OperationalError covers "cannot connect", "disk full", "locked", "server closed the connection";
    # InterfaceError a connection that died earlier. The rest (integrity, data, syntax) are bugs of ours.
    if isinstance(error, PoolTimeoutError) or error.connection_invalidated:
        return True
    return type(error).__name__ in {"OperationalError", "InterfaceError"}


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        engine = create_engine(
            parsed, hide_parameters=True, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False}
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    engine = create_engine(
        parsed.set(drivername="postgresql+psycopg", query=NETWORK_PATIENCE | dict(parsed.query)),
        hide_parameters=True,  # rows hold people and secrets, and an error's text ends in a log
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
    A connection that died while idle is replaced, instead of failing the next transaction.

    The server's last words can be heard without asking, so that a busy connection costs no round trip: nothing else
    is there to be read between two transactions.
    """
    last_words = select.poll()
    idle = time.monotonic() - record.info.get("used_at", time.monotonic())
    try:
        last_words.register(connection.fileno(), select.POLLIN)
        if idle < QUIET_SECONDS and not last_words.poll(0):
            return
        engine.dialect.do_ping(connection)
    except engine.dialect.loaded_dbapi.Error as error:
        raise DisconnectionError from error


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, see _begin_sqlite
    cursor = connection.cursor()
    for pragma in (
        "journal_mode = WAL",
        f"synchronous = {SQLITE_SYNCHRONOUS}",
        f"busy_timeout = {BUSY_TIMEOUT_MS}",
        "foreign_keys = ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # Taking the write lock at once waits for it here; a read that turns into a write would fail with "locked".
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def insert_missing(connection: Connection, table: Table, *unique: str) -> Insert:
    """An INSERT that passes over rows whose *unique* columns are already taken; other conflicts still raise."""
    return _insert_missing(connection.dialect.name, table, unique)


@cache  # to build a statement costs more than to run it; there are as many as places that call
def _insert_missing(dialect: str, table: Table, unique: tuple[str, ...]) -> Insert:
    if dialect == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing(index_elements=unique)
    return postgresql.insert(table).on_conflict_do_nothing(index_elements=unique)


def put(connection: Connection, table: Table, row: Mapping[str, object], *unique: str) -> None:
    """Insert *row* in place of the one whose *unique* columns it has. Of two who do so at once the later one stays."""
    connection.execute(_put(connection.dialect.name, table, unique), [dict(row)])


@cache
def _put(dialect: str, table: Table, unique: tuple[str, ...]) -> Insert:
    # Not one name for both: the two statements have no type in common that knows of conflicts.
    if dialect == "sqlite":
        here = sqlite.insert(table)
        return here.on_conflict_do_update(index_elements=unique, set_=_others(table, unique, here.excluded))
    there = postgresql.insert(table)
    return there.on_conflict_do_update(index_elements=unique, set_=_others(table, unique, there.excluded))


def _others(table: Table, unique: Collection[str], excluded: ReadOnlyColumnCollection[str, Any]) -> dict[str, Any]:
    return {column.name: excluded[column.name] for column in table.columns if column.name not in unique}
