"""Keeping the house in order while it runs: retention, stale memories, and a second look for anything forgotten."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from store import housekeeping
from store.database import Database

log = logging.getLogger(__name__)

EVERY_SECONDS = 600.0
DAY_MS = 24 * 3_600 * 1_000


@dataclass(frozen=True)
class Housekeeping:
    """Any replica may do it, and all may at once."""

    database: Database
    retention_days: int
    now: Callable[[], int]

    async def tidy(self) -> None:
        """One round; what is left of a large one is done in the next."""
        now = self.now()
        await self.database.run(housekeeping.forget_stale, now)
        if stranded := await self.database.run(housekeeping.wake_stranded, now):
            log.warning("%d lanes had lost their turn and were woken", stranded)
        erased = housekeeping.ERASED_AT_ONCE
        while erased == housekeeping.ERASED_AT_ONCE:
            erased = await self.database.run(housekeeping.erase_expired, now - self.retention_days * DAY_MS)
