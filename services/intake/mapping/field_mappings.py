"""A workspace's own field mappings: testing them on a row, and storing them with an audit entry."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from domain.audit import AuditEntry
from domain.job_change.model import JobChange
from domain.job_change.validation import Fault, InvalidJobChangeError
from services.intake.added_senders import masked
from services.intake.mapping.row_mapping import RowMapping
from services.intake.senders import registry
from store import audit
from store.database import Database
from store.intake import mappings, refused_payloads


@dataclass(frozen=True)
class FieldMappings:
    """Manages field mappings. Callers check that the user is an admin."""

    database: Database
    now: Callable[[], int]

    async def all_of(self, workspace_id: str) -> dict[str, dict[str, Any]]:
        """Return the JSON of each mapping, by source."""
        return await self.database.run(mappings.all_of, workspace_id)

    async def save(self, workspace_id: str, actor: str, source: str, definition: dict[str, Any]) -> None:
        """Store a mapping. Raises InvalidJobChangeError with every fault."""
        RowMapping.parse(definition)
        name, now = checked_source(source), self.now()
        entry = AuditEntry(now, actor, "sender_mapping", f"{name}: saved")
        await self.database.run(audit.recorded, workspace_id, entry, mappings.save, name, definition, actor, now)

    async def received(self, workspace_id: str, source: str) -> object:
        """Return the latest payload of a sender that was refused, masked. None if there is none."""
        payloads = await self.database.run(refused_payloads.of_sender, workspace_id, source, 1)
        return masked(json.loads(payloads[0].payload)) if payloads else None

    async def remove(self, workspace_id: str, actor: str, source: str) -> bool:
        """Return whether there was a mapping to remove."""
        entry = AuditEntry(self.now(), actor, "sender_mapping", f"{source}: removed")
        return await self.database.run(audit.recorded, workspace_id, entry, mappings.remove, source)


def checked_source(typed: str) -> str:
    """Return the name of a sender. Raises InvalidJobChangeError if it is not valid."""
    source = registry.source_of({"source": typed})
    if source is None:
        raise InvalidJobChangeError([Fault("source", f"must have 1 to {registry.LONGEST_SOURCE} characters")])
    return source


def try_mapping(definition: object, row: object, source: str) -> JobChange:
    """Read one row with a mapping. Raises InvalidJobChangeError with every fault of the mapping and the row."""
    (job_change,) = registry.read(row, source, RowMapping.parse(definition)).job_changes
    return JobChange.parse(job_change)
