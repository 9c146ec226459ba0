"""Readiness: whether this process can do its work now, and if not, why."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from domain.errors import Outage, by_vendor
from domain.notification_hours import utc_text
from services.operations.clock_watch import ClockWatch
from services.operations.database_watch import DatabaseWatch
from store.database import Database, DatabaseUnavailableError
from store.delivery import pauses


@dataclass(frozen=True)
class ReadinessReport:
    """`reasons` say why the process cannot do its work; it is ready without them. `warnings` do not stop it."""

    reasons: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass
class Readiness:
    """
    Checks this process and its database.

    A process that `is_stopping` is not ready, although it still accepts requests until load balancers have noticed.
    """

    database: Database
    database_watch: DatabaseWatch
    clock_watch: ClockWatch
    is_stopping: bool = False

    async def check(self) -> ReadinessReport:
        if self.is_stopping:
            return ReadinessReport(("this process is stopping",), ())
        problem = await self.database_watch.problem()
        outages: list[Outage] = []
        if problem is None:
            with suppress(DatabaseUnavailableError):  # it has failed just now; the next check reports it
                outages = by_vendor(await self.database.run(pauses.outages))
        reasons = [problem, self.clock_watch.problem]
        warnings = [self.clock_watch.warning, *(outage.text(utc_text) for outage in outages)]
        return ReadinessReport(tuple(filter(None, reasons)), tuple(filter(None, warnings)))
