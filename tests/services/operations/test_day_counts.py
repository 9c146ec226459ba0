"""Day counts are correct, per workspace, and counted once."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select, update

from domain.day_counts import DAY_MS
from services.operations.day_counts import CLOSES_AFTER_MS, DAYS_COUNTED, DayCounts
from store.schema import day_counts, job_changes
from tests.conftest import SOMEDAY
from tests.store.sample_rows import add_job_change, add_workspace

TODAY = SOMEDAY // DAY_MS


@pytest.fixture
async def counts(database, clock):
    await database.run(add_workspace)
    return DayCounts(database, clock)


def end(connection, at, outcome="delivered", told="dri", workspace_id="T1"):
    job_change_id = add_job_change(connection, workspace_id)
    values = {"outcome": outcome, "told": told, "ended_at": at, "due_at": None}
    connection.execute(update(job_changes).where(job_changes.c.id == job_change_id).values(values))
    return job_change_id


async def stored_days(database) -> int:
    return await database.run(lambda connection: connection.execute(select(func.count(day_counts.c.day))).scalar_one())


async def test_a_new_workspace_has_thirty_empty_days(counts):
    """The oldest day is first, today last."""
    days = await counts.for_workspace("T1")

    assert [day.number for day in days] == list(range(TODAY - DAYS_COUNTED + 1, TODAY + 1))
    assert all(count == 0 for day in days for count in day.ended.values())


async def test_a_job_change_counts_on_the_day_it_ended(counts, database):
    """A day is from midnight to midnight UTC. Older days and other workspaces do not count."""
    midnight = (TODAY - 1) * DAY_MS
    await database.run(add_workspace, "T2")
    for at, outcome, told in (
        (midnight, "delivered", "dri"),
        (midnight + DAY_MS - 1, "delivered", "channel"),
        (midnight - 1, "buried", None),
        (midnight + DAY_MS, "muted", None),
        ((TODAY - DAYS_COUNTED) * DAY_MS, "delivered", "dri"),
    ):
        await database.run(end, at, outcome, told)
    await database.run(end, midnight, workspace_id="T2")

    *_, before, yesterday, today = await counts.for_workspace("T1")

    assert before.ended == {"told_dri": 0, "told_channel": 0, "buried": 1, "muted": 0}
    assert yesterday.ended == {"told_dri": 1, "told_channel": 1, "buried": 0, "muted": 0}
    assert today.ended == {"told_dri": 0, "told_channel": 0, "buried": 0, "muted": 1}
    assert sum(day.ended["told_dri"] for day in await counts.for_workspace("T1")) == 1


@pytest.mark.both_databases
async def test_a_day_is_counted_for_good_an_hour_after_its_end(counts, database, clock):
    """What ended just before midnight may be stored just after it."""
    clock.now = (TODAY + 1) * DAY_MS + CLOSES_AFTER_MS - 1
    await counts.for_workspace("T1")
    late = await database.run(end, (TODAY + 1) * DAY_MS - 1)
    assert [day.ended["told_dri"] for day in await counts.for_workspace("T1")][-2:] == [1, 0]

    clock.advance(seconds=1)
    await counts.for_workspace("T1")
    await database.run(lambda c: c.execute(update(job_changes).where(job_changes.c.id == late).values(ended_at=None)))

    assert [day.ended["told_dri"] for day in await counts.for_workspace("T1")][-2:] == [1, 0]
    assert await stored_days(database) == DAYS_COUNTED - 1


@pytest.mark.both_databases
async def test_several_replicas_may_count_the_same_day(counts, database, clock):
    """The later one finds the stored row."""
    await counts.count_past_days("T1")
    await DayCounts(database, clock).count_past_days("T1")

    assert await stored_days(database) == DAYS_COUNTED - 1


async def test_past_days_are_counted_when_home_is_opened(counts, database, clock):
    """It does not matter how long Home was closed."""
    await counts.for_workspace("T1")
    await database.run(end, SOMEDAY)
    clock.advance(seconds=5 * 24 * 3600)

    assert [day.ended["told_dri"] for day in await counts.for_workspace("T1")][-6:] == [1, 0, 0, 0, 0, 0]
