"""Deliveries: one job change for one destination, added to the lane of that destination."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, case, select, update

from domain.decision.reasons import to_stored
from domain.decision.sentences import for_reader
from domain.delivery import NewDelivery
from domain.notification_hours import NotificationHours
from domain.states import DEFAULT_CHANNEL, DeliveryState, HandlingState, Role
from store.delivery import redraws
from store.delivery.held_back import HOURS, held_step, hold_empty_lane, hours_of, hours_of_readers, of_reader
from store.delivery.trace import add_steps
from store.schema import deliveries, earlier_posts, handlings, lanes, member_preferences, workspaces
from store.schema.lists import one_of
from store.schema.upserts import ManyRows, insert_missing

_lock_lanes = (
    select(lanes.c.destination, lanes.c.id, *HOURS)
    .outerjoin(member_preferences, of_reader)
    .where(
        lanes.c.workspace_id == bindparam("workspace_id"),
        one_of(lanes.c.destination, "destinations"),
    )
    .order_by(lanes.c.id)  # the same order everywhere, so that two replicas cannot deadlock
    .with_for_update(of=lanes)
)
has_usable_channel = workspaces.c.default_channel_id.is_not(None) & workspaces.c.default_channel_problem.is_(None)
"""Whether the app can post in the default channel of a workspace."""

_lock_default_channel = (
    select(has_usable_channel).where(workspaces.c.id == bindparam("workspace_id")).with_for_update(read=True)
)
make_due = (
    update(lanes)
    .where(one_of(lanes.c.id, "ids"), lanes.c.due_at.is_(None))
    .values(due_at=case((lanes.c.paced_until > bindparam("now"), lanes.c.paced_until), else_=bindparam("now")))
)
"""Schedules lanes that have no due time, as soon as their pace allows."""


def add_deliveries(connection: Connection, workspace_id: str, new: Sequence[NewDelivery], now: int) -> None:
    """
    Add deliveries to their lanes, in order, and make the lanes due.

    A paced lane stays paced. A lane is held back while the preferences of its reader say so, and the trace records
    it. The lane of the default channel stays parked while there is no default channel that can be posted to.
    """
    if not new:
        return
    destinations = {delivery.destination for delivery in new}
    is_parked = False
    if DEFAULT_CHANNEL in destinations:
        # The workspace is locked before any lane, everywhere, so that two replicas cannot deadlock. If an admin repairs
        # the channel at this moment, their transaction waits for ours, and then makes the lane due that we park.
        is_parked = not connection.execute(_lock_default_channel, {"workspace_id": workspace_id}).scalar_one()
    lane_ids, hours = _locked_lanes(connection, workspace_id, sorted(destinations))
    rows = [(workspace_id, lane_ids[delivery.destination], now, *_columns(delivery)) for delivery in new]
    _new_deliveries.add(connection, rows)
    if is_parked:
        del lane_ids[DEFAULT_CHANNEL]
    if held := {reader: chosen for reader, chosen in hours.items() if chosen.held_until(now, now) > now}:
        holds = [{"of_lane": lane_ids.pop(reader), "until": held[reader].held_until(now, now)} for reader in held]
        connection.execute(hold_empty_lane, holds)
        held_back = [delivery for delivery in new if delivery.destination in held]
        steps = [held_step(delivery.job_change_id, held[delivery.destination], now, now) for delivery in held_back]
        add_steps(connection, steps)
    connection.execute(make_due, {"ids": list(lane_ids.values()), "now": now})


_new_deliveries = ManyRows(
    deliveries,
    ("workspace_id", "lane_id", "created_at", "job_change_id", "state", "role", "reason", "reasons", "side", "rule"),
    unique=("job_change_id", "lane_id"),
)


def _columns(new: NewDelivery) -> tuple[str | None, ...]:
    state, role = DeliveryState.PENDING.value, Role(new.role).value
    reason, reasons = for_reader(new.reasons), to_stored(new.reasons)
    return new.job_change_id, state, role, reason, reasons, new.side and str(new.side), new.rule


_new_lanes = ManyRows(lanes, ("workspace_id", "destination"), unique=("workspace_id", "destination"))


def _locked_lanes(
    connection: Connection, workspace_id: str, destinations: list[str]
) -> tuple[dict[str, int], dict[str, NotificationHours]]:
    """Return the ids of the lanes, and the hours of those readers who have chosen any, both by destination."""
    _new_lanes.add(connection, [(workspace_id, destination) for destination in destinations])
    rows = connection.execute(_lock_lanes, {"workspace_id": workspace_id, "destinations": destinations}).all()
    ids = {row.destination: row.id for row in rows}
    readers = [row.destination for row in rows if hours_of(row)]
    # Read again under the lock: the preferences may have changed while we waited for it.
    return ids, hours_of_readers(connection, workspace_id, readers) if readers else {}


_of_destination = (
    select(deliveries.c.id, deliveries.c.state, deliveries.c.post_id)
    .join(lanes, lanes.c.id == deliveries.c.lane_id)
    .where(
        deliveries.c.job_change_id == bindparam("of_job_change"),
        lanes.c.workspace_id == bindparam("of_workspace"),
        lanes.c.destination == bindparam("to_destination"),
    )
)
_set_reason = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("of_delivery"))
    .values(
        role=bindparam("new_role"),
        reason=bindparam("new_reason"),
        reasons=bindparam("new_reasons"),
        side=bindparam("new_side"),
    )
)
_make_pending = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("of_delivery"))
    .values(
        state=DeliveryState.PENDING,
        attempts=0,
        plainness=0,
        post_id=None,
        last_error=None,
        last_code=None,
        settled_at=None,
        created_at=bindparam("now"),  # so that it is retried for another three days
    )
)
_reopen_handling = (
    update(handlings)
    .where(
        handlings.c.delivery_id == bindparam("of_delivery"),
        handlings.c.state.in_((HandlingState.REASSIGNED, HandlingState.RETURNED)),
    )
    .values(state=HandlingState.OPEN, actor=None, at=None, given_to=None)
)


def deliver_again(connection: Connection, workspace_id: str, new: NewDelivery, now: int) -> None:
    """
    Deliver to the destination of `new` as a new message, whether or not it already has one about this job change.

    There is one delivery for a job change and destination. If it was reassigned, it is open again. The message that
    carried it before is remembered, so that it can still be updated.
    """
    add_deliveries(connection, workspace_id, [new], now)  # this locks the lane, so that nobody settles meanwhile
    key = {"of_job_change": new.job_change_id, "of_workspace": workspace_id, "to_destination": new.destination}
    delivery_id, state, post_id = connection.execute(_of_destination, key).one()
    reasons = {"new_reason": for_reader(new.reasons), "new_reasons": to_stored(new.reasons)}
    values = {"of_delivery": delivery_id, "new_role": new.role, "new_side": new.side, **reasons}
    connection.execute(_set_reason, values)
    is_settled = state in {DeliveryState.DELIVERED, DeliveryState.FAILED, DeliveryState.MOVED}
    has_earlier_message = is_settled and post_id is not None
    if has_earlier_message:
        remember = insert_missing(connection, earlier_posts, "post_id", "delivery_id")
        connection.execute(remember, [{"post_id": post_id, "delivery_id": delivery_id}])
    if is_settled:
        connection.execute(_make_pending, {"of_delivery": delivery_id, "now": now})
    was_reassigned = connection.execute(_reopen_handling, {"of_delivery": delivery_id}).rowcount > 0
    if has_earlier_message or was_reassigned:
        redraws.mark(connection, new.job_change_id, now)  # it still shows the reason or the person of before
