"""The steps of a job change that its own row does not record. Rows are only ever added."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, insert, select

from domain.delivery import TraceStep
from domain.states import Step
from store.schema import trace

EARLIER_WORDS: dict[str, Step] = {
    "buried": Step.FAILED,
    "replayed": Step.RETRIED,
    "kept": Step.HELD_BACK,
    "refused by Slack, told again plainer": Step.SIMPLIFIED,
    "given": Step.REASSIGNED,
    "given back": Step.RETURNED,
    "put off": Step.SNOOZED,
    "came back": Step.SNOOZE_ENDED,
    "wrong data": Step.REPORTED,
    "passed on": Step.ESCALATED,
    "promised to the owner after all": Step.MATCHED,
}
"""Earlier versions stored these words. Their rows keep them, and are read as today's steps."""


def add_steps(connection: Connection, steps: Sequence[TraceStep]) -> None:
    if steps:
        connection.execute(insert(trace), [vars(step) for step in steps])


def steps_of(connection: Connection, job_change_id: str) -> list[TraceStep]:
    """Return the steps of one job change, oldest first, in today's words."""
    columns = (trace.c.job_change_id, trace.c.at, trace.c.step, trace.c.detail)
    rows = connection.execute(select(*columns).where(trace.c.job_change_id == job_change_id).order_by(trace.c.id))
    return [TraceStep(row.job_change_id, row.at, EARLIER_WORDS.get(row.step, row.step), row.detail) for row in rows]


def stored_words(step: Step) -> list[str]:
    """Return every word under which the step may be stored."""
    return [step, *(word for word, today in EARLIER_WORDS.items() if today == step)]
