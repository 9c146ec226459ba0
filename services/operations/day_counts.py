"""How the job changes of the last thirty days ended, day by day."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from domain.day_counts import DAY_MS, DayCount
from store.database import Database
from store.home import day_counts

DAYS_COUNTED = 30
"""Days, today among them."""

CLOSES_AFTER_MS = 60 * 60 * 1_000
"""A day is counted for good an hour after its end: what ended on it has been stored by then."""

AT_ONCE = 5
"""Days that are counted in one transaction, so that nobody waits long for it."""


@dataclass(frozen=True)
class DayCounts:
    """Days are those of UTC. Each is counted once, so that looking costs the same however much was told."""

    database: Database
    now: Callable[[], int]

    async def for_workspace(self, workspace_id: str) -> Sequence[DayCount]:
        """The oldest first, today last."""
        today = self.now() // DAY_MS
        known = await self.count_past_days(workspace_id)
        for number in range(max(known, default=today - DAYS_COUNTED) + 1, today + 1):
            known[number] = await self.database.run(day_counts.count, workspace_id, number)
        return [known[number] for number in range(today - DAYS_COUNTED + 1, today + 1)]

    async def count_past_days(self, workspace_id: str) -> dict[int, DayCount]:
        """Count the days that are over and were not yet; all of those that are over, by their numbers."""
        now = self.now()
        first, last = now // DAY_MS - DAYS_COUNTED + 1, (now - CLOSES_AFTER_MS) // DAY_MS - 1
        known = await self.database.run(day_counts.stored, workspace_id, first)
        missing = [number for number in range(first, last + 1) if number not in known]
        for start in range(0, len(missing), AT_ONCE):
            counted = await self.database.run(day_counts.store, workspace_id, missing[start : start + AT_ONCE])
            known |= {day.number: day for day in counted}
        return known
