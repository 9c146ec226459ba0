"""How the job changes of the last thirty days ended, day by day."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from domain.day_counts import DAY_MS, DayCount
from store.database import Database
from store.home import day_counts

DAYS_COUNTED = 30
"""Days, including today."""

CLOSES_AFTER_MS = 60 * 60 * 1_000
"""A day is counted for good an hour after its end, when everything that ended on it has been stored."""

AT_ONCE = 5
"""Days that are counted in one transaction, from the first one on which anything has ended."""


@dataclass(frozen=True)
class DayCounts:
    """Counts per UTC day. Past days are counted once and stored, so that reading them takes constant time."""

    database: Database
    now: Callable[[], int]

    async def for_workspace(self, workspace_id: str) -> Sequence[DayCount]:
        """Return the last thirty days, the oldest first and today last."""
        counts = await self.database.read(read, workspace_id, self.now())
        if counts is None:
            await self.count_past_days(workspace_id)
            counts = await self.database.read(read, workspace_id, self.now())
        return counts or ()

    async def count_all_past_days(self) -> None:
        """Count the past days of every workspace that has days that are not stored yet."""
        for workspace_id in await self.database.run(day_counts.incomplete, *_past_days(self.now())):
            await self.count_past_days(workspace_id)

    async def count_past_days(self, workspace_id: str) -> dict[int, DayCount]:
        """Count and store the past days that are not stored yet, and return all past days by number."""
        first, last = _past_days(self.now())
        while True:
            counts = await self.database.run(day_counts.fill, workspace_id, first, last, AT_ONCE)
            if len(counts) > last - first:
                return counts


def read(connection: Connection, workspace_id: str, now: int) -> Sequence[DayCount] | None:
    """Return the last thirty days, the oldest first and today last. None if past days have not been counted yet."""
    first, last = _past_days(now)
    counts = day_counts.stored(connection, workspace_id, first)
    if any(number not in counts for number in range(first, last + 1)):
        return None
    today = day_counts.count(connection, workspace_id, range(last + 1, now // DAY_MS + 1))
    return [*(counts[number] for number in range(first, last + 1)), *today]


def _past_days(now: int) -> tuple[int, int]:
    """The first and the last of the past days, by number."""
    return now // DAY_MS - DAYS_COUNTED + 1, (now - CLOSES_AFTER_MS) // DAY_MS - 1
