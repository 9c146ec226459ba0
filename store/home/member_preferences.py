"""When and how members want to be notified, and what is held back for them."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection, and_, bindparam, func, select, update

from domain.notification_hours import HeldBack, NotificationHours
from store.delivery.held_back import held_step, hours_of_readers
from store.delivery.trace import add_steps
from store.schema import PENDING, deliveries, lanes, member_preferences
from store.schema.upserts import insert_missing

_lane = select(lanes.c.id, lanes.c.lease, lanes.c.paced_until, lanes.c.kept_until).where(
    lanes.c.workspace_id == bindparam("of_workspace"), lanes.c.destination == bindparam("of_user")
)
_is_pending = and_(
    deliveries.c.lane_id == bindparam("of_lane"),
    deliveries.c.state == PENDING,
)
_pending = select(deliveries.c.job_change_id, deliveries.c.created_at).where(_is_pending).order_by(deliveries.c.id)
_count_pending = select(func.count(), func.min(deliveries.c.created_at)).where(_is_pending)
_schedule = (
    update(lanes)
    .where(lanes.c.id == bindparam("of_lane"))
    .values(due_at=bindparam("due"), kept_until=bindparam("until"))
)


def find(connection: Connection, workspace_id: str, user_id: str) -> NotificationHours:
    """Return the default hours if nothing was chosen."""
    return hours_of_readers(connection, workspace_id, [user_id]).get(user_id) or NotificationHours()


def save(connection: Connection, workspace_id: str, user_id: str, hours: NotificationHours, now: int) -> None:
    """Store the hours, and hold back or release what is waiting for the member accordingly."""
    key = {"workspace_id": workspace_id, "user_id": user_id}
    missing = insert_missing(connection, member_preferences, "workspace_id", "user_id")
    connection.execute(missing, [key | {"changed_at": now}])
    is_theirs = (member_preferences.c.workspace_id == workspace_id) & (member_preferences.c.user_id == user_id)
    chosen = {name: getattr(hours, name) for name in NotificationHours.__dataclass_fields__}
    connection.execute(update(member_preferences).where(is_theirs).values(**chosen, changed_at=now))
    # Create and lock their lane, so that a delivery that is being added at this moment waits or is seen.
    lane_row = {"workspace_id": workspace_id, "destination": user_id}
    connection.execute(insert_missing(connection, lanes, "workspace_id", "destination"), [lane_row])
    lane = connection.execute(_lane.with_for_update(), {"of_workspace": workspace_id, "of_user": user_id}).one()
    if lane.lease is not None:  # it is being posted to, and `lanes.claim` reads the hours each time
        return
    pending = connection.execute(_pending, {"of_lane": lane.id}).all()
    since = min((row.created_at for row in pending), default=now)
    until = hours.held_until(since, now)
    was_held = lane.kept_until is not None and lane.kept_until > now
    if not pending or until == lane.kept_until or (until == now and not was_held):
        return
    held_until = until if until > now else None
    connection.execute(_schedule, {"of_lane": lane.id, "due": max(until, lane.paced_until), "until": held_until})
    add_steps(connection, [held_step(row.job_change_id, hours, since, now) for row in pending])


def update_time_zone(connection: Connection, workspace_id: str, user_id: str, tz: str | None, now: int) -> None:
    """Store the time zone that Slack reports. Does nothing for a member without preferences."""
    hours = hours_of_readers(connection, workspace_id, [user_id]).get(user_id)
    if hours and tz and hours.tz != tz:
        save(connection, workspace_id, user_id, replace(hours, tz=tz), now)


def held_back(connection: Connection, workspace_id: str, user_id: str, now: int) -> HeldBack:
    """Return what is held back for this member at `now`."""
    lane = connection.execute(_lane, {"of_workspace": workspace_id, "of_user": user_id}).one_or_none()
    if lane is None:
        return HeldBack()
    count, since = connection.execute(_count_pending, {"of_lane": lane.id}).one()
    held_until = lane.kept_until if count and lane.kept_until is not None and lane.kept_until > now else None
    return HeldBack(count, since, held_until)
