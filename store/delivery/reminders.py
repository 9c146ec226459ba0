"""Reminders: a DRI who has not acted on a delivery is reminded once, and then it is escalated once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Select, bindparam, exists, or_, select, update

from domain.decision.sentences import for_reader
from domain.delivery import NewDelivery, TraceStep
from domain.states import HELD, DeliveryState, HandlingState, Role, Step
from store.delivery.deliveries import deliver_again
from store.delivery.trace import add_steps
from store.leases import LeaseQueue
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
from store.schema.lists import one_of
from store.schema.upserts import insert_missing

HOUR_MS = 60 * 60 * 1_000


@dataclass(frozen=True)
class Reminder:
    """
    A delivery that nobody seems to have acted on, under a lease.

    `reader` is the Slack user who got the message at `channel` and `ts`. `hours` are the working hours to wait before
    the reminder and again before the escalation. `begun_at` is when a process started to send the reminder, as the
    message `post_id` in the thread `thread_ts`, which earlier versions did not store. `payload` is None if the job
    change was erased. `is_over` means that no reminder is needed any longer.
    """

    delivery_id: int
    job_change_id: str
    workspace_id: str
    reader: str
    delivered_at: int
    hours: int
    attempts: int
    begun_at: int | None
    post_id: str | None
    thread_ts: str | None
    reminded_at: int | None
    channel: str | None
    ts: str | None
    side: str | None
    payload: str | None = field(repr=False)
    decision: str | None = field(repr=False)
    is_over: bool
    lease: str


_earlier = reminders.alias("earlier")
_is_escalation = exists().where(
    _earlier.c.job_change_id == deliveries.c.job_change_id, _earlier.c.escalated_to == lanes.c.destination
)
_delivered = (
    select(deliveries.c.id, deliveries.c.post_id, deliveries.c.job_change_id, workspaces.c.reminder_hours)
    .join(lanes, lanes.c.id == deliveries.c.lane_id)
    .join(workspaces, workspaces.c.id == deliveries.c.workspace_id)
    .where(
        one_of(deliveries.c.post_id, "ids"),
        deliveries.c.state == DeliveryState.DELIVERED,
        deliveries.c.role == Role.DRI,
        workspaces.c.reminder_hours > 0,
        ~_is_escalation,  # a person who gets it because the DRI did not act is not reminded as well
    )
    .order_by(deliveries.c.id)
)
_restart = (
    update(reminders)
    .where(reminders.c.delivery_id == bindparam("of_delivery"), reminders.c.escalated_at.is_(None))
    .values(
        told_at=bindparam("at"),
        hours=bindparam("to_wait"),
        due_at=bindparam("due"),
        lease=None,  # a process that holds it read the row before it was delivered again
        begun_at=None,
        post_id=None,
        reminded_at=None,
        attempts=0,
    )
)


def schedule(connection: Connection, delivered_at: Mapping[str, int]) -> None:
    """
    Schedule reminders for messages that have just been delivered, where the workspace wants reminders.

    `delivered_at` has the times by the ids of the posts. A delivery that is sent again starts its time again.
    """
    delivered = connection.execute(_delivered, {"ids": list(delivered_at)}).all()
    if not delivered:
        return
    rows = [
        {
            "delivery_id": row.id,
            "job_change_id": row.job_change_id,
            "told_at": delivered_at[row.post_id],
            "hours": row.reminder_hours,
        }
        for row in delivered
    ]
    connection.execute(insert_missing(connection, reminders, "delivery_id"), rows)
    connection.execute(
        _restart,
        [
            {
                "of_delivery": row["delivery_id"],
                "at": row["told_at"],
                "to_wait": row["hours"],
                "due": row["told_at"] + row["hours"] * HOUR_MS,  # working hours never pass faster than hours
            }
            for row in rows
        ],
    )


_of_delivery = handlings.c.delivery_id == deliveries.c.id
_of_job_change = handlings.c.job_change_id == deliveries.c.job_change_id
_is_over = or_(
    deliveries.c.state != DeliveryState.DELIVERED,  # it is being sent again, or was canceled
    workspaces.c.reminder_hours == 0,
    workspaces.c.state != "active",
    job_changes.c.payload.is_(None),
    exists().where(_of_delivery, handlings.c.state != HandlingState.OPEN),
    exists().where(_of_job_change, handlings.c.state.in_(HELD)),  # a colleague has it
    exists().where(wrong_data.c.job_change_id == deliveries.c.job_change_id),
    exists().where(laters.c.delivery_id == deliveries.c.id, laters.c.due_at.is_not(None)),
)


_of_lane: Select[Any] = (
    select(
        reminders.c.delivery_id,
        reminders.c.job_change_id,
        deliveries.c.workspace_id,
        lanes.c.destination,
        reminders.c.told_at,
        reminders.c.hours,
        reminders.c.attempts,
        reminders.c.begun_at,
        reminders.c.post_id,
        reminders.c.thread_ts,
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
    .where(deliveries.c.lane_id == bindparam("of_lane"))
)
REMINDERS = LeaseQueue(reminders, reminders.c.delivery_id, reminders.c.due_at)
_most_overdue_lane = REMINDERS.due(
    select(deliveries.c.lane_id).join(reminders, reminders.c.delivery_id == deliveries.c.id)
)
_due = REMINDERS.due(_of_lane, reminders.c.delivery_id)


def claim(connection: Connection, now: int, lease_ms: int, most: int) -> list[Reminder]:
    """Claim up to `most` reminders that are due, all for one reader."""
    lane_id = connection.execute(_most_overdue_lane, {"now": now, "most": 1}).scalar_one_or_none()
    if lane_id is None:
        return []
    rows, lease = REMINDERS.claim(connection, _due, now, lease_ms, most, of_lane=lane_id)
    return [Reminder(*[*row, lease.token]) for row in rows]


def begin(
    connection: Connection, claimed: Sequence[Reminder], now: int, lease_ms: int, post_id: str, thread_ts: str | None
) -> list[Reminder]:
    """
    Record that the reminders are about to be sent as the message `post_id` in this thread, and prolong their leases.

    Return those whose lease is still ours and on which nobody has acted meanwhile.
    """
    values = {"begun_at": now, "post_id": post_id, "thread_ts": thread_ts}
    return [
        reminder
        for reminder in _still_open(connection, claimed)
        if REMINDERS.prolong(connection, reminder.delivery_id, reminder.lease, now + lease_ms, **values)
    ]


def _still_open(connection: Connection, claimed: Sequence[Reminder]) -> list[Reminder]:
    ids = [reminder.delivery_id for reminder in claimed]
    query = select(deliveries.c.id).join(job_changes, job_changes.c.id == deliveries.c.job_change_id)
    query = query.join(workspaces, workspaces.c.id == deliveries.c.workspace_id).where(deliveries.c.id.in_(ids))
    open_ids = set(connection.execute(query.where(~_is_over)).scalars())
    return [reminder for reminder in claimed if reminder.delivery_id in open_ids]


def wait_until(connection: Connection, times: Sequence[tuple[Reminder, int]]) -> None:
    """Look at each of the reminders again at its time (milliseconds)."""
    for reminder, due_at in times:
        _release(connection, reminder, due_at=due_at, attempts=0)


def postpone(
    connection: Connection, claimed: Sequence[Reminder], due_at: int, *, failed: bool = False, unsent: bool = False
) -> None:
    """Look at the reminders again at `due_at`. `unsent` means that a reminder that had begun was certainly not sent."""
    for reminder in claimed:
        begun: dict[str, object] = {"begun_at": None, "post_id": None} if unsent else {}
        _release(connection, reminder, due_at=due_at, attempts=reminder.attempts + 1 if failed else 0, **begun)


def record_reminded(
    connection: Connection, claimed: Sequence[Reminder], now: int, detail: str, *, escalates: bool
) -> None:
    """Record that the reader was, or may have been, reminded. `escalates` means that an escalation may follow."""
    for reminder in claimed:
        due_at = now + reminder.hours * HOUR_MS if escalates else None
        _release(connection, reminder, due_at=due_at, reminded_at=now, attempts=0)
    add_steps(connection, [TraceStep(reminder.job_change_id, now, Step.REMINDED, detail) for reminder in claimed])


def finish(connection: Connection, claimed: Sequence[Reminder]) -> None:
    """Do nothing more about them."""
    for reminder in claimed:
        _release(connection, reminder, due_at=None)


def escalate(connection: Connection, reminder: Reminder, new: NewDelivery, now: int) -> bool:
    """
    Deliver the job change to another person as a message of their own.

    Return False if the lease was lost or a person has acted in the meantime.
    """
    if not _still_open(connection, [reminder]):
        return False
    if not _release(connection, reminder, due_at=None, escalated_at=now, escalated_to=new.destination):
        return False
    deliver_again(connection, reminder.workspace_id, new, now)
    detail = f"to {new.destination}: {for_reader(new.reasons)}"
    add_steps(connection, [TraceStep(reminder.job_change_id, now, Step.ESCALATED, detail)])
    return True


def _release(connection: Connection, reminder: Reminder, due_at: int | None, **values: object) -> bool:
    return REMINDERS.give_back(connection, reminder.delivery_id, reminder.lease, due_at, **values)
