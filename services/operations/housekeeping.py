"""Regular cleanup: expired personal data, workspaces that uninstalled the app, stale rows and stranded lanes."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from domain.day_counts import DAY_MS
from domain.errors import PermanentError, TransientError
from services.operations.day_counts import DayCounts
from services.slack.api import Slack
from store.database import Database
from store.intake import moves
from store.operations import housekeeping, workspace_erasure
from store.slack import workspaces

log = logging.getLogger(__name__)

EVERY_SECONDS = 600.0

GONE_DAYS = 30
"""How long the data of a workspace is kept after it uninstalled the app, in case it installs it again."""


@dataclass(frozen=True)
class Housekeeping:
    """Any replica may run it, even while others do. Without `slack`, rejected tokens are not tried again."""

    database: Database
    retention_days: int
    now: Callable[[], int]
    slack: Slack | None = None
    at_once: int = housekeeping.ERASED_AT_ONCE
    purge_days: int = 275
    """How long after the operator's retention the rest of a job change is deleted."""
    _erased_until: dict[str, int] = field(default_factory=dict, init=False, repr=False)

    async def tidy(self) -> None:
        """Run one round of cleanup."""
        now = self.now()
        await self.database.run(housekeeping.delete_stale, now)
        while await self.database.run(moves.delete_old, now):
            pass
        if stranded := await self.database.run(housekeeping.wake_stranded_lanes, now):
            log.warning("Scheduled %d lanes that had waiting deliveries but no due time", stranded)
        await self._erase_expired(now)
        purged_before = now - (self.retention_days + self.purge_days) * DAY_MS
        while await self.database.run(housekeeping.purge, purged_before, self.at_once):
            pass
        await self.database.run(housekeeping.give_back_pages)
        await self._try_rejected_tokens()
        await DayCounts(self.database, self.now).count_all_past_days()
        gone_before = now - GONE_DAYS * DAY_MS
        while await self.database.run(workspace_erasure.erase_long_gone, gone_before, now, self.at_once):
            log.info("Erased data of a workspace that uninstalled the app over %d days ago", GONE_DAYS)

    async def _erase_expired(self, now: int) -> None:
        """Erase what is past the retention of its workspace. One statement finds where, however many workspaces."""
        periods = defaultdict[tuple[int, int], list[str]](list)
        for workspace_id, days in (await self.database.run(housekeeping.retentions)).items():
            before = now - min(days or self.retention_days, self.retention_days) * DAY_MS
            # Start where the last round stopped: no job change ends in the past.
            periods[self._erased_until.get(workspace_id, 0), before].append(workspace_id)
        for (since, before), workspace_ids in periods.items():
            expired = await self.database.run(housekeeping.with_expired, since, before)
            for workspace_id in expired.intersection(workspace_ids):
                start = since
                while start < before:
                    start = await self.database.run(
                        housekeeping.erase_expired, workspace_id, start, before, self.at_once
                    )
            self._erased_until.update(dict.fromkeys(workspace_ids, before))

    async def _try_rejected_tokens(self) -> None:
        """Slack may accept a token again, for example when our address is back on its list of allowed addresses."""
        for workspace in await self.database.run(workspaces.all_gone):
            if self.slack is None or not workspace.may_come_back:
                continue
            try:
                await self.slack.auth_test(workspace.id)
            except (PermanentError, TransientError) as error:
                log.info("Slack still rejects the token of workspace %s: %s", workspace.id, error)
            else:
                await self.database.run(workspaces.reactivate, workspace.id)
                log.warning("Slack accepts the token of workspace %s again", workspace.id)
