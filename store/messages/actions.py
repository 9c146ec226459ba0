"""What people do with a job change: take it, finish it, reassign it, return it, snooze it, report wrong data."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, func, select, update

from domain.delivery import Delivery, Handling, NewDelivery, TraceStep
from domain.job_change.model import TEST_SOURCE
from domain.states import FINISHED, HELD, HandlingState, Role, Step, is_person
from store.delivery import decisions, redraws, webhooks
from store.delivery.deliveries import deliver_again
from store.delivery.trace import add_steps
from store.messages import histories
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
from store.schema.lists import one_of
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
        deliveries.c.created_at,
    )
    .join(lanes, lanes.c.id == deliveries.c.lane_id)
    .join(job_changes, job_changes.c.id == deliveries.c.job_change_id)
    .where(deliveries.c.id == bindparam("of_delivery"), deliveries.c.workspace_id == bindparam("of_workspace"))
)


def find(connection: Connection, workspace_id: str, delivery_id: int) -> Delivery | None:
    """Return None if there is no such delivery, or if it belongs to another workspace."""
    key = {"of_workspace": workspace_id, "of_delivery": delivery_id}
    row = connection.execute(_find, key).one_or_none()
    if row is None:
        return None
    *values, created_at = row
    history = histories.histories(connection, [row.job_change_id])[row.job_change_id]
    closed = history.closed_by(row.id, created_at, in_person=is_person(row.destination))
    if closed is None:
        return Delivery(*[*values, HandlingState.OPEN, None, None, None, created_at])
    return Delivery(*[*values, closed.state, closed.actor, closed.at, closed.given_to, created_at])


_current_post = select(deliveries.c.post_id).where(deliveries.c.id == bindparam("of_delivery"))
_earlier_posts = select(earlier_posts.c.post_id).where(earlier_posts.c.delivery_id == bindparam("of_delivery"))
_posts = select(posts.c.id, posts.c.channel, posts.c.ts).where(
    posts.c.id.in_(_current_post.union(_earlier_posts)), posts.c.workspace_id == bindparam("of_workspace")
)


def posts_of(connection: Connection, workspace_id: str, delivery_id: int) -> list[CarryingPost]:
    """Return the messages that carry the delivery, the earlier ones too; none if it is of another workspace."""
    key = {"of_workspace": workspace_id, "of_delivery": delivery_id}
    return [CarryingPost(*row) for row in connection.execute(_posts, key)]


def take(connection: Connection, delivery: Delivery, actor: str, now: int) -> bool:
    """Record that `actor` takes the job change. Return False if it is no longer open in this message."""
    if _lock(connection, delivery):
        return False
    _set_handling(connection, delivery.id, HandlingState.TAKEN, actor, now)
    _delete_snoozes(connection, delivery.job_change_id)
    record_action(connection, delivery, now, Step.TAKEN, f"{actor} is on it")
    return True


def finish(connection: Connection, delivery: Delivery, actor: str, state: HandlingState, now: int) -> bool:
    """Record that the job change is done or not relevant. Return False if it is no longer open, or someone else's."""
    closed = _lock(connection, delivery)
    if closed and not (closed.state in HELD and closed.actor == actor):
        return False
    _set_handling(connection, closed.delivery_id if closed else delivery.id, state, actor, now)
    _delete_snoozes(connection, delivery.job_change_id)
    record_action(connection, delivery, now, Step(state.replace("_", " ")), f"by {actor}")
    return True


def reopen(connection: Connection, delivery: Delivery, actor: str, now: int) -> bool:
    """Record that `actor` is on the job change again. Return False unless they had finished it."""
    closed = _lock(connection, delivery)
    if closed is None or closed.state not in FINISHED or closed.actor != actor:
        return False
    _set_handling(connection, closed.delivery_id, HandlingState.TAKEN, actor, now)
    record_action(connection, delivery, now, Step.REOPENED, f"by {actor}")
    return True


def reassign(connection: Connection, delivery: Delivery, actor: str, to: str, new: NewDelivery, now: int) -> bool:
    """
    Reassign the job change from `actor` to the Slack user `to`, who gets the delivery `new`.

    Return False if `actor` may no longer do so, because someone else has it.
    """
    step = TraceStep(delivery.job_change_id, now, Step.REASSIGNED, f"{actor} to {to}")
    return _pass_on(connection, delivery, new, HandlingState.REASSIGNED, actor, step, to)


def return_to_channel(connection: Connection, delivery: Delivery, actor: str, new: NewDelivery, now: int) -> bool:
    """Return the job change to a channel, which gets the delivery `new`. Return False as `reassign` does."""
    step = TraceStep(delivery.job_change_id, now, Step.RETURNED, f"by {actor}")
    return _pass_on(connection, delivery, new, HandlingState.RETURNED, actor, step)


def _pass_on(
    connection: Connection,
    delivery: Delivery,
    new: NewDelivery,
    state: HandlingState,
    actor: str,
    step: TraceStep,
    to: str | None = None,
) -> bool:
    closed = _lock(connection, delivery)
    if closed and not (closed.state == HandlingState.TAKEN and closed.actor == actor):
        return False
    passed_on = closed.delivery_id if closed else delivery.id
    _set_handling(connection, passed_on, state, actor, step.at, to)
    connection.execute(delete(laters).where(laters.c.delivery_id.in_((passed_on, delivery.id))))
    deliver_again(connection, delivery.workspace_id, new, step.at)
    record_action(connection, delivery, step.at, step.step, step.detail)
    return True


_channel_deliveries = (
    select(deliveries.c.id, deliveries.c.job_change_id)
    .where(one_of(deliveries.c.job_change_id, "ids"), deliveries.c.role == Role.FALLBACK)
    .order_by(deliveries.c.id)
)


def assign_unless_held(
    connection: Connection, job_change_ids: Collection[str], actor: str, to: str, now: int
) -> set[str]:
    """
    Record that job changes which were posted in a channel are now those of the Slack user `to`.

    Return the ids of those that a person has already taken or finished: the first one has them. The caller creates the
    deliveries to `to`, and calls this before, because of the order of locks.
    """
    rows = connection.execute(_channel_deliveries, {"ids": sorted(job_change_ids)}).all()
    missing = [{"delivery_id": row.id, "job_change_id": row.job_change_id, "state": HandlingState.OPEN} for row in rows]
    if missing:
        connection.execute(insert_missing(connection, handlings, "delivery_id"), missing)
    of_these = handlings.c.job_change_id.in_(sorted(job_change_ids))
    locked = select(handlings.c.delivery_id, handlings.c.job_change_id, handlings.c.state).where(of_these)
    current = connection.execute(locked.order_by(handlings.c.delivery_id).with_for_update()).all()
    held = {row.job_change_id for row in current if row.state in HELD}
    for row in rows:
        if row.job_change_id not in held:
            _set_handling(connection, row.id, HandlingState.REASSIGNED, actor, now, to)
    return held


def report(connection: Connection, delivery: Delivery, actor: str, kind: str, words: str | None, now: int) -> None:
    """Record what `actor` says is wrong with the data. A later report of the same person replaces the earlier one."""
    row = {"job_change_id": delivery.job_change_id, "actor": actor, "workspace_id": delivery.workspace_id}
    values = {"at": now, "kind": kind, "words": words}
    connection.execute(insert_missing(connection, wrong_data, "job_change_id", "actor"), [row | values])
    by_actor = (wrong_data.c.job_change_id == delivery.job_change_id) & (wrong_data.c.actor == actor)
    connection.execute(update(wrong_data).where(by_actor).values(values))
    record_action(connection, delivery, now, Step.REPORTED, f"{kind}, by {actor}")


def count_reports(connection: Connection, workspace_id: str, since: int) -> int:
    """Count the reports of wrong data since this time (milliseconds). Those about tests are not counted."""
    recent = (wrong_data.c.workspace_id == workspace_id) & (wrong_data.c.at >= since)
    real = wrong_data.join(job_changes, job_changes.c.id == wrong_data.c.job_change_id)
    query = select(func.count()).select_from(real).where(recent, job_changes.c.source != TEST_SOURCE)
    count: int = connection.execute(query).scalar_one()
    return count


_deliveries_of = (
    select(deliveries.c.id).where(deliveries.c.job_change_id == bindparam("of_job_change")).order_by(deliveries.c.id)
)
_lock_handlings = (
    select(handlings.c.delivery_id)
    .where(handlings.c.job_change_id == bindparam("of_job_change"))
    .order_by(handlings.c.delivery_id)
    .with_for_update()
)


def _lock(connection: Connection, delivery: Delivery) -> Handling | None:
    """
    Lock what people did with the job change, and return why the delivery is no longer open; None if it is.

    Every delivery has a row from now on, so that two people who use different messages wait for each other.
    """
    key = {"of_job_change": delivery.job_change_id}
    row = {"job_change_id": delivery.job_change_id, "state": HandlingState.OPEN}
    rows = [{"delivery_id": delivery_id, **row} for delivery_id in connection.execute(_deliveries_of, key).scalars()]
    connection.execute(insert_missing(connection, handlings, "delivery_id"), rows)
    connection.execute(_lock_handlings, key).all()
    history = histories.histories(connection, [delivery.job_change_id])[delivery.job_change_id]
    return history.closed_by(delivery.id, delivery.created_at, in_person=is_person(delivery.destination))


def _set_handling(
    connection: Connection, delivery_id: int, state: HandlingState, actor: str, now: int, given_to: str | None = None
) -> None:
    values = {"state": state, "actor": actor, "at": now, "given_to": given_to}
    connection.execute(update(handlings).where(handlings.c.delivery_id == delivery_id).values(values))


def _delete_snoozes(connection: Connection, job_change_id: str) -> None:
    connection.execute(delete(laters).where(laters.c.job_change_id == job_change_id))


def record_action(connection: Connection, delivery: Delivery, now: int, step: str, detail: str) -> None:
    """
    Add the action to the trace, and mark every message about the job change to be redrawn.

    Call this last in a transaction, because lanes are locked before job changes everywhere.
    """
    connection.execute(update(job_changes).where(job_changes.c.id == delivery.job_change_id).values(acted_at=now))
    add_steps(connection, [TraceStep(delivery.job_change_id, now, step, detail)])
    redraws.mark(connection, delivery.job_change_id, now)
    decisions.record_acted(connection, delivery, step, now)
    webhooks.queue_action(connection, step, delivery.job_change_id, now)


def snooze(connection: Connection, delivery: Delivery, actor: str, due_at: int, now: int) -> None:
    """Deliver it again at `due_at`. A later choice replaces the earlier one."""
    row = {"delivery_id": delivery.id, "job_change_id": delivery.job_change_id, "actor": actor}
    connection.execute(insert_missing(connection, laters, "delivery_id"), [row])
    of_delivery = laters.c.delivery_id == delivery.id
    connection.execute(update(laters).where(of_delivery).values(actor=actor, due_at=due_at, back_at=None))
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
