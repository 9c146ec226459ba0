"""Erasing a person from all rows that mention them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields

from sqlalchemy import Connection, and_, bindparam, delete, or_, select, update

from domain.audit import OPERATOR, AuditEntry
from domain.delivery import TraceStep
from domain.job_change.model import JobChange
from domain.job_change.moves import move_keys
from domain.states import DeliveryState
from store import audit
from store.delivery.trace import add_steps
from store.intake import moves
from store.leases import ROUTE
from store.operations.housekeeping import ERASE_DETAILS, erase_content
from store.schema import (
    deliveries,
    job_changes,
    lanes,
    laters,
    members,
    ownership_denials,
    ownership_links,
    ownership_unmatched,
    turns,
    webhook_events,
)
from store.schema.lists import one_of

MUTED, REASON = "muted", "erased by the operator"
ERASED_STEP = "erased"


@dataclass(frozen=True)
class Content:
    """The payload and decision of a job change. Each is None if there is none, or if it was erased."""

    id: str
    workspace_id: str
    payload: str | None = field(repr=False)
    decision: str | None = field(repr=False)


@dataclass(frozen=True)
class Erased:
    """
    The counts of an erasure.

    `open` counts the erased job changes that had no outcome before. `canceled` counts deliveries that will not be sent,
    `messages` those that remain in Slack. `busy` has the ids of job changes that were not erased, because they are
    being routed right now.
    """

    job_changes: int = 0
    open: int = 0
    canceled: int = 0
    messages: int = 0
    busy: tuple[str, ...] = ()

    def __add__(self, other: Erased) -> Erased:
        return Erased(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))


_page = (
    select(job_changes.c.id, job_changes.c.workspace_id, job_changes.c.payload, job_changes.c.decision)
    .where(
        job_changes.c.id > bindparam("after"),
        or_(job_changes.c.payload.is_not(None), job_changes.c.decision.is_not(None)),
    )
    .order_by(job_changes.c.id)
    .limit(bindparam("most"))
)


def read_page(connection: Connection, after: str, most: int) -> list[Content]:
    """Return the next job changes of all workspaces after this id, ordered by id."""
    return [Content(*row) for row in connection.execute(_page, {"after": after, "most": most})]


_being_decided = (
    select(job_changes.c.id)
    .join(turns, and_(turns.c.workspace_id == job_changes.c.workspace_id, turns.c.half == ROUTE))
    .where(
        one_of(job_changes.c.id, "ids"),
        job_changes.c.routed_at.is_(None),
        job_changes.c.ended_at.is_(None),
        turns.c.lease_until > bindparam("now"),
    )
)
_lock_turns = (
    select(turns.c.workspace_id)
    .where(
        turns.c.half == ROUTE,
        turns.c.workspace_id.in_(select(job_changes.c.workspace_id).where(one_of(job_changes.c.id, "ids"))),
    )
    .order_by(turns.c.workspace_id)
    .with_for_update()
)
_lock_lanes = (
    select(lanes.c.id)
    .where(lanes.c.id.in_(select(deliveries.c.lane_id).where(one_of(deliveries.c.job_change_id, "ids"))))
    .order_by(lanes.c.id)
    .with_for_update()
)
_cancel = (
    update(deliveries)
    .where(one_of(deliveries.c.job_change_id, "ids"), deliveries.c.state == DeliveryState.PENDING)
    .values(state=DeliveryState.FAILED, settled_at=bindparam("now"))
)
_payloads = select(job_changes.c.workspace_id, job_changes.c.payload).where(one_of(job_changes.c.id, "ids"))
_delivered = select(deliveries.c.id).where(
    one_of(deliveries.c.job_change_id, "ids"), deliveries.c.state == DeliveryState.DELIVERED
)
_end = (
    update(job_changes)
    .where(one_of(job_changes.c.id, "ids"), job_changes.c.ended_at.is_(None))
    .values(outcome=MUTED, reason=REASON, ended_at=bindparam("now"), due_at=None)
)
_delete_waiting = (
    delete(laters).where(one_of(laters.c.job_change_id, "ids")),
    delete(webhook_events).where(one_of(webhook_events.c.job_change_id, "ids")),
)


def erase(connection: Connection, job_change_ids: Sequence[str], now: int) -> Erased:
    """
    Erase the content of these job changes, and end those without an outcome, so that nobody is notified.

    Their keys stay, so that they are recognized as duplicates if they are sent again.
    """
    # Lock turns, then lanes, then deliveries, as in store/delivery/deliveries.py. Nothing is routed until the commit.
    connection.execute(_lock_turns, {"ids": list(job_change_ids)}).all()
    busy = tuple(connection.execute(_being_decided, {"ids": list(job_change_ids), "now": now}).scalars())
    ids = {"ids": [job_change_id for job_change_id in job_change_ids if job_change_id not in busy]}
    connection.execute(_lock_lanes, ids).all()
    canceled = connection.execute(_cancel, ids | {"now": now}).rowcount
    messages = len(connection.execute(_delivered, ids).all())
    for workspace_id, payload in connection.execute(_payloads, ids).all():
        job_change = JobChange.if_readable(payload)
        if job_change and (keys := move_keys(job_change)):  # hashes of what identifies the person
            moves.forget(connection, workspace_id, keys)
    erased = connection.execute(erase_content, ids).rowcount
    ended = connection.execute(_end, ids | {"now": now}).rowcount
    for statement in (*ERASE_DETAILS, *_delete_waiting):
        connection.execute(statement, ids)
    steps = [TraceStep(job_change_id, now, ERASED_STEP, "by the operator") for job_change_id in ids["ids"]]
    add_steps(connection, steps)
    return Erased(erased, ended, canceled, messages, busy)


_locked = (
    select(job_changes.c.id, job_changes.c.workspace_id, job_changes.c.payload, job_changes.c.decision)
    .where(one_of(job_changes.c.id, "ids"))
    .order_by(job_changes.c.id)
    .with_for_update()
)
_redact = (
    update(job_changes)
    .where(job_changes.c.id == bindparam("of_job_change"))
    .values(payload=bindparam("new_payload"), decision=bindparam("new_decision"))
)


def redact(connection: Connection, job_change_ids: Sequence[str], redacted: Callable[[Content], Content]) -> None:
    """Replace the content of job changes, which are locked meanwhile."""
    contents = [redacted(Content(*row)) for row in connection.execute(_locked, {"ids": list(job_change_ids)})]
    if contents:
        connection.execute(
            _redact,
            [
                {"of_job_change": content.id, "new_payload": content.payload, "new_decision": content.decision}
                for content in contents
            ],
        )


def delete_email(connection: Connection, email: str) -> int:
    """Delete the rows that match this address with a Slack user, and return how many there were."""
    return sum(
        connection.execute(delete(column.table).where(column == email)).rowcount
        for column in (
            members.c.email,
            ownership_links.c.owner,
            ownership_unmatched.c.owner,
            ownership_denials.c.owner,
        )
    )


def record(connection: Connection, workspace_id: str, now: int) -> None:
    """Record the erasure in the audit log, without saying whose data it was."""
    audit.record(connection, workspace_id, AuditEntry(now, OPERATOR, "erased a person", ""))
