"""Who is to be reminded of what they were told and nothing came of: once, and passed on to somebody else once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Select, and_, bindparam, exists, or_, select, update

from domain.delivery import NewDelivery, TraceStep
from domain.states import DeliveryState, HandlingState, Role, Step
from store.database import insert_missing
from store.delivery.deliveries import deliver_again
from store.delivery.trace import add_steps
from store.schema import (
    deliveries,
    handlings,
    job_changes,
    lanes,
    laters,
    posts,
    reminders,
    workspaces,
    wrong_data,
)

HOUR_MS = 60 * 60 * 1_000


@dataclass(frozen=True)
class Reminder:
    """
    A delivery that nobody has acted on, as far as we know, ours while *lease* is.

    *reader*: the Slack user who was told, in the message at *channel* and *ts*. *hours*: working hours to wait, each
    time. *begun_at*: when somebody set out to remind them. *payload* None: erased. *decision*: that of the router.
    """

    delivery_id: int
    job_change_id: str
    workspace_id: str
    reader: str
    told_at: int
    hours: int
    attempts: int
    begun_at: int | None
    reminded_at: int | None
    channel: str | None
    ts: str | None
    side: str | None
    payload: str | None = field(repr=False)
    decision: str | None = field(repr=False)
    is_over: bool
    lease: str


_earlier = reminders.alias("earlier")
_is_passed_on = exists().where(
    _earlier.c.job_change_id == deliveries.c.job_change_id, _earlier.c.escalated_to == lanes.c.destination
)
_told = (
    select(deliveries.c.id, deliveries.c.post_id, deliveries.c.job_change_id, workspaces.c.reminder_hours)
    .join(lanes, lanes.c.id == deliveries.c.lane_id)
    .join(workspaces, workspaces.c.id == deliveries.c.workspace_id)
    .where(
        deliveries.c.post_id.in_(bindparam("ids", expanding=True)),
        deliveries.c.state == DeliveryState.DELIVERED,
        deliveries.c.role == Role.DRI,
        workspaces.c.reminder_hours > 0,
        ~_is_passed_on,  # whoever reads it because nobody else acted is not asked in turn
    )
    .order_by(deliveries.c.id)
)
_begin_anew = (
    update(reminders)
    .where(reminders.c.delivery_id == bindparam("of_delivery"), reminders.c.escalated_at.is_(None))
    .values(
        told_at=bindparam("at"),
        hours=bindparam("to_wait"),
        due_at=bindparam("due"),
        lease=None,  # whoever has it in hand looked at it before it was told anew
        begun_at=None,
        reminded_at=None,
        attempts=0,
    )
)


def schedule(connection: Connection, told_at: Mapping[str, int]) -> None:
    """
    These messages, by the ids of their posts, have just arrived: whoever is told in them is reminded later, where the
    workspace wants that. What is told once more is waited for once more.
    """
    told = connection.execute(_told, {"ids": list(told_at)}).all()
    if not told:
        return
    rows = [
        {
            "delivery_id": row.id,
            "job_change_id": row.job_change_id,
            "told_at": told_at[row.post_id],
            "hours": row.reminder_hours,
        }
        for row in told
    ]
    connection.execute(insert_missing(connection, reminders, "delivery_id"), rows)
    connection.execute(
        _begin_anew,
        [
            {
                "of_delivery": row["delivery_id"],
                "at": row["told_at"],
                "to_wait": row["hours"],
                "due": row["told_at"] + row["hours"] * HOUR_MS,  # no working hours pass faster than hours do
            }
            for row in rows
        ],
    )


_theirs = handlings.c.delivery_id == deliveries.c.id
_of_the_same = handlings.c.job_change_id == deliveries.c.job_change_id
_is_over = or_(
    deliveries.c.state != DeliveryState.DELIVERED,  # told anew, or called off
    workspaces.c.reminder_hours == 0,
    workspaces.c.state != "active",
    job_changes.c.payload.is_(None),
    exists().where(_theirs, handlings.c.state != HandlingState.OPEN),
    exists().where(
        _of_the_same, handlings.c.state == HandlingState.TAKEN
    ),  # a colleague is on it, as every message of it says
    exists().where(wrong_data.c.job_change_id == deliveries.c.job_change_id),
    exists().where(laters.c.delivery_id == deliveries.c.id, laters.c.due_at.is_not(None)),
)


def _known() -> Select[Any]:
    return (
        select(
            reminders.c.delivery_id,
            reminders.c.job_change_id,
            deliveries.c.workspace_id,
            lanes.c.destination,
            reminders.c.told_at,
            reminders.c.hours,
            reminders.c.attempts,
            reminders.c.begun_at,
            reminders.c.reminded_at,
            posts.c.channel,
            posts.c.ts,
            deliveries.c.side,
            job_changes.c.payload,
            job_changes.c.decision,
            _is_over,
        )
        .join(deliveries, deliveries.c.id == reminders.c.delivery_id)
        .join(lanes, lanes.c.id == deliveries.c.lane_id)
        .join(job_changes, job_changes.c.id == reminders.c.job_change_id)
        .join(workspaces, workspaces.c.id == deliveries.c.workspace_id)
        .outerjoin(posts, posts.c.id == deliveries.c.post_id)
    )


_first = (
    select(deliveries.c.lane_id)
    .join(reminders, reminders.c.delivery_id == deliveries.c.id)
    .where(reminders.c.due_at <= bindparam("now"))
    .order_by(reminders.c.due_at)
    .limit(1)
    .with_for_update(of=reminders, skip_locked=True)
)
_due = (
    _known()
    .where(reminders.c.due_at <= bindparam("now"), deliveries.c.lane_id == bindparam("of_lane"))
    .order_by(reminders.c.delivery_id)
    .limit(bindparam("most"))
    .with_for_update(of=reminders, skip_locked=True)
)
_lease = (
    update(reminders)
    .where(reminders.c.delivery_id == bindparam("of_delivery"))
    .values(lease=bindparam("new_lease"), due_at=bindparam("until"))
)


def claim(connection: Connection, now: int, lease_ms: int, most: int) -> list[Reminder]:
    """What is due for one reader, up to *most*; empty: nothing is due."""
    lane_id = connection.execute(_first, {"now": now}).scalar_one_or_none()
    if lane_id is None:
        return []
    rows = connection.execute(_due, {"now": now, "of_lane": lane_id, "most": most}).all()
    lease = uuid4().hex
    if rows:
        until = now + lease_ms
        held = [{"of_delivery": row.delivery_id, "new_lease": lease, "until": until} for row in rows]
        connection.execute(_lease, held)
    return [Reminder(*[*row, lease]) for row in rows]


_set_out = (
    update(reminders)
    .where(reminders.c.delivery_id == bindparam("of_delivery"), reminders.c.lease == bindparam("our_lease"))
    .values(begun_at=bindparam("now"))
)


def begin(connection: Connection, some: Sequence[Reminder], now: int) -> list[Reminder]:
    """Write down that we set out to remind of them: those that are still ours, and that nobody has acted on yet."""
    ids = [each.delivery_id for each in some]
    query = select(deliveries.c.id).join(job_changes, job_changes.c.id == deliveries.c.job_change_id)
    query = query.join(workspaces, workspaces.c.id == deliveries.c.workspace_id).where(deliveries.c.id.in_(ids))
    open_ids = set(connection.execute(query.where(~_is_over)).scalars())
    return [
        each
        for each in some
        if each.delivery_id in open_ids
        and connection.execute(
            _set_out, {"of_delivery": each.delivery_id, "our_lease": each.lease, "now": now}
        ).rowcount
    ]


def wait_until(connection: Connection, until: Sequence[tuple[Reminder, int]]) -> None:
    """Their time has not come: each is looked at again at its own (milliseconds)."""
    for each, due_at in until:
        _free(connection, each, due_at=due_at, attempts=0)


def postpone(
    connection: Connection, some: Sequence[Reminder], due_at: int, *, failed: bool = False, unsent: bool = False
) -> None:
    """They are looked at again then. *unsent*: what we had set out to send was not, for certain."""
    for each in some:
        begun: dict[str, object] = {"begun_at": None} if unsent else {}
        _free(connection, each, due_at=due_at, attempts=each.attempts + 1 if failed else 0, **begun)


def record_reminded(
    connection: Connection, some: Sequence[Reminder], now: int, detail: str, *, escalates: bool
) -> None:
    """Their reader was reminded, or may have been. *escalates*: somebody else is told if they still do not act."""
    for each in some:
        due_at = now + each.hours * HOUR_MS if escalates else None
        _free(connection, each, due_at=due_at, reminded_at=now, attempts=0)
    add_steps(connection, [TraceStep(each.job_change_id, now, Step.REMINDED, detail) for each in some])


def finish(connection: Connection, some: Sequence[Reminder]) -> None:
    """There is nothing more to do about them."""
    for each in some:
        _free(connection, each, due_at=None)


def escalate(connection: Connection, reminder: Reminder, new: NewDelivery, now: int) -> bool:
    """Promise it to somebody else, as a message of their own; False: it is not ours any more, or somebody has acted."""
    if not begin(connection, [reminder], now):
        return False
    _free(connection, reminder, due_at=None, escalated_at=now, escalated_to=new.destination)
    deliver_again(connection, reminder.workspace_id, new, now)
    add_steps(
        connection, [TraceStep(reminder.job_change_id, now, Step.ESCALATED, f"to {new.destination}: {new.reason}")]
    )
    return True


def _free(connection: Connection, reminder: Reminder, **values: object) -> None:
    ours = and_(reminders.c.delivery_id == reminder.delivery_id, reminders.c.lease == reminder.lease)
    connection.execute(update(reminders).where(ours).values(lease=None, **values))
