"""Field mappings of workspaces for their senders."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, delete, select

from store.schema import mappings
from store.schema.upserts import put

Definition = dict[str, Any]


def all_of(connection: Connection, workspace_id: str) -> dict[str, Definition]:
    """Return all mappings of a workspace by source, in alphabetical order."""
    rows = connection.execute(
        select(mappings.c.source, mappings.c.definition)
        .where(mappings.c.workspace_id == workspace_id)
        .order_by(mappings.c.source)
    )
    return {source: json.loads(stored) for source, stored in rows}


def save(
    connection: Connection, workspace_id: str, source: str, definition: Definition, made_by: str, made_at: int
) -> None:
    """Store a mapping, replacing an earlier one of this source. `made_at` is in milliseconds."""
    key = {"workspace_id": workspace_id, "source": source}
    row = key | {"definition": json.dumps(definition), "made_by": made_by, "made_at": made_at}
    put(connection, mappings, row, *key)


def remove(connection: Connection, workspace_id: str, source: str) -> bool:
    """Delete the mapping of this source. Return whether there was one."""
    of_source = (mappings.c.workspace_id == workspace_id) & (mappings.c.source == source)
    return bool(connection.execute(delete(mappings).where(of_source)).rowcount)
