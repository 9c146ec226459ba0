"""What people do with a delivery: take it, reassign it, return it, snooze it, report wrong data."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, select, update

from domain.delivery import Delivery, NewDelivery, TraceStep
from domain.states import HandlingState, Role, Step
from store.delivery import redraws
from store.delivery.deliveries import deliver_again
from store.delivery.trace import add_steps
from store.schema import (
    deliveries,
    delivery_reasons,
    earlier_posts,
    handlings,
    job_changes,
    lanes,
    laters,
    posts,
    wrong_data,
)
from store.schema.upserts import insert_missing


@dataclass(frozen=True)
class CarryingPost:
    """A message that carries a delivery. `channel` and `ts` are None until Slack has confirmed it."""

    id: str
    channel: str | None
    ts: str | None

    def is_at(self, place: tuple[str, str]) -> bool:
        """Whether it is the message with this channel and timestamp."""
        return place == (self.channel, self.ts)


_find = (
    select(
        deliveries.c.id,
        deliveries.c.workspace_id,
        deliveries.c.job_change_id,
        lanes.c.destination,
        deliveries.c.role,
        delivery_reasons,
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
    """Return None also if the delivery belongs to another workspace."""
    key = {"of_workspace": workspace_id, "of_delivery": delivery_id}
    row = connection.execute(_find, key).one_or_none()
    return Delivery(*tuple(row)) if row else None


_current_post = select(deliveries.c.post_id).where(deliveries.c.id == bindparam("of_delivery"))
_earlier_posts = select(earlier_posts.c.post_id).where(earlier_posts.c.delivery_id == bindparam("of_delivery"))
_posts = select(posts.c.id, posts.c.channel, posts.c.ts).where(
    posts.c.id.in_(_current_post.union(_earlier_posts)), posts.c.workspace_id == bindparam("of_workspace")
)


def posts_of(connection: Connection, workspace_id: str, delivery_id: int) -> list[CarryingPost]:
    """Return the messages that carry the delivery, the earlier ones too. None if it belongs to another workspace."""
    key = {"of_workspace": workspace_id, "of_delivery": delivery_id}
    return [CarryingPost(*row) for row in connection.execute(_posts, key)]


def take(connection: Connection, delivery: Delivery, actor: str, now: int) -> bool:
    """Record that `actor` takes the delivery. Return False if it is no longer open."""
    is_open = handlings.c.state == HandlingState.OPEN
    values = {"state": HandlingState.TAKEN, "actor": actor, "at": now, "given_to": None}
    if not _set_handling(connection, delivery, is_open, values):
        return False
    _delete_snooze(connection, delivery)
    record_action(connection, delivery, now, Step.TAKEN, f"{actor} is on it")
    return True


def reassign(connection: Connection, delivery: Delivery, actor: str, to: str, new: NewDelivery, now: int) -> bool:
    """
    Reassign the delivery from `actor` to the Slack user `to`, who gets the delivery `new`.

    Return False if `actor` may no longer do so, because someone else has taken it.
    """
    values = {"state": HandlingState.REASSIGNED, "actor": actor, "at": now, "given_to": to}
    step = TraceStep(delivery.job_change_id, now, Step.REASSIGNED, f"{actor} to {to}")
    return _pass_on(connection, delivery, new, values, step)


def return_to_channel(connection: Connection, delivery: Delivery, actor: str, new: NewDelivery, now: int) -> bool:
    """Return the delivery to a channel, which gets the delivery `new`. Return False as `reassign` does."""
    values = {"state": HandlingState.RETURNED, "actor": actor, "at": now, "given_to": None}
    step = TraceStep(delivery.job_change_id, now, Step.RETURNED, f"by {actor}")
    return _pass_on(connection, delivery, new, values, step)


def _pass_on(
    connection: Connection, delivery: Delivery, new: NewDelivery, values: dict[str, object], step: TraceStep
) -> bool:
    _ensure_handling(connection, delivery)
    query = select(handlings.c.delivery_id).where(handlings.c.job_change_id == delivery.job_change_id)
    connection.execute(query.order_by(handlings.c.delivery_id).with_for_update()).all()
    is_theirs = (handlings.c.state == HandlingState.OPEN) | (
        (handlings.c.state == HandlingState.TAKEN) & (handlings.c.actor == values["actor"])
    )
    if not _set_handling(connection, delivery, is_theirs, values):
        return False
    _delete_snooze(connection, delivery)
    deliver_again(connection, delivery.workspace_id, new, step.at)
    record_action(connection, delivery, step.at, step.step, step.detail)
    return True


def report(connection: Connection, delivery: Delivery, actor: str, kind: str, words: str | None, now: int) -> None:
    """Record what `actor` says is wrong with the data. A later report of the same person replaces the earlier one."""
    row = {"job_change_id": delivery.job_change_id, "actor": actor, "workspace_id": delivery.workspace_id}
    values = {"at": now, "kind": kind, "words": words}
    connection.execute(insert_missing(connection, wrong_data, "job_change_id", "actor"), [row | values])
    theirs = (wrong_data.c.job_change_id == delivery.job_change_id) & (wrong_data.c.actor == actor)
    connection.execute(update(wrong_data).where(theirs).values(values))
    record_action(connection, delivery, now, Step.REPORTED, f"{kind}, by {actor}")


def count_reports(connection: Connection, workspace_id: str, since: int) -> int:
    """Count the reports of wrong data since this time (milliseconds)."""
    recent = (wrong_data.c.workspace_id == workspace_id) & (wrong_data.c.at >= since)
    count: int = connection.execute(select(func.count()).select_from(wrong_data).where(recent)).scalar_one()
    return count


def _ensure_handling(connection: Connection, delivery: Delivery) -> None:
    row = {"delivery_id": delivery.id, "job_change_id": delivery.job_change_id, "state": HandlingState.OPEN}
    connection.execute(insert_missing(connection, handlings, "delivery_id"), [row])


def _set_handling(
    connection: Connection, delivery: Delivery, condition: ColumnElement[bool], values: dict[str, object]
) -> bool:
    """Store the values, unless someone else was faster, so that the condition no longer holds."""
    _ensure_handling(connection, delivery)
    theirs = handlings.c.delivery_id == delivery.id
    return bool(connection.execute(update(handlings).where(theirs, condition).values(**values)).rowcount)


def _delete_snooze(connection: Connection, delivery: Delivery) -> None:
    connection.execute(delete(laters).where(laters.c.delivery_id == delivery.id))


def record_action(connection: Connection, delivery: Delivery, now: int, step: str, detail: str) -> None:
    """
    Add the action to the trace, and mark every message about the job change to be redrawn.

    Call this last in a transaction, because lanes are locked before job changes everywhere.
    """
    connection.execute(update(job_changes).where(job_changes.c.id == delivery.job_change_id).values(acted_at=now))
    add_steps(connection, [TraceStep(delivery.job_change_id, now, step, detail)])
    redraws.mark(connection, delivery.job_change_id, now)


def snooze(connection: Connection, delivery: Delivery, actor: str, due_at: int, now: int) -> None:
    """Deliver it again at `due_at`. A later choice replaces the earlier one."""
    row = {"delivery_id": delivery.id, "job_change_id": delivery.job_change_id, "actor": actor}
    connection.execute(insert_missing(connection, laters, "delivery_id"), [row])
    theirs = laters.c.delivery_id == delivery.id
    connection.execute(update(laters).where(theirs).values(actor=actor, due_at=due_at, back_at=None))
    record_action(connection, delivery, now, Step.SNOOZED, f"by {actor}")


_due_snooze = (
    select(laters.c.delivery_id, laters.c.due_at, deliveries.c.workspace_id)
    .join(deliveries, deliveries.c.id == laters.c.delivery_id)
    .where(laters.c.due_at <= bindparam("now"))
    .order_by(laters.c.due_at)
    .limit(1)
    .with_for_update(of=laters, skip_locked=True)
)
_end_snooze = (
    update(laters).where(laters.c.delivery_id == bindparam("of_delivery")).values(due_at=None, back_at=bindparam("now"))
)


def resume_snoozed(connection: Connection, now: int) -> bool:
    """
    Deliver the snoozed delivery that has been due for longest as a new message. Return False if none is due.

    One a transaction: each locks a lane, and lanes are locked in order of their ids.
    """
    row = connection.execute(_due_snooze, {"now": now}).one_or_none()
    if row is None:
        return False
    connection.execute(_end_snooze, {"of_delivery": row.delivery_id, "now": now})
    delivery = find(connection, row.workspace_id, row.delivery_id)
    if delivery is not None and delivery.payload is not None:  # it may have been erased in the meantime
        new = NewDelivery(
            delivery.job_change_id, delivery.destination, Role(delivery.role), delivery.reasons, delivery.side
        )
        # As of the time it was snoozed to, so that it is part of a digest due at that very minute.
        deliver_again(connection, delivery.workspace_id, new, row.due_at)
        record_action(connection, delivery, now, Step.SNOOZE_ENDED, "at the time its reader chose")
    return True
