"""Empty databases at the newest schema, as durable as in production (SQLite in FULL, PostgreSQL with fsync)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from os import environ
from pathlib import Path

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url

from store import migrations
from store.database import Database
from tests.servers import start_postgresql

SQLITE, POSTGRESQL = "sqlite", "postgresql"
NAME = "usergems_bench"


@dataclass(frozen=True)
class Databases:
    """Makes databases in `folder`; the PostgreSQL server is started once."""

    folder: Path
    _server: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)

    @contextmanager
    def fresh(self, kind: str) -> Iterator[str]:
        """Yields the URL of an empty database, which is removed afterwards."""
        with self._sqlite() if kind == SQLITE else self._postgresql() as url:
            database = Database(url)
            database.run_sync(migrations.upgrade)
            database.run_sync(_check_durable)
            database.engine.dispose()
            yield url

    @contextmanager
    def _sqlite(self) -> Iterator[str]:
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            yield f"sqlite:///{folder}/usergems.db"

    @contextmanager
    def _postgresql(self) -> Iterator[str]:
        if not self._server:
            self._server.append(environ.get("TEST_DATABASE_URL") or self._start())
        server, name = make_url(self._server[0]).set(drivername="postgresql+psycopg"), f"{NAME}_{next(self._numbers)}"
        engine = create_engine(server, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            connection.execute(text(f"CREATE DATABASE {name}"))
            yield server.set(drivername="postgresql", database=name).render_as_string(hide_password=False)
            connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        engine.dispose()

    def _start(self) -> str:
        folder = self.folder / "postgresql"
        folder.mkdir()
        uri: str = start_postgresql(folder).get_uri()
        return uri


def _check_durable(connection: Connection) -> None:
    if connection.dialect.name == SQLITE:
        full = 2
        durable = connection.exec_driver_sql("PRAGMA synchronous").scalar() == full
    else:
        settings = [connection.exec_driver_sql(f"SHOW {name}").scalar() for name in ("fsync", "synchronous_commit")]
        durable = settings == ["on", "on"]
    if not durable:
        raise RuntimeError("this database does not wait for the disk, so its figures would mean nothing")
