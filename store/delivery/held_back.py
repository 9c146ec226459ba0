"""Keeping a lane until its reader wants to read: their hours as a statement joins them, and what the trace says."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, select, update

from domain.delivery import TraceStep
from domain.notification_hours import NotificationHours
from store.schema import lanes, member_preferences, trace

HOURS = tuple(member_preferences.c[name] for name in NotificationHours.__dataclass_fields__)
"""The columns of a `NotificationHours`, in its order."""

KEPT = "kept"
"""The step in the trace of a job change that waits for its reader."""

of_reader: ColumnElement[bool] = (member_preferences.c.workspace_id == lanes.c.workspace_id) & (
    member_preferences.c.user_id == lanes.c.destination
)
"""Joins a lane with what its reader prefers; channels prefer nothing."""

keep_empty = (
    update(lanes)
    .where(lanes.c.id == bindparam("of_lane"), lanes.c.due_at.is_(None))
    .values(due_at=bindparam("until"), kept_until=bindparam("until"))
)
"""A lane in which nothing waited before."""

keep_claimed = (
    update(lanes)
    .where(lanes.c.id == bindparam("of_lane"))
    .values(lease=None, due_at=bindparam("until"), kept_until=bindparam("until"))
)


def hours_of(row: Row[Any]) -> NotificationHours | None:
    """From a row that has HOURS; None: they prefer nothing."""
    values = row._mapping  # noqa: SLF001 - its documented API
    return None if values[HOURS[0]] is None else NotificationHours(*(values[column] for column in HOURS))


_of_readers = select(member_preferences.c.user_id, *HOURS).where(
    member_preferences.c.workspace_id == bindparam("of_workspace"),
    member_preferences.c.user_id.in_(bindparam("users", expanding=True)),
)


def hours_of_readers(
    connection: Connection, workspace_id: str, user_ids: Collection[str]
) -> dict[str, NotificationHours]:
    """By Slack user, of those who prefer any."""
    rows = connection.execute(_of_readers, {"of_workspace": workspace_id, "users": list(user_ids)})
    return {row.user_id: hours for row in rows if (hours := hours_of(row))}


def unsaid(connection: Connection, steps: Sequence[TraceStep]) -> list[TraceStep]:
    """Those that the traces do not have yet: until when something is kept was said when it was promised, as a rule."""
    ids = {step.job_change_id for step in steps}
    said = select(trace.c.job_change_id, trace.c.detail).where(trace.c.job_change_id.in_(ids), trace.c.step == KEPT)
    known = {tuple(row) for row in connection.execute(said)}
    return [step for step in steps if (step.job_change_id, step.detail) not in known]


def kept_step(job_change_id: str, hours: NotificationHours, since: int, now: int) -> TraceStep:
    """Until when what was promised at *since* is kept by its reader's preferences, and which of them does it."""
    until = hours.held_until(since, now)
    detail = (
        f"until {hours.format_moment(until)}: their {hours.hold_reason(since, now)}"
        if until > now
        else "not any longer"
    )
    return TraceStep(job_change_id, now, KEPT, detail)
