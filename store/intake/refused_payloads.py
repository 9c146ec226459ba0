"""Payloads of senders that were refused, kept for a week so that admins can correct the mapping and send them again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Connection, delete, insert, select

from store.intake import senders
from store.intake.senders import Receipt
from store.schema import refused_payloads as table

KEPT_MS = 7 * 24 * 60 * 60 * 1_000
MOST_KEPT = 100
"""Payloads of one sender. Older ones are deleted."""

LONGEST_KEPT = 64 * 1024
"""Characters. A longer payload is only counted."""


@dataclass(frozen=True)
class NewRefusal:
    """The receipt of a payload, and its JSON if it was refused."""

    receipt: Receipt
    payload: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class RefusedPayload:
    """A payload as it was sent, and why it was refused. `received_at` is in milliseconds."""

    id: int
    sender: str
    received_at: int
    reason: str
    payload: str = field(repr=False)


_COLUMNS = [table.c[name] for name in RefusedPayload.__dataclass_fields__]


def note(connection: Connection, refusals: Sequence[NewRefusal]) -> list[None]:
    """Count payloads, and keep those of senders that were added if they were refused."""
    added = senders.note(connection, [refusal.receipt for refusal in refusals])
    rows = [
        _row(refusal)
        for refusal in refusals
        if refusal.payload
        and len(refusal.payload) <= LONGEST_KEPT
        and (refusal.receipt.workspace_id, refusal.receipt.sender) in added
    ]
    if rows:
        connection.execute(insert(table), rows)
        for workspace_id, sender in sorted({(str(row["workspace_id"]), str(row["sender"])) for row in rows}):
            newest = select(table.c.id).where(_of(workspace_id, sender)).order_by(table.c.id.desc())
            last = connection.execute(newest.offset(MOST_KEPT).limit(1)).scalar_one_or_none()
            if last is not None:
                connection.execute(delete(table).where(_of(workspace_id, sender), table.c.id <= last))
    return [None] * len(refusals)


def _row(refusal: NewRefusal) -> dict[str, object]:
    receipt = refusal.receipt
    return {
        "workspace_id": receipt.workspace_id,
        "sender": receipt.sender,
        "received_at": receipt.at,
        "reason": (receipt.refusal or "")[: senders.LONGEST_REASON],
        "payload": refusal.payload,
    }


def of_sender(connection: Connection, workspace_id: str, sender: str, most: int) -> list[RefusedPayload]:
    """Return the latest ones, newest first."""
    rows = select(*_COLUMNS).where(_of(workspace_id, sender)).order_by(table.c.id.desc()).limit(most)
    return [RefusedPayload(*row) for row in connection.execute(rows)]


def find(connection: Connection, workspace_id: str, payload_id: int) -> RefusedPayload | None:
    row = connection.execute(select(*_COLUMNS).where(_one(workspace_id, payload_id))).one_or_none()
    return RefusedPayload(*row) if row else None


def remove(connection: Connection, workspace_id: str, payload_id: int) -> None:
    connection.execute(delete(table).where(_one(workspace_id, payload_id)))


def delete_old(connection: Connection, now: int) -> None:
    connection.execute(delete(table).where(table.c.received_at < now - KEPT_MS))


def all_payloads(connection: Connection) -> list[tuple[int, str]]:
    """Return the ids and payloads of all workspaces, for erasing a person. They are few."""
    return [(row.id, row.payload) for row in connection.execute(select(table.c.id, table.c.payload))]


def delete_all(connection: Connection, ids: Sequence[int]) -> int:
    return connection.execute(delete(table).where(table.c.id.in_(ids))).rowcount if ids else 0


def _of(workspace_id: str, sender: str) -> ColumnElement[bool]:
    return (table.c.workspace_id == workspace_id) & (table.c.sender == sender)


def _one(workspace_id: str, payload_id: int) -> ColumnElement[bool]:
    return (table.c.workspace_id == workspace_id) & (table.c.id == payload_id)
