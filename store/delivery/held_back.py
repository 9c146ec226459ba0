"""Holding a lane back until the hours that its reader has chosen: the columns to join, and the steps in the trace."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, select, update

from domain.delivery import TraceStep
from domain.notification_hours import NotificationHours
from domain.states import Step
from store.delivery.trace import stored_words
from store.schema import lanes, member_preferences, trace
from store.schema.lists import one_of

HOURS = tuple(member_preferences.c[name] for name in NotificationHours.__dataclass_fields__)
"""The columns of a `NotificationHours`, in the order of its fields."""

of_reader: ColumnElement[bool] = (member_preferences.c.workspace_id == lanes.c.workspace_id) & (
    member_preferences.c.user_id == lanes.c.destination
)
"""Joins a lane with the preferences of its reader. Channels have none."""

hold_empty_lane = (
    update(lanes)
    .where(lanes.c.id == bindparam("of_lane"), lanes.c.due_at.is_(None))
    .values(due_at=bindparam("until"), kept_until=bindparam("until"))
)
"""Holds back a lane in which nothing was waiting."""

hold_claimed_lane = (
    update(lanes)
    .where(lanes.c.id == bindparam("of_lane"))
    .values(lease=None, due_at=bindparam("until"), kept_until=bindparam("until"))
)


def hours_of(row: Row[Any]) -> NotificationHours | None:
    """Read the hours from a row that has the columns HOURS. None means that nothing was chosen."""
    values = row._mapping  # noqa: SLF001 - its documented API
    return None if values[HOURS[0]] is None else NotificationHours(*(values[column] for column in HOURS))


_of_readers = select(member_preferences.c.user_id, *HOURS).where(
    member_preferences.c.workspace_id == bindparam("of_workspace"),
    one_of(member_preferences.c.user_id, "users"),
)


def hours_of_readers(
    connection: Connection, workspace_id: str, user_ids: Collection[str]
) -> dict[str, NotificationHours]:
    """Return the hours by Slack user, of those who have chosen any."""
    rows = connection.execute(_of_readers, {"of_workspace": workspace_id, "users": list(user_ids)})
    return {row.user_id: hours for row in rows if (hours := hours_of(row))}


def not_recorded(connection: Connection, steps: Sequence[TraceStep]) -> list[TraceStep]:
    """Return the steps that the traces do not hold yet. Usually a step was recorded when its delivery was added."""
    ids = {step.job_change_id for step in steps}
    words = stored_words(Step.HELD_BACK)
    query = select(trace.c.job_change_id, trace.c.detail).where(trace.c.job_change_id.in_(ids), trace.c.step.in_(words))
    recorded = {tuple(row) for row in connection.execute(query)}
    return [step for step in steps if (step.job_change_id, step.detail) not in recorded]


def held_step(job_change_id: str, hours: NotificationHours, since: int, now: int) -> TraceStep:
    """Return the step that says until when a delivery of the time `since` is held back, and by which preference."""
    until = hours.held_until(since, now)
    detail = (
        f"until {hours.format_moment(until)}: their {hours.hold_reason(since, now)}" if until > now else "no longer"
    )
    return TraceStep(job_change_id, now, Step.HELD_BACK, detail)
