"""What happened to a job change beside what its own row tells, step by step; rows are only ever added."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, insert, select

from domain.delivery import TraceStep
from store.schema import trace


def add_steps(connection: Connection, steps: Sequence[TraceStep]) -> None:
    if steps:
        connection.execute(insert(trace), [vars(step) for step in steps])


def steps_of(connection: Connection, job_change_id: str) -> list[TraceStep]:
    """Every step of one job change, oldest first."""
    columns = (trace.c.job_change_id, trace.c.at, trace.c.step, trace.c.detail)
    rows = connection.execute(select(*columns).where(trace.c.job_change_id == job_change_id).order_by(trace.c.id))
    return [TraceStep(*row) for row in rows]
