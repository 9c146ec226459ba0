"""Job changes of a workspace that could not be delivered: listing them and retrying them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from domain.audit import AuditEntry
from domain.delivery import FailedJobChange
from store import audit
from store.database import Database
from store.delivery import failed

RETRIED_AT_ONCE = 500
"""The number of job changes that are retried in one transaction."""

MOST_RETRIED = 10_000
"""The most that "Retry all" retries."""


@dataclass(frozen=True)
class FailedJobChanges:
    """The caller checks permissions. `wake` is called when there is something to route or to post."""

    database: Database
    wake: Callable[[], None]
    now: Callable[[], int]

    async def page(self, workspace_id: str, after: tuple[int, str] | None, most: int) -> list[FailedJobChange]:
        """Return the newest first, starting after the one that ended at `after[0]` and has the id `after[1]`."""
        return await self.database.read(failed.page, workspace_id, after, most)

    async def retry(self, workspace_id: str, actor: str, job_change_ids: Sequence[str]) -> int:
        """Retry those of the job changes that have failed in this workspace. Return how many."""
        count = await self.database.run(_retry, workspace_id, actor, job_change_ids, self.now())
        if count:
            self.wake()
        return count

    async def retry_all(self, workspace_id: str, actor: str) -> int:
        """Retry the oldest first, at most MOST_RETRIED. Return how many."""
        # Only those that have failed by now: one that fails again at once must not be retried forever.
        oldest = await self.database.run(failed.oldest, self.now(), MOST_RETRIED, workspace_id)
        parts = (oldest[first : first + RETRIED_AT_ONCE] for first in range(0, len(oldest), RETRIED_AT_ONCE))
        return sum([await self.retry(workspace_id, actor, part) for part in parts])


def _retry(connection: Connection, workspace_id: str, actor: str, job_change_ids: Sequence[str], now: int) -> int:
    failed_ids = failed.failed_among(connection, workspace_id, job_change_ids)
    retried = failed.retry(connection, failed_ids, now, f"by {actor}")
    if retried:
        entry = AuditEntry(now, actor, "retried failed job changes", f"{len(retried)}")
        audit.record(connection, workspace_id, entry)
    return len(retried)
