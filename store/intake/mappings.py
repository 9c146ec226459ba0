"""How a workspace reads the rows of a sender that has names of its own."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, delete, select

from store.database import put
from store.schema import mappings

Definition = dict[str, Any]


def find(connection: Connection, workspace_id: str, source: str) -> Definition | None:
    """The mapping as decoded JSON; None: the workspace has none for this source."""
    mine = (mappings.c.workspace_id == workspace_id) & (mappings.c.source == source)
    stored = connection.execute(select(mappings.c.definition).where(mine)).scalar_one_or_none()
    return None if stored is None else _decoded(stored)


def all_of(connection: Connection, workspace_id: str) -> dict[str, Definition]:
    """By source, in their order."""
    rows = connection.execute(
        select(mappings.c.source, mappings.c.definition)
        .where(mappings.c.workspace_id == workspace_id)
        .order_by(mappings.c.source)
    )
    return {source: _decoded(stored) for source, stored in rows}


def save(
    connection: Connection, workspace_id: str, source: str, definition: Definition, made_by: str, made_at: int
) -> None:
    """In place of the one for this source. *made_at* in milliseconds."""
    key = {"workspace_id": workspace_id, "source": source}
    row = key | {"definition": json.dumps(definition), "made_by": made_by, "made_at": made_at}
    put(connection, mappings, row, *key)


def remove(connection: Connection, workspace_id: str, source: str) -> bool:
    """Whether there was one."""
    mine = (mappings.c.workspace_id == workspace_id) & (mappings.c.source == source)
    return bool(connection.execute(delete(mappings).where(mine)).rowcount)


def _decoded(stored: str) -> Definition:
    definition: Definition = json.loads(stored)
    return definition
