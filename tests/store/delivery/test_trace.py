"""Steps in the trace: rows of earlier versions hold other words and are read as the steps of today."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from domain.delivery import TraceStep
from domain.states import Outcome, Step
from store.delivery.held_back import not_recorded
from store.delivery.trace import EARLIER_WORDS, add_steps, steps_of, stored_words
from store.intake import job_changes
from store.schema import job_changes as job_changes_table
from tests.conftest import SOMEDAY
from tests.store.sample_rows import add_routed, add_workspace


@pytest.mark.parametrize(("stored", "read"), EARLIER_WORDS.items())
async def test_a_step_of_an_earlier_version_is_read_as_todays(database, stored, read):
    """The row keeps its word. Everything above the store sees one word for one step."""
    await database.run(add_workspace)
    (job_change_id,) = await database.run(add_routed, "U_DANA")
    await database.run(add_steps, [TraceStep(job_change_id, SOMEDAY, stored, "by U_DANA")])

    assert await database.run(steps_of, job_change_id) == [TraceStep(job_change_id, SOMEDAY, read, "by U_DANA")]
    assert stored in stored_words(read)


@pytest.mark.parametrize("stored", stored_words(Step.FAILED))
async def test_a_failure_in_the_trace_is_not_listed_twice(database, stored):
    """The outcome is added as a step only if no stored step says it, in the words of any version."""
    await database.run(add_workspace)
    (job_change_id,) = await database.run(add_routed, "U_DANA")
    await database.run(add_steps, [TraceStep(job_change_id, SOMEDAY, stored, "it was refused")])
    ended = {"outcome": Outcome.FAILED, "reason": "it was refused", "ended_at": SOMEDAY}
    await database.run(lambda connection: connection.execute(update(job_changes_table).values(ended)))

    record = await database.run(job_changes.find, "T1", job_change_id)

    assert [step.step for step in record.trace].count(Step.FAILED) == 1


@pytest.mark.parametrize("stored", stored_words(Step.HELD_BACK))
async def test_a_step_that_holds_back_is_recorded_once(database, stored):
    """Also if an earlier version has recorded it."""
    await database.run(add_workspace)
    (job_change_id,) = await database.run(add_routed, "U_DANA")
    await database.run(add_steps, [TraceStep(job_change_id, SOMEDAY, stored, "until Monday")])
    again = TraceStep(job_change_id, SOMEDAY + 1, Step.HELD_BACK, "until Monday")
    changed = TraceStep(job_change_id, SOMEDAY + 1, Step.HELD_BACK, "until Tuesday")

    assert await database.run(not_recorded, [again, changed]) == [changed]
