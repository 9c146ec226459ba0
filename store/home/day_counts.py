"""Day counts: how many job changes ended on each day and how, without tests. A day is counted once it is over."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, func, select

from domain.day_counts import DAY_MS, MUTED, OUTCOMES, DayCount
from domain.job_change.model import TEST_SOURCE
from domain.states import Outcome, WorkspaceState
from store.schema import attached_reports, day_counts, job_changes, workspaces
from store.schema.upserts import insert_missing

_stored = select(day_counts.c.day, *(day_counts.c[name] for name in OUTCOMES)).where(
    day_counts.c.workspace_id == bindparam("of_workspace"), day_counts.c.day >= bindparam("first")
)
_day = job_changes.c.ended_at // DAY_MS
_ended_on = (
    select(_day, job_changes.c.outcome, job_changes.c.told, func.count())
    .where(
        job_changes.c.workspace_id == bindparam("of_workspace"),
        job_changes.c.ended_at >= bindparam("since"),
        job_changes.c.ended_at < bindparam("until"),
        job_changes.c.source != TEST_SOURCE,
    )
    .group_by(_day, job_changes.c.outcome, job_changes.c.told)
)
_day_attached = attached_reports.c.at // DAY_MS
_attached_on = (
    select(_day_attached, func.count())
    .where(
        attached_reports.c.workspace_id == bindparam("of_workspace"),
        attached_reports.c.at >= bindparam("since"),
        attached_reports.c.at < bindparam("until"),
    )
    .group_by(_day_attached)
)
_first_end = select(func.min(job_changes.c.ended_at)).where(
    job_changes.c.workspace_id == bindparam("of_workspace"), job_changes.c.ended_at >= bindparam("since")
)
_days_stored = (
    select(func.count())
    .where(
        day_counts.c.workspace_id == workspaces.c.id, day_counts.c.day.between(bindparam("first"), bindparam("last"))
    )
    .scalar_subquery()
)
_incomplete = (
    select(workspaces.c.id)
    .where(workspaces.c.state == WorkspaceState.ACTIVE, _days_stored < bindparam("last") - bindparam("first") + 1)
    .order_by(workspaces.c.id)
)


def stored(connection: Connection, workspace_id: str, first: int) -> dict[int, DayCount]:
    """Return the stored counts from this day on, by the numbers of their days."""
    rows = connection.execute(_stored, {"of_workspace": workspace_id, "first": first})
    return {row.day: DayCount(row.day, dict(zip(OUTCOMES, row[1:], strict=True))) for row in rows}


def incomplete(connection: Connection, first: int, last: int) -> list[str]:
    """Return the active workspaces for which not all days from `first` to `last` are stored."""
    return list(connection.execute(_incomplete, {"first": first, "last": last}).scalars())


def count(connection: Connection, workspace_id: str, numbers: Sequence[int]) -> list[DayCount]:
    """Count what has ended on these days so far, in one statement for all days from the first to the last one."""
    if not numbers:
        return []
    key = {"of_workspace": workspace_id, "since": min(numbers) * DAY_MS, "until": (max(numbers) + 1) * DAY_MS}
    ended = {number: dict.fromkeys(OUTCOMES, 0) for number in range(min(numbers), max(numbers) + 1)}
    for number, outcome, sent_to, counted in connection.execute(_ended_on, key):
        ended[number][f"told_{sent_to}" if outcome == Outcome.DELIVERED else outcome] = counted
    for number, counted in connection.execute(_attached_on, key):  # these are stored as muted
        ended[number][MUTED] -= counted
    return [DayCount(number, {name: ended[number][name] for name in OUTCOMES}) for number in numbers]


def fill(connection: Connection, workspace_id: str, first: int, last: int, most: int) -> dict[int, DayCount]:
    """
    Count some of the days from `first` to `last` that are not stored, and return those that are stored now.

    Days before anything ended are all counted at once, and at most `most` of the later ones. A job change that is
    retried later counts when it ends again.
    """
    counts = stored(connection, workspace_id, first)
    missing = [number for number in range(first, last + 1) if number not in counts]
    if not missing:
        return counts
    first_end = connection.execute(
        _first_end, {"of_workspace": workspace_id, "since": missing[0] * DAY_MS}
    ).scalar_one()
    first_day = last + 1 if first_end is None else first_end // DAY_MS
    empty = [number for number in missing if number < first_day]
    counted = [DayCount(number, dict.fromkeys(OUTCOMES, 0)) for number in empty]
    counted += count(connection, workspace_id, missing[len(empty) : len(empty) + most])
    rows = [{"workspace_id": workspace_id, "day": day.number, **day.ended} for day in counted]
    connection.execute(insert_missing(connection, day_counts, "workspace_id", "day"), rows)
    return counts | {day.number: day for day in counted}
