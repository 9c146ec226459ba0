"""The database: runs the sync functions of the store off the event loop, each in a transaction."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from store.schema import postgresql, sqlite

P = ParamSpec("P")
Result = TypeVar("Result")
Item = TypeVar("Item")

GROUP_LIMIT = 500
"""The most items that share a transaction, so that none waits long for the commit."""

TURNS_TO_ARRIVE = 2
"""The turns of the event loop that a request needs from its socket to `gather`. An idle turn takes no time."""

POSTGRESQL_THREADS = 4
SQLITE_READERS = 2

LONGEST_WAIT_SECONDS = 10.0
"""How long a call waits for a database that hangs. What it began is rolled back when the database answers again."""

NO_ANSWER, WRONG_KEY = "no_answer", "wrong_key"
_READ_ONLY = "the database is read-only: connect to the primary, or end its read-only mode"
_DISK_FULL = "the disk of the database is full: make room"
_WRITE_PROBLEMS = {"25006": _READ_ONLY, "SQLITE_READONLY": _READ_ONLY, "53100": _DISK_FULL, "SQLITE_FULL": _DISK_FULL}
"""Keys: SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html) or the name of SQLite's error."""

log = logging.getLogger(__name__)


class DatabaseUnavailableError(Exception):
    """
    The database could not be reached or could not commit. The transaction has had no effect.

    `code` is an SQLSTATE, the name of an error of SQLite, NO_ANSWER or WRONG_KEY.
    """

    def __init__(self, text: str, *, code: str = NO_ANSWER) -> None:
        super().__init__(text)
        self.code = code

    @property
    def advice(self) -> str:
        """What is wrong, and what the operator can do."""
        not_responding = f"the database is not responding ({self.code}): check DATABASE_URL and that it is running"
        return _WRITE_PROBLEMS.get(self.code, not_responding)


class Database:
    """
    One writer thread and a few readers on SQLite, a few threads on PostgreSQL.

    Store functions are sync and take a Connection first. One call of `run` is one transaction. An outage is logged once
    when it begins, with its code, and once when it is over.
    """

    _reading: Engine | None = None
    """
    Connections that only read: they do not wait for the writer of SQLite, and need no BEGIN and COMMIT on PostgreSQL,
    where each statement sees what was committed before it in any case. None in memory.
    """

    def __init__(
        self, url: str, longest_wait_seconds: float = LONGEST_WAIT_SECONDS, *, for_import: bool = False
    ) -> None:
        """
        Take a `url` like `sqlite:///…` or `postgresql://…`, without a driver. Connects when first used.

        On SQLite, commits `for_import` do not wait for the disk.
        """
        self._longest_wait_seconds = longest_wait_seconds
        self.engine = _engine(url, for_import=for_import)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self._threads = ThreadPoolExecutor(1 if self.is_sqlite else POSTGRESQL_THREADS, thread_name_prefix="store")
        self._readers = self._threads
        if not self.is_sqlite:
            self._reading = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        elif self.engine.url.database not in {None, "", ":memory:"}:
            self._reading = _engine(url, reading=True)
            self._readers = ThreadPoolExecutor(SQLITE_READERS, thread_name_prefix="read")
        self._waiting: dict[Callable[..., Any], list[tuple[Any, asyncio.Future[Any]]]] = {}
        self._draining: dict[Callable[..., Any], asyncio.Task[None]] = {}
        self._codes = set[str]()  # of the outage that is going on

    async def run(
        self, function: Callable[Concatenate[Connection, P], Result], *args: P.args, **kwargs: P.kwargs
    ) -> Result:
        """
        Call `function(connection, …)` in a transaction. Raises DatabaseUnavailableError.

        After `longest_wait_seconds` the caller gets the error, and what the function did is rolled back as soon as the
        database answers: a late claim would lease work that nobody does.
        """
        return await self._call(self._threads, self.begin, lambda connection: function(connection, *args, **kwargs))

    async def _call(
        self,
        threads: ThreadPoolExecutor,
        begin: Callable[[], AbstractContextManager[Connection]],
        function: Callable[[Connection], Result],
    ) -> Result:
        is_abandoned = threading.Event()

        def execute() -> Result:
            with begin() as connection:
                result = function(connection)
                if is_abandoned.is_set():
                    raise DatabaseUnavailableError("the database answered too late")
                return result

        try:
            async with asyncio.timeout(self._longest_wait_seconds):
                result = await asyncio.get_running_loop().run_in_executor(threads, execute)
        except TimeoutError:
            is_abandoned.set()
            error = DatabaseUnavailableError(f"the database did not answer for {self._longest_wait_seconds:g} seconds")
            self._note_failure(error)
            raise error from None
        except DatabaseUnavailableError as error:
            self._note_failure(error)
            raise
        if self._codes and not self._codes & _WRITE_PROBLEMS.keys():
            self.writes_work()
        return result

    @property
    def is_failing(self) -> bool:
        """Whether an outage is going on."""
        return bool(self._codes)

    def writes_work(self) -> None:
        """Record that a write was committed, which ends every outage. A transaction that only read does not."""
        if self._codes:
            log.warning("The database is available again")
            self._codes.clear()

    def _note_failure(self, error: DatabaseUnavailableError) -> None:
        if error.code not in self._codes | {WRONG_KEY}:
            self._codes.add(error.code)
            log.error("The database is unavailable, so senders are asked to retry: %s", error)

    async def read(
        self, function: Callable[Concatenate[Connection, P], Result], *args: P.args, **kwargs: P.kwargs
    ) -> Result:
        """
        Call a function that writes nothing, like `run`, but cheaper, and without waiting for the writer of SQLite.

        It sees everything that was committed before. Raises DatabaseUnavailableError.
        """
        reading = self._reading
        if reading is None:
            return await self.run(function, *args, **kwargs)

        @contextmanager
        def begin() -> Iterator[Connection]:
            with _translate_outages(), reading.begin() as connection:
                yield connection

        return await self._call(self._readers, begin, lambda connection: function(connection, *args, **kwargs))

    async def gather(
        self, function: Callable[[Connection, list[Item]], list[Result]], item: Item, *, reads: bool = False
    ) -> Result:
        """
        Call `function(connection, items)` once for all items that are waiting for it, in one transaction.

        The function returns one result for each item, in order. There is no timer: items that arrive during a commit
        form the next group, so that a single item never waits. If a group fails, each of its callers gets the error.
        `reads` says that the function writes nothing, see `read`.
        """
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(function, []).append((item, future))
        if function not in self._draining:
            self._draining[function] = asyncio.create_task(self._drain(function, self.read if reads else self.run))
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

    async def _drain(self, function: Callable[..., list[Any]], run: Callable[..., Awaitable[list[Any]]]) -> None:
        while waiting := self._waiting.get(function):
            turns = 0
            while turns < TURNS_TO_ARRIVE and len(waiting) < GROUP_LIMIT:
                before = len(waiting)
                await asyncio.sleep(0)
                turns = turns + 1 if len(waiting) == before else 0
            group, self._waiting[function] = waiting[:GROUP_LIMIT], waiting[GROUP_LIMIT:]
            items = [item for item, _ in group]
            results = (await asyncio.gather(run(function, items), return_exceptions=True))[0]
            if isinstance(results, DatabaseUnavailableError) and results.code == NO_ANSWER:
                group += self._waiting.pop(function)  # so that they do not wait as long again
            for index, (_, future) in enumerate(group):
                if future.done():  # its caller was canceled
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
    """Raise our error with the first line of the driver's text, since the others may hold values. Bugs pass through."""
    try:
        yield
    except PoolTimeoutError as error:
        raise DatabaseUnavailableError("the database did not answer: every connection is in use") from error
    except DBAPIError as error:
        # OperationalError covers "cannot connect", "locked" and "server closed the connection". InterfaceError is a
        # connection that died earlier. The others (integrity, data, syntax) are bugs, except read-only.
        codes = [getattr(error.orig, name, None) for name in ("sqlstate", "sqlite_errorname")]
        code = next((str(code) for code in codes if code), type(error.orig).__name__)
        is_outage = error.connection_invalidated or type(error).__name__ in {"OperationalError", "InterfaceError"}
        if not is_outage and code not in _WRITE_PROBLEMS:
            raise
        failure = "refused a write" if code in _WRITE_PROBLEMS else "did not answer"
        first_line = str(error.orig).partition("\n")[0][:200]
        raise DatabaseUnavailableError(f"the database {failure}: {code}: {first_line}", code=code) from error


async def _until_available(attempt: Callable[[], Awaitable[Result]]) -> Result:
    wait = 0.05
    while True:
        try:
            return await attempt()
        except DatabaseUnavailableError:
            await asyncio.sleep(wait)
            wait = min(2 * wait, 2.0)


def _engine(url: str, *, reading: bool = False, for_import: bool = False) -> Engine:
    """With `reading`, transactions of SQLite neither lock anything nor wait: https://www.sqlite.org/wal.html"""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        engine = create_engine(
            parsed,
            hide_parameters=True,
            connect_args={"timeout": sqlite.BUSY_TIMEOUT_MS / 1000, "check_same_thread": False},
        )
        sqlite.prepare_engine(engine, reading=reading, for_import=for_import)
        return engine
    engine = create_engine(
        parsed.set(drivername="postgresql+psycopg", query=postgresql.CONNECTION_PARAMETERS | dict(parsed.query)),
        hide_parameters=True,  # rows hold personal data and secrets, and the text of an error ends up in a log
        pool_size=POSTGRESQL_THREADS + 2,
        pool_timeout=10,
    )
    postgresql.prepare_engine(engine)
    return engine
