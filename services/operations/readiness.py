"""Readiness: whether this process can do its work now, and if not, why."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from sqlalchemy import Connection

from services.operations.clock_watch import ClockWatch
from store import migrations
from store.database import Database, DatabaseUnavailableError

DEADLINE_SECONDS = 3


@dataclass(frozen=True)
class ReadinessReport:
    """`reasons` say why the process cannot do its work; it is ready without them. `warnings` do not stop it."""

    reasons: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass
class Readiness:
    """Checks this process and its database."""

    database: Database
    clock_watch: ClockWatch
    _is_migrated: bool = field(default=False, init=False)

    async def check(self) -> ReadinessReport:
        reasons = [await self._database_problem(), self.clock_watch.problem]
        warnings = [self.clock_watch.warning]
        return ReadinessReport(tuple(filter(None, reasons)), tuple(filter(None, warnings)))

    async def _database_problem(self) -> str | None:
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                # A schema is never downgraded, so it is checked only until it is the newest.
                self._is_migrated = await self.database.run(_ping if self._is_migrated else migrations.is_newest)
        except (DatabaseUnavailableError, TimeoutError):
            return "the database is not responding: check DATABASE_URL and that it is running"
        return None if self._is_migrated else "the database schema is out of date: run python app.py migrate"


def _ping(connection: Connection) -> bool:
    connection.exec_driver_sql("SELECT 1")
    return True
