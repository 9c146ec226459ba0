"""Keeping the house in order while it runs: retention, workspaces that left, stale memories, and a second look."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from services.operations.day_counts import DayCounts
from store.database import Database
from store.operations import housekeeping, workspace_erasure
from store.slack import workspaces

log = logging.getLogger(__name__)

EVERY_SECONDS = 600.0
DAY_MS = 24 * 3_600 * 1_000

GONE_DAYS = 30
"""So long after the app was removed from a workspace all that it had is kept, in case it is added again."""


@dataclass(frozen=True)
class Housekeeping:
    """Any replica may do it, and all may at once."""

    database: Database
    retention_days: int
    now: Callable[[], int]
    at_once: int = housekeeping.ERASED_AT_ONCE
    _swept: dict[str, int] = field(default_factory=dict, init=False, repr=False)

    async def tidy(self) -> None:
        """One round; what is left of a large one is done in the next."""
        now = self.now()
        await self.database.run(housekeeping.delete_stale, now)
        if stranded := await self.database.run(housekeeping.wake_stranded_lanes, now):
            log.warning("%d lanes had lost their turn and were woken", stranded)
        for workspace_id, days in (await self.database.run(housekeeping.retentions)).items():
            kept = min(days or self.retention_days, self.retention_days)
            await self._erase_expired(workspace_id, now - kept * DAY_MS)
        for workspace in await self.database.run(workspaces.all_active):
            await DayCounts(self.database, self.now).count_past_days(workspace.id)
        gone = now - GONE_DAYS * DAY_MS
        while await self.database.run(workspace_erasure.erase_long_gone, gone, now, self.at_once):
            log.info("a workspace that removed the app %d days ago was erased, or some of it", GONE_DAYS)

    async def _erase_expired(self, workspace_id: str, before: int) -> None:
        # What ended before the last round has been seen to: nothing ends in the past.
        since = self._swept.get(workspace_id, 0)
        while since < before:
            since = await self.database.run(housekeeping.erase_expired, workspace_id, since, before, self.at_once)
        self._swept[workspace_id] = before
