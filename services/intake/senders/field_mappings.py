"""A workspace's own mappings: tried on a row before they are stored, and written down with who made them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from domain.audit import AuditEntry
from domain.job_change.model import JobChange
from domain.job_change.validation import Fault, InvalidJobChangeError
from services.intake.senders import senders
from services.intake.senders.row_mapping import RowMapping
from store import audit
from store.database import Database
from store.intake import mappings


@dataclass(frozen=True)
class FieldMappings:
    """Whether somebody may change anything is for the caller to check."""

    database: Database
    now: Callable[[], int]

    async def all_of(self, workspace_id: str) -> dict[str, dict[str, Any]]:
        """The JSON of each, by source."""
        return await self.database.run(mappings.all_of, workspace_id)

    async def save(self, workspace_id: str, actor: str, source: str, definition: dict[str, Any]) -> None:
        """Raises InvalidJobChangeError with every fault."""
        RowMapping.parse(definition)
        await self.database.run(_save, workspace_id, checked_source(source), definition, actor, self.now())

    async def remove(self, workspace_id: str, actor: str, source: str) -> bool:
        """Whether there was one."""
        return await self.database.run(_remove, workspace_id, source, actor, self.now())


def checked_source(typed: str) -> str:
    """Raises InvalidJobChangeError for what cannot be the name of a sender."""
    source = senders.source_of({"source": typed})
    if source is None:
        raise InvalidJobChangeError([Fault("source", f"must be a name of 1 to {senders.LONGEST_SOURCE} characters")])
    return source


def try_mapping(definition: object, row: object, source: str) -> JobChange:
    """Read one row with a mapping. Raises InvalidJobChangeError with every fault of the mapping and the row."""
    return JobChange.parse(senders.read(row, source, RowMapping.parse(definition)))


def _save(
    connection: Connection, workspace_id: str, source: str, definition: dict[str, Any], actor: str, now: int
) -> None:
    mappings.save(connection, workspace_id, source, definition, actor, now)
    audit.record(connection, workspace_id, AuditEntry(now, actor, "sender_mapping", f"{source}: saved"))


def _remove(connection: Connection, workspace_id: str, source: str, actor: str, now: int) -> bool:
    removed = mappings.remove(connection, workspace_id, source)
    if removed:
        audit.record(connection, workspace_id, AuditEntry(now, actor, "sender_mapping", f"{source}: removed"))
    return removed
