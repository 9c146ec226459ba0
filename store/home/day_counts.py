"""Day counts: how many job changes ended on each day and how. A day is counted once it is over."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, func, select

from domain.day_counts import DAY_MS, OUTCOMES, DayCount
from domain.states import Outcome
from store.database import insert_missing
from store.schema import day_counts, job_changes

_stored = select(day_counts.c.day, *(day_counts.c[name] for name in OUTCOMES)).where(
    day_counts.c.workspace_id == bindparam("of_workspace"), day_counts.c.day >= bindparam("first")
)
_ended_on = (
    select(job_changes.c.outcome, job_changes.c.told, func.count())
    .where(
        job_changes.c.workspace_id == bindparam("of_workspace"),
        job_changes.c.ended_at >= bindparam("since"),
        job_changes.c.ended_at < bindparam("until"),
    )
    .group_by(job_changes.c.outcome, job_changes.c.told)
)


def stored(connection: Connection, workspace_id: str, first: int) -> dict[int, DayCount]:
    """Return the stored counts from this day on, by the numbers of their days."""
    rows = connection.execute(_stored, {"of_workspace": workspace_id, "first": first})
    return {row.day: DayCount(row.day, dict(zip(OUTCOMES, row[1:], strict=True))) for row in rows}


def count(connection: Connection, workspace_id: str, number: int) -> DayCount:
    """Count what has ended on a day so far."""
    key = {"of_workspace": workspace_id, "since": number * DAY_MS, "until": (number + 1) * DAY_MS}
    ended = dict.fromkeys(OUTCOMES, 0)
    for outcome, sent_to, counted in connection.execute(_ended_on, key):
        ended[f"told_{sent_to}" if outcome == Outcome.DELIVERED else outcome] = counted
    return DayCount(number, {name: ended[name] for name in OUTCOMES})


def store(connection: Connection, workspace_id: str, numbers: Sequence[int]) -> list[DayCount]:
    """Count days that are over and store the counts. A job change that is retried later counts when it ends again."""
    counted = [count(connection, workspace_id, number) for number in numbers]
    rows = [{"workspace_id": workspace_id, "day": day.number, **day.ended} for day in counted]
    connection.execute(insert_missing(connection, day_counts, "workspace_id", "day"), rows)
    return counted
