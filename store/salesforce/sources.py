"""Where a workspace's job changes are found in Salesforce, how far each place has been read, and who reads it now."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, Row, bindparam, case, delete, exists, insert, select, update

from domain.salesforce import ACTIVE, NewSource, Source
from store.database import insert_missing
from store.schema import salesforce_sources as table
from store.schema import turns, workspaces


def save(connection: Connection, new: NewSource) -> None:
    """In place of the one of this name; it is looked at from the start of the new one, at once."""
    remove(connection, new.workspace_id, new.name)
    stored = vars(new) | {
        "definition": json.dumps(dict(new.definition)),
        "state": ACTIVE,
        "mark": new.since,
        "due_at": new.made_at,
    }
    connection.execute(insert(table).values(stored))
    lease = {"workspace_id": new.workspace_id, "half": FIND}
    connection.execute(insert_missing(connection, turns, "workspace_id", "half"), [lease])


def remove(connection: Connection, workspace_id: str, name: str) -> bool:
    """Whether there was one."""
    return bool(connection.execute(delete(table).where(_is(workspace_id, name))).rowcount)


def set_state(connection: Connection, workspace_id: str, name: str, state: str, now: int) -> bool:
    """Pause or go on; going on reads what has changed meanwhile."""
    values = {"state": state, "due_at": now, "problem": None, "failures": 0}
    return bool(connection.execute(update(table).where(_is(workspace_id, name)).values(values)).rowcount)


def wake(connection: Connection, workspace_id: str, now: int) -> None:
    """Salesforce has been connected: there is no need to wait any longer."""
    connection.execute(update(table).where(table.c.workspace_id == workspace_id).values(due_at=now))


def find(connection: Connection, workspace_id: str, name: str) -> Source | None:
    """None: this workspace has no source of this name (any more)."""
    row = connection.execute(select(table).where(_is(workspace_id, name))).one_or_none()
    return _read(row) if row else None


def all_of(connection: Connection, workspace_id: str) -> list[Source]:
    """In the order in which they were made."""
    rows = connection.execute(select(table).where(table.c.workspace_id == workspace_id).order_by(table.c.id))
    return [_read(row) for row in rows]


FIND = "find"
"""The turn of whoever reads a workspace's sources: one of us at a time."""


@dataclass(frozen=True)
class SourceLease:
    """The due sources of one workspace, ours while we hold the lease."""

    workspace_id: str
    token: str
    sources: tuple[Source, ...]


_is_due = exists().where(
    table.c.workspace_id == turns.c.workspace_id, table.c.state == ACTIVE, table.c.due_at <= bindparam("now")
)
_next_workspace = (
    select(turns.c.workspace_id)
    .join(workspaces, workspaces.c.id == turns.c.workspace_id)
    .where(turns.c.half == FIND, turns.c.lease_until <= bindparam("now"), workspaces.c.state == "active", _is_due)
    .order_by(turns.c.served_at)
    .limit(1)
    .with_for_update(of=turns, skip_locked=True)
)
_take = (
    update(turns)
    .where(turns.c.workspace_id == bindparam("of_workspace"), turns.c.half == FIND)
    .values(lease=bindparam("new_lease"), lease_until=bindparam("until"), served_at=bindparam("now"))
)
_of_turn = (
    select(table)
    .where(
        table.c.workspace_id == bindparam("of_workspace"), table.c.state == ACTIVE, table.c.due_at <= bindparam("now")
    )
    .order_by(table.c.due_at, table.c.id)
)
_our_turn = (
    (turns.c.workspace_id == bindparam("of_workspace"))
    & (turns.c.half == FIND)
    & (turns.c.lease == bindparam("our_lease"))
)
_hold = update(turns).where(_our_turn).values(lease_until=bindparam("until"))
_give_back = update(turns).where(_our_turn).values(lease=None, lease_until=0)


def claim(connection: Connection, now: int, lease_ms: int) -> SourceLease | None:
    """The workspace whose due sources have waited longest; None: none is due, or others are at them."""
    workspace_id = connection.execute(_next_workspace, {"now": now}).scalar_one_or_none()
    if workspace_id is None:
        return None
    lease = uuid4().hex
    connection.execute(_take, {"of_workspace": workspace_id, "new_lease": lease, "until": now + lease_ms, "now": now})
    rows = connection.execute(_of_turn, {"of_workspace": workspace_id, "now": now})
    return SourceLease(workspace_id, lease, tuple(_read(row) for row in rows))


def give_back(connection: Connection, lease: SourceLease) -> None:
    connection.execute(_give_back, {"of_workspace": lease.workspace_id, "our_lease": lease.token})


def hold(connection: Connection, lease: SourceLease, until: int) -> bool:
    """We are still at it; False: the lease was lost, and somebody else may be."""
    held = {"of_workspace": lease.workspace_id, "our_lease": lease.token, "until": until}
    return bool(connection.execute(_hold, held).rowcount)


def advance(
    connection: Connection, lease: SourceLease, source: Source, *, mark: int, found: int, refused: list[str], until: int
) -> bool:
    """
    A page has been taken in: all up to *mark* has been read, and the turn stays ours until *until*.

    *refused*: why records were, one text each. False: the lease was lost, or the source is gone.
    """
    if not hold(connection, lease, until):
        return False
    counted = {"found": table.c.found + found, "refused": table.c.refused + len(refused)}
    why = {"refusal": refused[-1]} if refused else {}
    changed = update(table).where(table.c.id == source.id).values(mark=mark, **counted, **why)
    return bool(connection.execute(changed).rowcount)


def finish(connection: Connection, source: Source, *, seen_to: int, now: int, due_at: int, problem: str | None) -> None:
    """
    Read to its end: whatever changed before *seen_to* has been seen, also where nothing did.

    To be looked at again at *due_at*. *problem*: what could not be read of it, None if nothing.
    """
    mark = case((table.c.mark < seen_to, seen_to), else_=table.c.mark)
    values = {"mark": mark, "due_at": due_at, "looked_at": now, "failures": 0, "problem": problem}
    connection.execute(update(table).where(table.c.id == source.id).values(values))


def postpone(connection: Connection, source: Source, due_at: int, problem: str | None, *, failed: bool) -> None:
    """It could not be read to its end; *problem* is what an admin must mend, None if nothing."""
    failures = table.c.failures + int(failed)
    values = {"due_at": due_at, "failures": failures, "problem": problem}
    connection.execute(update(table).where(table.c.id == source.id).values(values))


def _is(workspace_id: str, name: str) -> ColumnElement[bool]:
    return (table.c.workspace_id == workspace_id) & (table.c.name == name)


def _read(row: Row[Any]) -> Source:
    values = dict(row._mapping)  # noqa: SLF001 - its documented API
    return Source(**values | {"definition": json.loads(values["definition"])})
