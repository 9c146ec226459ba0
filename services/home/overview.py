"""How a workspace is doing, for its admins' Home: what waits, how the month went, and who had most of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from domain.day_counts import DAY_MS
from services.home.home_state import Overview
from services.home.status import Status
from services.operations.day_counts import DAYS_COUNTED, DayCounts
from store.database import Database
from store.home import counts

MOST_READERS = 10


@dataclass(frozen=True)
class Overviews:
    """A constant number of statements, each answered by an index, however large the workspace."""

    database: Database
    now: Callable[[], int]

    async def of(self, workspace_id: str) -> Overview | None:
        """None: there is no such workspace."""
        status = await Status(self.database, self.now).of(workspace_id)
        if status is None:
            return None
        since = self.now() - DAYS_COUNTED * DAY_MS
        return Overview(
            status=status,
            month=await DayCounts(self.database, self.now).for_workspace(workspace_id),
            busiest=await self.database.run(counts.top_recipients, workspace_id, since, MOST_READERS),
        )
