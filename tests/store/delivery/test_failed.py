"""Trying again what was buried."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, select, update

from domain.states import DEFAULT_CHANNEL, Role
from store.delivery import lanes, posts, routing, trace
from store.delivery.failed import oldest, retry
from store.delivery.settlements import Failed
from store.schema import deliveries, job_changes
from store.slack import workspaces
from tests.conftest import SOMEDAY
from tests.store.sample_rows import (
    add_job_change,
    add_routed,
    add_workspace,
    claim,
    delivery_states,
    lane_of,
    outcome_of,
    set_lane,
)

LATER = SOMEDAY + 600_000
NO_OUTCOME = (None, None, None)


@pytest.fixture(autouse=True)
async def workspace(database):
    return await database.run(add_workspace)


async def bury_in_lane(database, destination="U_DANA", role=Role.DRI):
    """A job change whose delivery Slack refused for good; its id."""
    (job_change_id,) = await database.run(add_routed, destination, role=role)
    claims = await database.run(claim)
    settled = [Failed(each, SOMEDAY, "Slack refused it") for each in claims]
    await database.run(posts.settle, settled)
    return job_change_id


async def bury_while_routing(database):
    """A job change that stopped every batch it was in; its id."""
    job_change_id = await database.run(add_job_change)
    batch = await database.run(routing.claim, SOMEDAY, 30_000)
    await database.run(routing.give_up, batch, "ValueError while routing", SOMEDAY, SOMEDAY, 1)
    return job_change_id


async def test_what_posting_buried_is_posted_again(database):
    """The same promise, to the same destination, with its outcome open again."""
    job_change_id = await bury_in_lane(database)

    replayed = await database.run(retry, [job_change_id], LATER)
    (again,) = await database.run(claim, LATER)

    assert replayed == [job_change_id]
    assert (again.destination, [each.job_change_id for each in again.deliveries]) == ("U_DANA", [job_change_id])
    assert not again.in_doubt
    assert await database.run(outcome_of, job_change_id) == NO_OUTCOME


async def test_what_is_replayed_is_tried_as_patiently_as_something_new(database):
    """Neither the attempts of before nor its age count."""
    job_change_id = await bury_in_lane(database)

    await database.run(retry, [job_change_id], LATER)

    row = await database.run(lambda connection: connection.execute(select(deliveries)).one())
    assert (row.attempts, row.plainness, row.post_id, row.created_at) == (0, 0, None, LATER)


async def test_what_routing_buried_is_routed_again(database):
    """It is decided from the start, since nobody was promised it."""
    job_change_id = await bury_while_routing(database)

    await database.run(retry, [job_change_id], LATER)
    batch = await database.run(routing.claim, LATER, 30_000)

    assert [(each.id, each.attempts) for each in batch.job_changes] == [(job_change_id, 0)]
    assert await database.run(outcome_of, job_change_id) == NO_OUTCOME


async def test_a_replay_is_a_step_of_the_trace(database):
    """Whoever explains it sees that somebody tried again."""
    job_change_id = await bury_in_lane(database)

    await database.run(retry, [job_change_id], LATER)

    steps = await database.run(trace.steps_of, job_change_id)
    assert (steps[-1].step, steps[-1].at) == ("retried", LATER)


async def test_only_what_is_buried_is_replayed(database):
    """What waits or was delivered stays as it is: nothing is told twice."""
    (waiting,) = await database.run(add_routed, "U_DANA")
    (delivered,) = await database.run(add_routed, "U_KIM")
    ended = update(job_changes).where(job_changes.c.id == delivered).values(outcome="delivered", ended_at=SOMEDAY)
    await database.run(lambda connection: connection.execute(ended).rowcount)

    assert await database.run(retry, [waiting, delivered, "unknown"], LATER) == []
    assert await database.run(outcome_of, delivered) == ("delivered", None, None)
    assert await database.run(delivery_states, waiting, delivered) == ["pending", "pending"]


async def test_a_second_replay_finds_nothing_to_do(database):
    """Two operators, one message."""
    job_change_id = await bury_in_lane(database)

    first = await database.run(retry, [job_change_id], LATER)
    second = await database.run(retry, [job_change_id], LATER)

    assert (first, second) == ([job_change_id], [])


async def test_a_copy_is_not_told_again(database):
    """It never decided the outcome; only what did is promised again."""
    job_change_id = await bury_in_lane(database)
    copy_lane = (await database.run(lambda connection: lane_of(connection, "U_DANA"))).id + 1

    def add_buried_copy(connection):
        add_routed(connection, "C_COPIES", role=Role.FALLBACK)
        values = {
            "workspace_id": "T1",
            "job_change_id": job_change_id,
            "lane_id": copy_lane,
            "role": "copy",
            "reason": "",
            "state": "buried",
            "created_at": SOMEDAY,
        }
        connection.execute(insert(deliveries).values(values))

    await database.run(add_buried_copy)
    await database.run(retry, [job_change_id], LATER)

    assert await database.run(delivery_states, job_change_id) == ["pending", "buried"]


async def test_a_lane_that_is_paced_stays_paced(database):
    """Replaying is no way around Slack's limits."""
    job_change_id = await bury_in_lane(database)
    await database.run(set_lane, "U_DANA", paced_until=LATER + 700)

    await database.run(retry, [job_change_id], LATER)

    assert (await database.run(lane_of, "U_DANA")).due_at == LATER + 700


async def test_a_default_channel_in_trouble_keeps_its_lane_parked(database):
    """It goes out when somebody mends the channel."""
    job_change_id = await bury_in_lane(database, DEFAULT_CHANNEL, Role.FALLBACK)
    await database.run(workspaces.mark_default_channel_broken, "T1", "C_DEFAULT", "is archived")

    await database.run(retry, [job_change_id], LATER)

    assert (await database.run(lane_of, DEFAULT_CHANNEL)).due_at is None
    assert await database.run(delivery_states, job_change_id) == ["pending"]


async def test_all_that_is_buried_is_listed_in_portions(database):
    """Longest buried first, and nothing that was buried after we began."""
    first, second = await bury_while_routing(database), await bury_in_lane(database)

    assert set(await database.run(oldest, SOMEDAY, 10)) == {first, second}
    assert len(await database.run(oldest, SOMEDAY, 1)) == 1
    assert await database.run(oldest, SOMEDAY - 1, 10) == []


async def test_after_a_restart_lanes_are_due_soon_with_their_posts_in_doubt(database):
    """A call made with the last breath has time to arrive before we look for it; nobody waits for the lease."""
    await database.run(add_routed, "U_DANA")
    (held,) = await database.run(claim)

    await database.run(lanes.release_all, SOMEDAY)

    assert await database.run(claim, SOMEDAY + lanes.IN_FLIGHT_MS - 1) == []
    (again,) = await database.run(claim, SOMEDAY + lanes.IN_FLIGHT_MS)
    assert (again.post_id, again.in_doubt) == (held.post_id, True)


async def test_a_restart_leaves_lanes_alone_that_nobody_held(database):
    """What waits for Slack's Retry-After goes on waiting."""
    await database.run(add_routed, "U_DANA")
    await database.run(set_lane, "U_DANA", due_at=SOMEDAY + 60_000)

    await database.run(lanes.release_all, SOMEDAY)

    assert (await database.run(lane_of, "U_DANA")).due_at == SOMEDAY + 60_000
