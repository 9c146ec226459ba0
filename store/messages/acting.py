"""What people do about what they were told: the first who takes it has it, and every message of it is marked stale."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, select, update

from domain.delivery import Delivery, NewDelivery, TraceStep
from domain.states import HandlingState
from store.database import insert_missing
from store.delivery import redraws
from store.delivery.promises import promise_again
from store.delivery.trace import add_steps
from store.schema import deliveries, handlings, job_changes, lanes, laters, wrong_data

_find = (
    select(
        deliveries.c.id,
        deliveries.c.workspace_id,
        deliveries.c.job_change_id,
        lanes.c.destination,
        deliveries.c.role,
        deliveries.c.reason,
        deliveries.c.side,
        job_changes.c.payload,
        job_changes.c.decision,
        func.coalesce(handlings.c.state, HandlingState.OPEN),
        handlings.c.actor,
        handlings.c.at,
        handlings.c.given_to,
    )
    .join(lanes, lanes.c.id == deliveries.c.lane_id)
    .join(job_changes, job_changes.c.id == deliveries.c.job_change_id)
    .outerjoin(handlings, handlings.c.delivery_id == deliveries.c.id)
    .where(deliveries.c.id == bindparam("of_delivery"), deliveries.c.workspace_id == bindparam("of_workspace"))
)


def find(connection: Connection, workspace_id: str, delivery_id: int) -> Delivery | None:
    """None also when it belongs to another workspace."""
    asked = {"of_workspace": workspace_id, "of_delivery": delivery_id}
    row = connection.execute(_find, asked).one_or_none()
    return Delivery(*tuple(row)) if row else None


def take(connection: Connection, delivery: Delivery, actor: str, now: int) -> bool:
    """*actor* is on it; False if it is not open any more."""
    if not _turn(
        connection,
        delivery,
        handlings.c.state == HandlingState.OPEN,
        state=HandlingState.TAKEN,
        actor=actor,
        at=now,
        given_to=None,
    ):
        return False
    _forget_later(connection, delivery)
    acted(connection, delivery, now, "taken", f"{actor} is on it")
    return True


def give(connection: Connection, delivery: Delivery, actor: str, to: str, new: NewDelivery, now: int) -> bool:
    """*actor* gives it to the Slack user *to*, who is promised *new*; False if it is not theirs to give any more."""
    values: dict[str, Any] = {"state": HandlingState.REASSIGNED, "actor": actor, "at": now, "given_to": to}
    return _hand_on(
        connection, delivery, new, now, TraceStep(delivery.job_change_id, now, "given", f"{actor} to {to}"), values
    )


def give_back(connection: Connection, delivery: Delivery, actor: str, new: NewDelivery, now: int) -> bool:
    """*actor* gives it back to a channel, which is promised *new*; False if it is not theirs to give back any more."""
    values: dict[str, Any] = {"state": HandlingState.RETURNED, "actor": actor, "at": now, "given_to": None}
    step = TraceStep(delivery.job_change_id, now, "given back", f"by {actor}")
    return _hand_on(connection, delivery, new, now, step, values)


def _hand_on(
    connection: Connection, delivery: Delivery, new: NewDelivery, now: int, step: TraceStep, values: dict[str, Any]
) -> bool:
    _ensure(connection, delivery)
    _lock_all(connection, delivery.job_change_id)
    may = (handlings.c.state == HandlingState.OPEN) | (
        (handlings.c.state == HandlingState.TAKEN) & (handlings.c.actor == values["actor"])
    )
    if not _turn(connection, delivery, may, **values):
        return False
    _forget_later(connection, delivery)
    promise_again(connection, delivery.workspace_id, new, now)
    acted(connection, delivery, now, step.step, step.detail)
    return True


def report(connection: Connection, delivery: Delivery, actor: str, kind: str, words: str | None, now: int) -> None:
    """*actor* says what is wrong with it; what they say last counts."""
    row = {"job_change_id": delivery.job_change_id, "actor": actor, "workspace_id": delivery.workspace_id}
    said = {"at": now, "kind": kind, "words": words}
    connection.execute(insert_missing(connection, wrong_data, "job_change_id", "actor"), [row | said])
    mine = (wrong_data.c.job_change_id == delivery.job_change_id) & (wrong_data.c.actor == actor)
    connection.execute(update(wrong_data).where(mine).values(said))
    acted(connection, delivery, now, "wrong data", f"{kind}, says {actor}")


def reports(connection: Connection, workspace_id: str, since: int) -> int:
    """How many said since that time (milliseconds) that something is wrong."""
    mine = (wrong_data.c.workspace_id == workspace_id) & (wrong_data.c.at >= since)
    count: int = connection.execute(select(func.count()).select_from(wrong_data).where(mine)).scalar_one()
    return count


def _ensure(connection: Connection, delivery: Delivery) -> None:
    row = {"delivery_id": delivery.id, "job_change_id": delivery.job_change_id, "state": HandlingState.OPEN}
    connection.execute(insert_missing(connection, handlings, "delivery_id"), [row])


def _lock_all(connection: Connection, job_change_id: str) -> None:
    """In one order: two who give the same job change to each other must not wait for each other."""
    theirs = select(handlings.c.delivery_id).where(handlings.c.job_change_id == job_change_id)
    connection.execute(theirs.order_by(handlings.c.delivery_id).with_for_update()).all()


def _turn(connection: Connection, delivery: Delivery, may: ColumnElement[bool], **values: Any) -> bool:
    """Bring it into another state, unless somebody was faster."""
    _ensure(connection, delivery)
    mine = handlings.c.delivery_id == delivery.id
    return bool(connection.execute(update(handlings).where(mine, may).values(**values)).rowcount)


def _forget_later(connection: Connection, delivery: Delivery) -> None:
    """What is dealt with need not come back."""
    connection.execute(delete(laters).where(laters.c.delivery_id == delivery.id))


def acted(connection: Connection, delivery: Delivery, now: int, step: str, detail: str) -> None:
    """
    Somebody did something about it: the trace says so, and every message of it is to be drawn again.

    Last in its transaction: lanes are locked before job changes everywhere.
    """
    connection.execute(update(job_changes).where(job_changes.c.id == delivery.job_change_id).values(acted_at=now))
    add_steps(connection, [TraceStep(delivery.job_change_id, now, step, detail)])
    redraws.mark(connection, delivery.job_change_id, now)
