"""Salesforce objects that job changes are imported from, how far each has been read, and the lease to read it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, case, delete, exists, insert, select, update

from domain.salesforce import ACTIVE, NewSource, Source
from store.leases import FIND, TurnQueue
from store.schema import salesforce_sources as table
from store.schema import turns


def save(connection: Connection, new: NewSource) -> int:
    """Store a source, replacing one of the same name, and return its id. It is due at once, from its start."""
    remove(connection, new.workspace_id, new.name)
    stored = vars(new) | {
        "definition": json.dumps(dict(new.definition)),
        "state": ACTIVE,
        "mark": new.since,
        "due_at": new.made_at,
    }
    source_id: int = connection.execute(insert(table).values(stored).returning(table.c.id)).scalar_one()
    FIND_TURNS.add(connection, new.workspace_id)
    return source_id


def remove(connection: Connection, workspace_id: str, name: str) -> bool:
    """Delete the source of this name. Return whether there was one."""
    return bool(connection.execute(delete(table).where(_is(workspace_id, name))).rowcount)


def set_state(connection: Connection, workspace_id: str, name: str, state: str, now: int) -> bool:
    """Pause or resume a source. A resumed source reads what has changed in the meantime."""
    values = {"state": state, "due_at": now, "problem": None, "failures": 0}
    return bool(connection.execute(update(table).where(_is(workspace_id, name)).values(values)).rowcount)


def wake(connection: Connection, workspace_id: str, now: int) -> None:
    """Make all sources of a workspace due, such as after Salesforce was connected."""
    connection.execute(update(table).where(table.c.workspace_id == workspace_id).values(due_at=now))


def find(connection: Connection, workspace_id: str, name: str) -> Source | None:
    """Return the source of this name, or None."""
    row = connection.execute(select(table).where(_is(workspace_id, name))).one_or_none()
    return _read(row) if row else None


def all_of(connection: Connection, workspace_id: str) -> list[Source]:
    """Return the sources of a workspace, oldest first."""
    rows = connection.execute(select(table).where(table.c.workspace_id == workspace_id).order_by(table.c.id))
    return [_read(row) for row in rows]


FIND_TURNS = TurnQueue(FIND)
"""One replica at a time reads the sources of a workspace."""


@dataclass(frozen=True)
class SourceLease:
    """The due sources of one workspace, and the token of the lease on them."""

    workspace_id: str
    token: str
    sources: tuple[Source, ...]


_is_due = (table.c.state == ACTIVE) & (table.c.due_at <= bindparam("now"))
_next_workspace = FIND_TURNS.waiting(exists().where(table.c.workspace_id == turns.c.workspace_id, _is_due))
_of_turn = (
    select(table).where(table.c.workspace_id == bindparam("of_workspace"), _is_due).order_by(table.c.due_at, table.c.id)
)


def claim(connection: Connection, now: int, lease_ms: int) -> SourceLease | None:
    """Lease the due sources of the workspace that has waited longest. None if none is due and free."""
    turn, lease = FIND_TURNS.claim(connection, _next_workspace, now, lease_ms)
    if not turn:
        return None
    rows = connection.execute(_of_turn, {"of_workspace": turn[0].workspace_id, "now": now})
    return SourceLease(turn[0].workspace_id, lease.token, tuple(_read(row) for row in rows))


def release(connection: Connection, lease: SourceLease) -> None:
    FIND_TURNS.release(connection, lease.workspace_id, lease.token)


def extend(connection: Connection, lease: SourceLease, until: int) -> bool:
    """Extend the lease. False means that it was lost, and another replica may have it."""
    return FIND_TURNS.prolong(connection, lease.workspace_id, lease.token, until)


def advance(
    connection: Connection, lease: SourceLease, source: Source, *, mark: int, found: int, refused: list[str], until: int
) -> bool:
    """
    Record that everything up to `mark` has been read, and extend the lease to `until`.

    `refused` has the reason for each refused record. Returns False if the lease was lost or the source removed.
    """
    if not extend(connection, lease, until):
        return False
    counts = {"found": table.c.found + found, "refused": table.c.refused + len(refused)}
    refusal = {"refusal": refused[-1]} if refused else {}
    changed = update(table).where(table.c.id == source.id).values(mark=mark, **counts, **refusal)
    return bool(connection.execute(changed).rowcount)


def finish(connection: Connection, source: Source, *, seen_to: int, now: int, due_at: int, problem: str | None) -> None:
    """
    Record that the source was read to its end, so that everything changed before `seen_to` has been seen.

    It is due again at `due_at`. `problem` is what could not be read, or None.
    """
    mark = case((table.c.mark < seen_to, seen_to), else_=table.c.mark)
    values = {"mark": mark, "due_at": due_at, "looked_at": now, "failures": 0, "problem": problem}
    connection.execute(update(table).where(table.c.id == source.id).values(values))


def postpone(connection: Connection, source: Source, due_at: int, problem: str | None, *, failed: bool) -> None:
    """Record that the source could not be read to its end. `problem` is the reason, or None."""
    failures = table.c.failures + int(failed)
    values = {"due_at": due_at, "failures": failures, "problem": problem}
    connection.execute(update(table).where(table.c.id == source.id).values(values))


def _is(workspace_id: str, name: str) -> ColumnElement[bool]:
    return (table.c.workspace_id == workspace_id) & (table.c.name == name)


def _read(row: Row[Any]) -> Source:
    values = dict(row._mapping)  # noqa: SLF001 - its documented API
    return Source(**values | {"definition": json.loads(values["definition"])})
