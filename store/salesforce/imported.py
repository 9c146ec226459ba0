"""The records from which job changes were imported: which are too old, and which repeat another one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import Connection, bindparam, delete, select

from domain.day_counts import DAY_MS
from store.schema import salesforce_known_records as known_records
from store.schema import salesforce_moves as moves
from store.schema.lists import one_of
from store.schema.upserts import insert_missing, put

SAME_MOVE_MS = 31 * DAY_MS
"""How long the same person and company count as the same job change, whichever object of the org it is in."""

_known = select(known_records.c.event_id).where(
    known_records.c.source_id == bindparam("of_source"),
    one_of(known_records.c.event_id, "event_ids"),
)
_moves = select(moves.c.key, moves.c.source).where(
    moves.c.workspace_id == bindparam("of_workspace"),
    one_of(moves.c.key, "keys"),
    moves.c.at > bindparam("since"),
)


def add_known(connection: Connection, source_id: int, event_ids: Iterable[str]) -> None:
    """Store records that matched before their source was started."""
    rows = [{"source_id": source_id, "event_id": event_id} for event_id in event_ids]
    if rows:
        connection.execute(insert_missing(connection, known_records, "source_id", "event_id"), rows)


def known_among(connection: Connection, source_id: int, event_ids: Collection[str]) -> set[str]:
    """Return those that matched before their source was started."""
    return set(connection.execute(_known, {"of_source": source_id, "event_ids": list(event_ids)}).scalars())


def other_sources(connection: Connection, workspace_id: str, source: str, keys: Collection[str], now: int) -> set[str]:
    """Return the keys of moves that another source of the workspace has reported in the last month."""
    values = {"of_workspace": workspace_id, "keys": list(keys), "since": now - SAME_MOVE_MS}
    return {row.key for row in connection.execute(_moves, values) if row.source != source}


def add_moves(connection: Connection, workspace_id: str, source: str, keys: Collection[str], now: int) -> None:
    """Store moves as reported by this source, and delete those of more than a month ago."""
    old = (moves.c.workspace_id == workspace_id) & (moves.c.at <= now - SAME_MOVE_MS)
    connection.execute(delete(moves).where(old))
    for key in sorted(keys):
        row: Mapping[str, object] = {"workspace_id": workspace_id, "key": key, "source": source, "at": now}
        put(connection, moves, row, "workspace_id", "key")
