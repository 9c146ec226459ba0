"""Forgetting a person at the operator's word, in every row that speaks of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields

from sqlalchemy import BindParameter, Connection, and_, bindparam, delete, or_, select, update

from domain.audit import OPERATOR, AuditEntry
from domain.delivery import TraceStep
from domain.states import DeliveryState
from store import audit
from store.delivery.routing import ROUTE
from store.delivery.trace import add_steps
from store.schema import (
    deliveries,
    job_changes,
    lanes,
    laters,
    members,
    ownership_denials,
    ownership_links,
    ownership_unmatched,
    trace,
    turns,
    wrong_data,
)

MUTED, BY_WHOM = "muted", "erased by the operator"
ERASED_STEP = "erased"

_ids: BindParameter[list[str]] = bindparam("ids", expanding=True)


@dataclass(frozen=True)
class Content:
    """What a job change says, and what was decided about it; None: nothing, or erased."""

    id: str
    workspace_id: str
    payload: str | None = field(repr=False)
    decision: str | None = field(repr=False)


@dataclass(frozen=True)
class Erased:
    """
    How many job changes were erased, and how many of those had not ended, and now have.

    *promises*: deliveries that were called off; *messages*: those that stay in Slack. *busy*: job changes that are
    being decided at this moment, and so were left as they are.
    """

    job_changes: int = 0
    open: int = 0
    promises: int = 0
    messages: int = 0
    busy: tuple[str, ...] = ()

    def __add__(self, other: Erased) -> Erased:
        return Erased(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))


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
    """Of all workspaces, in order of their ids, those after this one."""
    return [Content(*row) for row in connection.execute(_page, {"after": after, "most": most})]


_being_decided = (
    select(job_changes.c.id)
    .join(turns, and_(turns.c.workspace_id == job_changes.c.workspace_id, turns.c.half == ROUTE))
    .where(
        job_changes.c.id.in_(_ids),
        job_changes.c.routed_at.is_(None),
        job_changes.c.ended_at.is_(None),
        turns.c.lease_until > bindparam("now"),
    )
)
_lock_turns = (
    select(turns.c.workspace_id)
    .where(
        turns.c.half == ROUTE,
        turns.c.workspace_id.in_(select(job_changes.c.workspace_id).where(job_changes.c.id.in_(_ids))),
    )
    .order_by(turns.c.workspace_id)
    .with_for_update()
)
_lock_lanes = (
    select(lanes.c.id)
    .where(lanes.c.id.in_(select(deliveries.c.lane_id).where(deliveries.c.job_change_id.in_(_ids))))
    .order_by(lanes.c.id)
    .with_for_update()
)
_call_off = (
    update(deliveries)
    .where(deliveries.c.job_change_id.in_(_ids), deliveries.c.state == DeliveryState.PENDING)
    .values(state=DeliveryState.FAILED, settled_at=bindparam("now"))
)
_delivered = select(deliveries.c.id).where(
    deliveries.c.job_change_id.in_(_ids), deliveries.c.state == DeliveryState.DELIVERED
)
_end = (
    update(job_changes)
    .where(job_changes.c.id.in_(_ids), job_changes.c.ended_at.is_(None))
    .values(outcome=MUTED, reason=BY_WHOM, ended_at=bindparam("now"), due_at=None)
)
_forget = (
    update(job_changes)
    .where(job_changes.c.id.in_(_ids))
    .values(payload=None, decision=None, reason=None, last_error=None)
)
_forget_besides = (
    update(deliveries).where(deliveries.c.job_change_id.in_(_ids)).values(reason="", last_error=None),
    update(trace).where(trace.c.job_change_id.in_(_ids)).values(detail=""),
    update(wrong_data).where(wrong_data.c.job_change_id.in_(_ids)).values(words=None),
    delete(ownership_unmatched).where(ownership_unmatched.c.job_change_id.in_(_ids)),
    delete(laters).where(laters.c.job_change_id.in_(_ids)),
)


def erase(connection: Connection, asked: Sequence[str], now: int) -> Erased:
    """
    Forget what these job changes say; those that have not ended do, and nobody is told.

    Their keys stay, so that nobody is told when they are sent again.
    """
    # Turns first, then lanes, then what is in them: see store/delivery/deliveries.py. Nobody decides until we commit.
    connection.execute(_lock_turns, {"ids": list(asked)}).all()
    busy = tuple(connection.execute(_being_decided, {"ids": list(asked), "now": now}).scalars())
    ids = {"ids": [each for each in asked if each not in busy]}
    connection.execute(_lock_lanes, ids).all()
    promises = connection.execute(_call_off, ids | {"now": now}).rowcount
    messages = len(connection.execute(_delivered, ids).all())
    forgotten = connection.execute(_forget, ids).rowcount
    ended = connection.execute(_end, ids | {"now": now}).rowcount
    for statement in _forget_besides:
        connection.execute(statement, ids)
    add_steps(connection, [TraceStep(each, now, ERASED_STEP, "by the operator") for each in ids["ids"]])
    return Erased(forgotten, ended, promises, messages, busy)


_locked = (
    select(job_changes.c.id, job_changes.c.workspace_id, job_changes.c.payload, job_changes.c.decision)
    .where(job_changes.c.id.in_(_ids))
    .order_by(job_changes.c.id)
    .with_for_update()
)
_redact = (
    update(job_changes)
    .where(job_changes.c.id == bindparam("of_job_change"))
    .values(payload=bindparam("new_payload"), decision=bindparam("new_decision"))
)


def redact(connection: Connection, job_change_ids: Sequence[str], redacted: Callable[[Content], Content]) -> None:
    """Change what job changes say, as they stand at this moment."""
    found = [redacted(Content(*row)) for row in connection.execute(_locked, {"ids": list(job_change_ids)})]
    if found:
        connection.execute(
            _redact,
            [{"of_job_change": each.id, "new_payload": each.payload, "new_decision": each.decision} for each in found],
        )


def delete_email(connection: Connection, email: str) -> int:
    """Forget which Slack user this address is; how many rows said so."""
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
    """An erasure is itself a change that an admin may ask about; whose it was is not said."""
    audit.record(connection, workspace_id, AuditEntry(now, OPERATOR, "erased a person", ""))
