"""Retrying failed job changes."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, select, update

from domain.states import DEFAULT_CHANNEL, DeliveryState, Role
from store.delivery import lanes, posts, routing, trace
from store.delivery.failed import failed_among, oldest, page, retry
from store.delivery.settlements import Failed
from store.schema import deliveries, earlier_posts, job_changes
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


async def fail_in_posting(database, destination="U_DANA", role=Role.DRI, workspace_id="T1"):
    """Add a job change whose delivery has failed. Return its id."""
    (job_change_id,) = await database.run(add_routed, destination, role=role, workspace_id=workspace_id)
    claims = await database.run(claim)
    settled = [Failed(each, SOMEDAY, "Slack refused it") for each in claims]
    await database.run(posts.settle, settled)
    return job_change_id


async def fail_in_routing(database):
    """Add a job change that crashed every batch. Return its id."""
    job_change_id = await database.run(add_job_change)
    batch = await database.run(routing.claim, SOMEDAY, 30_000)
    await database.run(routing.give_up, batch, "ValueError while routing", SOMEDAY, SOMEDAY, 1)
    return job_change_id


async def test_a_delivery_that_failed_is_posted_again(database):
    """The same delivery to the same destination, with its outcome open again."""
    job_change_id = await fail_in_posting(database)

    retried = await database.run(retry, [job_change_id], LATER)
    (again,) = await database.run(claim, LATER)

    assert retried == [job_change_id]
    assert (again.destination, [each.job_change_id for each in again.deliveries]) == ("U_DANA", [job_change_id])
    assert not again.in_doubt
    assert await database.run(outcome_of, job_change_id) == NO_OUTCOME


async def test_retrying_one_leaves_the_messages_of_other_failed_deliveries_alone(database):
    """The message of the one that is retried is remembered, as it may have arrived."""
    retried = await fail_in_posting(database, "U_DANA")
    other = await fail_in_posting(database, "U_OMAR")

    await database.run(retry, [retried], LATER)

    remembered = select(deliveries.c.job_change_id).join(earlier_posts, earlier_posts.c.delivery_id == deliveries.c.id)
    assert await database.run(lambda connection: connection.execute(remembered).scalars().all()) == [retried]
    assert await database.run(delivery_states, other) == [DeliveryState.FAILED]
    with_post = select(deliveries.c.job_change_id).where(deliveries.c.post_id.is_not(None))
    assert await database.run(lambda connection: connection.execute(with_post).scalars().all()) == [other]


async def test_a_retried_delivery_is_tried_as_long_as_a_new_one(database):
    """Its earlier attempts and its age do not count."""
    job_change_id = await fail_in_posting(database)

    await database.run(retry, [job_change_id], LATER)

    row = await database.run(lambda connection: connection.execute(select(deliveries)).one())
    assert (row.attempts, row.plainness, row.post_id, row.created_at) == (0, 0, None, LATER)


async def test_a_job_change_that_failed_in_routing_is_routed_again(database):
    """It is decided from the start, because it has no delivery yet."""
    job_change_id = await fail_in_routing(database)

    await database.run(retry, [job_change_id], LATER)
    batch = await database.run(routing.claim, LATER, 30_000)

    assert [(each.id, each.attempts) for each in batch.job_changes] == [(job_change_id, 0)]
    assert await database.run(outcome_of, job_change_id) == NO_OUTCOME


async def test_a_retry_is_a_step_in_the_trace(database):
    """An explanation shows that someone has retried it."""
    job_change_id = await fail_in_posting(database)

    await database.run(retry, [job_change_id], LATER)

    steps = await database.run(trace.steps_of, job_change_id)
    assert (steps[-1].step, steps[-1].at) == ("retried", LATER)


async def test_only_failed_job_changes_are_retried(database):
    """Those that wait or were delivered are left alone, so that nothing is sent twice."""
    (waiting,) = await database.run(add_routed, "U_DANA")
    (delivered,) = await database.run(add_routed, "U_KIM")
    ended = update(job_changes).where(job_changes.c.id == delivered).values(outcome="delivered", ended_at=SOMEDAY)
    await database.run(lambda connection: connection.execute(ended).rowcount)

    assert await database.run(retry, [waiting, delivered, "unknown"], LATER) == []
    assert await database.run(outcome_of, delivered) == ("delivered", None, None)
    assert await database.run(delivery_states, waiting, delivered) == ["pending", "pending"]


async def test_a_second_retry_has_nothing_to_do(database):
    """Two operators cause one message."""
    job_change_id = await fail_in_posting(database)

    first = await database.run(retry, [job_change_id], LATER)
    second = await database.run(retry, [job_change_id], LATER)

    assert (first, second) == ([job_change_id], [])


async def test_a_copy_is_not_sent_again(database):
    """Only the delivery that decided the outcome is retried."""
    job_change_id = await fail_in_posting(database)
    copy_lane = (await database.run(lambda connection: lane_of(connection, "U_DANA"))).id + 1

    def add_failed_copy(connection):
        add_routed(connection, "C_COPIES", role=Role.FALLBACK)
        values = {
            "workspace_id": "T1",
            "job_change_id": job_change_id,
            "lane_id": copy_lane,
            "role": "copy",
            "reason": "",
            "state": DeliveryState.FAILED,
            "created_at": SOMEDAY,
        }
        connection.execute(insert(deliveries).values(values))

    await database.run(add_failed_copy)
    await database.run(retry, [job_change_id], LATER)

    assert await database.run(delivery_states, job_change_id) == ["pending", DeliveryState.FAILED]


async def test_a_lane_that_is_paced_stays_paced(database):
    """A retry does not get around Slack's limits."""
    job_change_id = await fail_in_posting(database)
    await database.run(set_lane, "U_DANA", paced_until=LATER + 700)

    await database.run(retry, [job_change_id], LATER)

    assert (await database.run(lane_of, "U_DANA")).due_at == LATER + 700


async def test_the_lane_of_a_broken_default_channel_stays_parked(database):
    """It is due when an admin repairs the channel."""
    job_change_id = await fail_in_posting(database, DEFAULT_CHANNEL, Role.FALLBACK)
    await database.run(workspaces.mark_default_channel_broken, "T1", "C_DEFAULT", "is archived")

    await database.run(retry, [job_change_id], LATER)

    assert (await database.run(lane_of, DEFAULT_CHANNEL)).due_at is None
    assert await database.run(delivery_states, job_change_id) == ["pending"]


async def test_failed_job_changes_are_listed_in_batches(database):
    """Oldest first, without those that fail after the start."""
    first, second = await fail_in_routing(database), await fail_in_posting(database)

    assert set(await database.run(oldest, SOMEDAY, 10)) == {first, second}
    assert len(await database.run(oldest, SOMEDAY, 1)) == 1
    assert await database.run(oldest, SOMEDAY - 1, 10) == []


async def test_failed_job_changes_are_shown_in_pages_of_their_workspace(database):
    """Newest first and each once, also those that failed at the same moment."""
    await database.run(add_workspace, "T2")
    other = await fail_in_posting(database, workspace_id="T2")
    ids = [await fail_in_posting(database, f"U{number}") for number in range(5)]
    newest = update(job_changes).where(job_changes.c.id == ids[0]).values(ended_at=SOMEDAY + 1)
    await database.run(lambda connection: connection.execute(newest).rowcount)

    pages, after = [], None
    while shown := await database.run(page, "T1", after, 2):
        pages.append([failed.job_change_id for failed in shown])
        after = (shown[-1].ended_at, shown[-1].job_change_id)

    assert pages == [[ids[0], ids[4]], [ids[3], ids[2]], [ids[1]]]
    assert [failed.job_change_id for failed in await database.run(page, "T2", None, 10)] == [other]


async def test_a_workspace_retries_its_own_failed_job_changes_only(database):
    """Whatever ids are asked for."""
    await database.run(add_workspace, "T2")
    job_change_id = await fail_in_posting(database)

    assert await database.run(failed_among, "T2", [job_change_id]) == []
    assert await database.run(failed_among, "T1", [job_change_id, "unknown"]) == [job_change_id]


async def test_after_a_restart_lanes_are_due_soon_with_their_posts_in_doubt(database):
    """A call in flight has time to arrive before we look for its message, and nobody waits for the lease."""
    await database.run(add_routed, "U_DANA")
    (held,) = await database.run(claim)

    await database.run(lanes.release_all, SOMEDAY)

    assert await database.run(claim, SOMEDAY + lanes.IN_FLIGHT_MS - 1) == []
    (again,) = await database.run(claim, SOMEDAY + lanes.IN_FLIGHT_MS)
    assert (again.post_id, again.in_doubt) == (held.post_id, True)


async def test_a_restart_does_not_change_lanes_without_a_lease(database):
    """A lane that waits for Slack's Retry-After goes on waiting."""
    await database.run(add_routed, "U_DANA")
    await database.run(set_lane, "U_DANA", due_at=SOMEDAY + 60_000)

    await database.run(lanes.release_all, SOMEDAY)

    assert (await database.run(lane_of, "U_DANA")).due_at == SOMEDAY + 60_000
