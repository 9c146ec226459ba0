"""Storing how posts ended, for many lanes in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, and_, bindparam, case, exists, func, or_, select, update

from domain.decision.reasons import to_stored
from domain.decision.sentences import for_reader
from domain.delivery import ClaimedDelivery, NewDelivery, TraceStep
from domain.states import DEFAULT_CHANNEL, DeliveryState, Outcome, Role, Step
from domain.workspace import WebhookEvent
from store.delivery import decisions, redraws, reminders, webhooks
from store.delivery.deliveries import add_deliveries, deliver_again
from store.delivery.due_lanes import LANES
from store.delivery.settlements import Failed, InDoubt, Moved, Parked, Postponed, Sent, Settlement
from store.delivery.trace import add_steps
from store.schema import deliveries, delivery_reasons, job_changes, lanes, posts, workspaces
from store.schema.lists import one_of

LANE_GAP_MS = 1_000
"""One message a second for each channel: https://docs.slack.dev/apis/web-api/rate-limits"""


def settle(connection: Connection, settlements: list[Settlement]) -> list[int | None]:
    """
    Store how each post went. Return when each lane is due next.

    None means that nothing is waiting in the lane, or that its lease was lost. Then only `Sent` is stored.
    """
    # Workspaces are locked before lanes, in the same order everywhere, so that two replicas cannot deadlock.
    if changed := {item.claim.workspace_id for item in settlements if isinstance(item, Moved | Parked)}:
        connection.execute(_lock_workspaces, {"ids": sorted(changed)})
    leases = LANES.lock(connection, {item.claim.lane_id for item in settlements})
    ours = [item for item in settlements if leases.get(item.claim.lane_id) == item.claim.lease]
    _store_sent(connection, [item for item in settlements if isinstance(item, Sent)])
    for settlement in ours:
        match settlement:
            case Sent():
                pass
            case Postponed():
                _postpone(connection, settlement)
            case InDoubt():
                _leave_in_doubt(connection, settlement)
            case Failed():
                _fail(connection, settlement, settlement.claim.deliveries)
            case Moved():
                _move(connection, settlement)
            case Parked():
                _park(connection, settlement)
    due = _release_sent(connection, [item for item in ours if isinstance(item, Sent)])
    if others := {item.claim.lane_id for item in ours if not isinstance(item, Sent)}:
        due |= {row.id: row.due_at for row in connection.execute(_due_times, {"ids": sorted(others)})}
    return [due.get(item.claim.lane_id) for item in settlements]


_lock_workspaces = (
    select(workspaces.c.id).where(one_of(workspaces.c.id, "ids")).order_by(workspaces.c.id).with_for_update()
)
_due_times = select(lanes.c.id, lanes.c.due_at).where(one_of(lanes.c.id, "ids"))


_set_post_sent = (
    update(posts)
    # If the message is there twice, the one that was recorded first is updated from then on.
    .where(posts.c.id == bindparam("of_post"), posts.c.state != "sent")
    .values(state="sent", channel=bindparam("to_channel"), ts=bindparam("message_ts"))
)
_set_delivered = (
    update(deliveries)
    .where(one_of(deliveries.c.post_id, "post_ids"), deliveries.c.state == DeliveryState.SENDING)
    .values(state=DeliveryState.DELIVERED, settled_at=bindparam("at"), last_error=None, last_code=None)
    .returning(deliveries.c.post_id)
)
_set_outcome = (
    update(job_changes)
    .where(job_changes.c.id == bindparam("of_job_change"))
    .values(
        outcome=bindparam("new_outcome"), told=bindparam("notified"), reason=bindparam("why"), ended_at=bindparam("at")
    )
)
# The other side of the job change may have been posted in a channel before. The DRI takes precedence.
_set_delivered_outcome = _set_outcome.where(
    or_(
        job_changes.c.ended_at.is_(None),
        and_(
            bindparam("notified") == "dri",
            job_changes.c.outcome == Outcome.DELIVERED,
            job_changes.c.told == "channel",
        ),
    )
).values(ended_at=func.coalesce(job_changes.c.ended_at, bindparam("at")))


def _store_sent(connection: Connection, sent: Sequence[Sent]) -> None:
    if not sent:
        return
    connection.execute(
        _set_post_sent,
        [{"of_post": item.claim.post_id, "to_channel": item.channel, "message_ts": item.ts} for item in sent],
    )
    now = max(item.at for item in sent)  # one time for all makes one statement for all
    values = {"post_ids": [item.claim.post_id for item in sent], "at": now}
    # Another replica may have settled a post before. Its reminders may be on their way already.
    delivered_now = set(connection.execute(_set_delivered, values).scalars())
    reminders.schedule(
        connection, {item.claim.post_id: item.at for item in sent if item.claim.post_id in delivered_now}
    )
    # A copy may have become a fallback while it was being sent, see `_move`.
    copies = [delivery.id for item in sent for delivery in item.claim.deliveries if delivery.role == Role.COPY]
    rows = connection.execute(_roles, {"ids": copies}) if copies else ()
    roles = {row.id: (row.role, row.reasons) for row in rows}
    ended = [
        _ended(delivery, Outcome.DELIVERED, "dri" if role == Role.DRI else "channel", for_reader(reasons), item.at)
        for item in sent
        for delivery in item.claim.deliveries
        for role, reasons in [roles.get(delivery.id, (delivery.role, delivery.reasons))]
        if role != Role.COPY
    ]
    if ended:
        connection.execute(_set_delivered_outcome, ended)
    delivered = [str(values["of_job_change"]) for values in ended]
    decisions.record_sent(connection, delivered)
    webhooks.queue(connection, WebhookEvent.DELIVERED, delivered, now)


_roles = select(deliveries.c.id, deliveries.c.role, delivery_reasons).where(one_of(deliveries.c.id, "ids"))


def _ended(delivery: ClaimedDelivery, outcome: str, notified: str | None, why: str, at: int) -> dict[str, object]:
    key = delivery.job_change_id
    return {"of_job_change": key, "new_outcome": outcome, "notified": notified, "why": why, "at": at}


_release = (
    update(lanes)
    .where(one_of(lanes.c.id, "ids"))
    .values(
        lease=None,
        failures=0,
        paced_until=bindparam("next"),
        due_at=case(
            (
                exists().where(deliveries.c.lane_id == lanes.c.id, deliveries.c.state == DeliveryState.PENDING),
                bindparam("next"),
            ),
            else_=None,
        ),
    )
)
_release_and_return = _release.returning(lanes.c.id, lanes.c.due_at)
_set_dm = update(lanes).where(lanes.c.id == bindparam("of_lane")).values(dm=bindparam("new_dm"))


def _release_sent(connection: Connection, sent: Sequence[Sent]) -> dict[int, int | None]:
    """Release the lanes of these posts. Return when each is due next."""
    if not sent:
        return {}
    if learned := [item for item in sent if item.channel not in {item.claim.channel, item.claim.dm}]:
        connection.execute(_set_dm, [{"of_lane": item.claim.lane_id, "new_dm": item.channel} for item in learned])
    values = {"ids": [item.claim.lane_id for item in sent], "next": max(item.at for item in sent) + LANE_GAP_MS}
    return {row.id: row.due_at for row in connection.execute(_release_and_return, values)}


_reschedule = (
    update(lanes)
    .where(lanes.c.id == bindparam("of_lane"))
    .values(lease=None, due_at=bindparam("due"), failures=bindparam("new_failures"))
)
_set_post_failed = update(posts).where(posts.c.id == bindparam("of_post")).values(state="failed")
_make_pending = (
    update(deliveries)
    .where(deliveries.c.post_id == bindparam("of_post"), deliveries.c.state == DeliveryState.SENDING)
    .values(
        state=DeliveryState.PENDING,
        post_id=None,
        last_error=bindparam("error"),
        last_code=bindparam("code"),
        attempts=deliveries.c.attempts - bindparam("not_counted"),
        plainness=deliveries.c.plainness + bindparam("simpler_by"),
    )
)


def _undo_post(connection: Connection, item: Postponed | Parked, *, is_failure: bool, simplify: bool = False) -> None:
    changes = {"not_counted": 0 if is_failure else 1, "simpler_by": 1 if simplify else 0}
    error = {"error": item.reason, "code": item.code or None}
    connection.execute(_make_pending, {"of_post": item.claim.post_id, **changes, **error})
    connection.execute(_set_post_failed, {"of_post": item.claim.post_id})


def _postpone(connection: Connection, item: Postponed) -> None:
    _undo_post(connection, item, is_failure=item.is_failure, simplify=item.simplify)
    if item.simplify:
        _trace(connection, item.claim.deliveries, item.at, Step.SIMPLIFIED, item.reason)
    failures = item.claim.failures + 1 if item.is_failure and not item.simplify else item.claim.failures
    connection.execute(_reschedule, {"of_lane": item.claim.lane_id, "due": item.due_at, "new_failures": failures})


_add_doubt = (
    update(posts)
    .where(posts.c.id == bindparam("of_post"), posts.c.state == DeliveryState.SENDING)
    .values(doubts=posts.c.doubts + bindparam("by"))
)


def _leave_in_doubt(connection: Connection, item: InDoubt) -> None:
    claim = item.claim
    connection.execute(_add_doubt, {"of_post": claim.post_id, "by": 1 if item.by_answer else 0})
    if item.by_answer:
        _trace(connection, claim.deliveries, item.at, Step.IN_DOUBT, item.reason)
    values = {"of_lane": claim.lane_id, "due": item.due_at, "new_failures": claim.failures + 1}
    connection.execute(_reschedule, values)


_end_deliveries = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("of_delivery"), deliveries.c.state == DeliveryState.SENDING)
    .values(state=bindparam("new_state"), settled_at=bindparam("at"))
    .values(last_error=bindparam("error"), last_code=bindparam("code"))
)


def _end(connection: Connection, item: Failed | Moved, ended: Iterable[ClaimedDelivery], state: str) -> None:
    error = {"at": item.at, "error": item.reason, "code": item.code or None}
    rows = [{"of_delivery": delivery.id, "new_state": state, **error} for delivery in ended]
    if rows:
        connection.execute(_end_deliveries, rows)


def _fail(connection: Connection, item: Failed | Moved, failed: Sequence[ClaimedDelivery]) -> None:
    _end(connection, item, failed, DeliveryState.FAILED)
    deciding = [delivery for delivery in failed if delivery.role != Role.COPY]
    if deciding:  # even if the other side has been delivered, so that the failed side can be retried
        rows = [_ended(delivery, Outcome.FAILED, None, item.reason, item.at) for delivery in deciding]
        connection.execute(_set_outcome, rows)
        failed_ids = [delivery.job_change_id for delivery in deciding]
        webhooks.queue(connection, WebhookEvent.FAILED, failed_ids, item.at)
    _trace(connection, failed, item.at, Step.FAILED, item.reason)
    connection.execute(_set_post_failed, {"of_post": item.claim.post_id})
    connection.execute(_release, {"ids": [item.claim.lane_id], "next": item.at + LANE_GAP_MS})


_promote_copies = (
    update(deliveries)
    .where(
        deliveries.c.job_change_id == bindparam("of_job_change"),
        deliveries.c.lane_id.in_(
            select(lanes.c.id).where(
                lanes.c.workspace_id == bindparam("of_workspace"), lanes.c.destination == DEFAULT_CHANNEL
            )
        ),
        deliveries.c.role == Role.COPY,
    )
    .values(role=Role.FALLBACK, reason=bindparam("why"), reasons=bindparam("why_stored"), rule=bindparam("by_rule"))
    .returning(deliveries.c.state)
)


def _move(connection: Connection, item: Moved) -> None:
    claim = item.claim
    moved = [delivery for delivery in claim.deliveries if delivery.role != Role.COPY]
    _end(connection, item, moved, DeliveryState.MOVED)
    _trace(connection, moved, item.at, Step.MOVED, item.reason)
    decisions.record_unreachable(connection, moved, claim.destination, item.problem)
    new: list[NewDelivery] = []
    for delivery in moved:
        # A fallback keeps the reason why it was one, in front of the new reason.
        earlier_reasons = delivery.reasons if delivery.role == Role.FALLBACK else ()
        reasons, key = (*earlier_reasons, *item.reasons), delivery.job_change_id
        new.append(NewDelivery(key, DEFAULT_CHANNEL, Role.FALLBACK, reasons, delivery.side, delivery.rule))
        # The default channel may already have a copy. That copy then becomes the fallback.
        why = for_reader(reasons)
        values = {"of_job_change": key, "of_workspace": claim.workspace_id, "by_rule": delivery.rule}
        values |= {"why": why, "why_stored": to_stored(reasons)}
        if connection.execute(_promote_copies, values).scalar_one_or_none() == DeliveryState.DELIVERED:
            connection.execute(_set_delivered_outcome, _ended(delivery, Outcome.DELIVERED, "channel", why, item.at))
            decisions.record_sent(connection, [key])
            webhooks.queue(connection, WebhookEvent.DELIVERED, [key], item.at)
    add_deliveries(connection, claim.workspace_id, new, item.at)
    acted_on = {delivery.job_change_id for delivery in moved if delivery.acted_at is not None}
    for fallback in new:
        if fallback.job_change_id in acted_on:  # a failed reassignment: the channel may have had it before
            deliver_again(connection, claim.workspace_id, fallback, item.at)
            redraws.mark(connection, fallback.job_change_id, item.at)
    _fail(connection, item, [delivery for delivery in claim.deliveries if delivery.role == Role.COPY])


_set_channel_problem = (
    update(workspaces)
    .where(workspaces.c.id == bindparam("of_workspace"), workspaces.c.default_channel_id == bindparam("channel"))
    .values(default_channel_problem=bindparam("problem"))
)


def _park(connection: Connection, item: Parked) -> None:
    claim = item.claim
    values = {"of_workspace": claim.workspace_id, "channel": claim.channel, "problem": item.reason}
    is_current = connection.execute(_set_channel_problem, values).rowcount
    _undo_post(connection, item, is_failure=False)
    # If an admin has chosen another channel meanwhile, that one is tried at once.
    due = None if is_current else item.at
    connection.execute(_reschedule, {"of_lane": claim.lane_id, "due": due, "new_failures": 0})


def _trace(connection: Connection, changed: Iterable[ClaimedDelivery], at: int, step: Step, detail: str) -> None:
    add_steps(connection, [TraceStep(delivery.job_change_id, at, step, detail) for delivery in changed])
