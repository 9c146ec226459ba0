"""What the pages beside the ownership rules show of what is stored: links with what waits, the last job changes."""

from __future__ import annotations

from dataclasses import dataclass

from domain.job_change.model import JobChange
from domain.people import OwnerLink
from store.database import Database
from store.intake import job_changes
from store.ownership import owners


@dataclass(frozen=True)
class OwnershipPages:
    """Reads what the dialogs about ownership list."""

    database: Database

    async def links(self, workspace_id: str) -> list[tuple[OwnerLink, int]]:
        """Every link, with how many job changes could be told to that owner after all."""
        return await self.database.run(owners.waiting_of_links, workspace_id)

    async def latest(self, workspace_id: str, most: int) -> list[tuple[str, JobChange]]:
        """The last job changes by id, the newest first; without those that have been erased."""
        stored = await self.database.run(job_changes.latest, workspace_id, most)
        return [(key, change) for key, payload in stored if (change := JobChange.if_readable(payload))]
