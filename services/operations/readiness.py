"""Readiness: whether this process can do its work now, and if not, why."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from domain.errors import Outage, by_vendor
from services.clock import utc_text
from services.operations.clock_watch import ClockWatch
from store import migrations
from store.database import Database, DatabaseUnavailableError
from store.delivery import pauses

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
        problem, failing = await self._read_database()
        reasons = [problem, self.clock_watch.problem]
        warnings = [self.clock_watch.warning, *(outage.text(utc_text) for outage in by_vendor(failing))]
        return ReadinessReport(tuple(filter(None, reasons)), tuple(filter(None, warnings)))

    async def _read_database(self) -> tuple[str | None, tuple[Outage, ...]]:
        """Return what is wrong with the database, or None, and the outages of vendors."""
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                # A schema is never downgraded, so it is checked only until it is the newest.
                self._is_migrated = self._is_migrated or await self.database.run(migrations.is_newest)
                failing = await self.database.run(pauses.outages) if self._is_migrated else ()
        except (DatabaseUnavailableError, TimeoutError):
            return "the database is not responding: check DATABASE_URL and that it is running", ()
        return None if self._is_migrated else "the database schema is out of date: run python app.py migrate", failing
