"""What the pages beside the ownership rules show of what is stored: links with what waits, the last job changes."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from services.job_changes import InvalidJobChangeError, JobChange
from store import job_changes, owners
from store.database import Database
from store.owners import Link


@dataclass(frozen=True)
class OwnershipPages:
    """Reads what the dialogs about ownership list."""

    database: Database

    async def links(self, workspace_id: str) -> list[tuple[Link, int]]:
        """Every link, with how many job changes could be told to that owner after all."""
        return await self.database.run(_links, workspace_id)

    async def latest(self, workspace_id: str, most: int) -> list[tuple[str, JobChange]]:
        """The last job changes by id, the newest first; without those that have been erased."""
        stored = await self.database.run(job_changes.latest, workspace_id, most)
        return [(key, change) for key, payload in stored if (change := _read(payload))]


def _links(connection: Connection, workspace_id: str) -> list[tuple[Link, int]]:
    links = owners.linked(connection, workspace_id)
    return [(link, len(owners.waiting(connection, workspace_id, link.owner))) for link in links]


def _read(payload: str) -> JobChange | None:
    try:
        return JobChange.from_stored(payload)
    except InvalidJobChangeError:
        return None
