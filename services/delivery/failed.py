"""What a workspace could not be told: leafing through it, and trying it again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from domain.audit import AuditEntry
from domain.delivery import FailedJobChange
from store import audit
from store.database import Database
from store.delivery import burials, failed

AT_ONCE = 500
"""Job changes that are tried again in one transaction."""

MOST_AT_A_PRESS = 10_000


@dataclass(frozen=True)
class Burials:
    """Whether somebody may is for the caller to check. *wake*: there is something to route, or to post."""

    database: Database
    wake: Callable[[], None]
    now: Callable[[], int]

    async def page(self, workspace_id: str, after: tuple[int, str] | None, most: int) -> list[FailedJobChange]:
        """The newest first, from the one *after* (its time and id) on; None: from the start."""
        return await self.database.run(burials.page, workspace_id, after, most)

    async def try_again(self, workspace_id: str, actor: str, job_change_ids: Sequence[str]) -> int:
        """Those of these that are buried in this workspace go again; how many."""
        replayed = await self.database.run(_replay, workspace_id, actor, job_change_ids, self.now())
        if replayed:
            self.wake()
        return replayed

    async def try_all_again(self, workspace_id: str, actor: str) -> int:
        """The longest buried first, up to MOST_AT_A_PRESS of those that are buried now; how many."""
        # Only those of now: what fails again at once must not be tried for ever.
        oldest = await self.database.run(burials.oldest, workspace_id, self.now(), MOST_AT_A_PRESS)
        some = (oldest[first : first + AT_ONCE] for first in range(0, len(oldest), AT_ONCE))
        return sum([await self.try_again(workspace_id, actor, each) for each in some])


def _replay(connection: Connection, workspace_id: str, actor: str, job_change_ids: Sequence[str], now: int) -> int:
    theirs = burials.among(connection, workspace_id, job_change_ids)
    replayed = failed.replay(connection, theirs, now, f"by {actor}")
    if replayed:
        audit.record(connection, workspace_id, AuditEntry(now, actor, "tried buried ones again", f"{len(replayed)}"))
    return len(replayed)
