"""Salesforce is unavailable: job changes wait as long as the workspace allows, and are then routed without it."""

from __future__ import annotations

import asyncio

import pytest

from domain.decision.reasons import ReasonCode
from domain.decision.sentences import for_reader
from services.retry import LONGEST_WAIT_MS
from store.database import Database
from tests.chaos.rig.simulated import replica_worker
from tests.world import open_world

PATIENCE_SECONDS = 15 * 60
PAUSE_SECONDS = LONGEST_WAIT_MS / 1_000

SALESFORCE_DOWN = for_reader([ReasonCode.SALESFORCE_DOWN.of()])


@pytest.fixture
async def channel(world):
    return await world.default_channel()


def asked(world):
    """Count the queries for records."""
    return len(world.salesforce.calls_of("composite"))


async def away(world, for_seconds):
    """Let Salesforce fail for this long. Return the id of the job change that waited first."""
    owner = world.add_owner("Dana Reyes")
    world.salesforce.add("Contact", LastName="Smith", Email="ada@initech.example", OwnerId=owner)
    world.salesforce.faults.add("composite", status=503, times=None)
    first = await world.deliver(source_event_id="first")
    for _ in range(for_seconds // 20):
        world.clock.advance(seconds=20)
        await world.worker.drain()
    return first


async def until_asked(world):
    """Accept a job change that queries Salesforce again."""
    before = asked(world)
    for _ in range(round(PAUSE_SECONDS / 5)):
        world.clock.advance(seconds=5)
        await world.deliver(source_event_id=f"{world.clock()}")
        if asked(world) > before:
            return
    pytest.fail("nobody asked Salesforce within the longest pause")


async def test_they_wait_for_a_quarter_of_an_hour_and_no_longer(world, channel):
    """To the second, whenever the next attempt would be due."""
    first = await away(world, PATIENCE_SECONDS - 20)
    world.clock.advance(seconds=19.9)
    await world.worker.drain()
    assert (await world.find(first)).state == "accepted"

    world.clock.advance(seconds=0.1)
    await world.worker.drain()

    (message,) = world.channel_messages("job-changes")
    assert SALESFORCE_DOWN in message.text
    found = await world.find(first)
    assert (found.outcome, found.sent_to) == ("delivered", "channel")
    assert for_reader(found.decision.notes) == "Salesforce was not available: Salesforce returned error 503"


async def test_salesforce_is_not_called_while_its_daily_limit_is_waited_for(world, channel):
    """The wait is the same for job changes that come in meanwhile; it is not the short one after a failure."""
    world.salesforce.faults.add("composite", error="REQUEST_LIMIT_EXCEEDED")
    await world.deliver(source_event_id="first")
    calls = asked(world)

    for minute in range(10):
        world.clock.advance(seconds=60)
        await world.deliver(source_event_id=f"{minute}")

    assert calls == 1
    assert asked(world) == calls


async def test_a_waiting_job_change_says_why_it_waits(world, channel):
    """Also those that were not in the batch that failed."""
    first = await away(world, 300)
    later = await world.deliver(source_event_id="later")

    reasons = [(await world.find(one)).last_error for one in (first, later)]

    assert reasons == ["Salesforce returned error 503"] * 2


@pytest.mark.both_databases
async def test_then_thousands_are_routed_at_once_without_more_queries(world, channel):
    """The pause applies to queries, not to routing without Salesforce."""
    await away(world, PATIENCE_SECONDS + 120)
    await until_asked(world)
    before = asked(world)
    ids = [await world.accept(source_event_id=f"many {number}") for number in range(1_000)]

    await world.worker.drain()

    assert {(await world.find(one)).state for one in ids} <= {"routed", "delivered"}
    assert asked(world) == before


async def test_then_the_dri_named_by_the_source_is_notified_at_once(world, channel):
    """What does not need Salesforce is routed as usual."""
    await away(world, PATIENCE_SECONDS + 120)
    await until_asked(world)
    before = asked(world)

    job_change_id = await world.deliver(source_event_id="named", dri_email="dana@acme.example")

    assert asked(world) == before
    assert (await world.outcome(job_change_id))[:2] == ("delivered", "dri")
    assert "The source of this job change named you as its DRI." in world.direct_messages("Dana Reyes")[-1].text


async def test_a_recovery_is_noticed_within_the_pause(world, channel):
    """After each pause one batch queries Salesforce. From then on owners are notified again."""
    await away(world, PATIENCE_SECONDS + 120)
    await until_asked(world)
    world.salesforce.faults.clear()
    world.clock.advance(seconds=PAUSE_SECONDS)

    job_change_id = await world.deliver(source_event_id="back")

    assert (await world.outcome(job_change_id))[:2] == ("delivered", "dri")
    assert world.direct_messages("Dana Reyes")


async def test_an_outage_that_is_over_does_not_shorten_the_patience_for_the_next_one(world, channel):
    """It is counted from its own first failure."""
    await away(world, 40)
    world.salesforce.faults.clear()
    world.clock.advance(seconds=PAUSE_SECONDS)
    await world.deliver(source_event_id="back")
    world.clock.advance(seconds=PATIENCE_SECONDS)
    world.salesforce.faults.add("composite", status=503, times=1)

    job_change_id = await world.deliver(source_event_id="a new outage")

    assert (await world.find(job_change_id)).state == "accepted"


async def test_a_job_change_without_a_query_does_not_end_the_outage(world, channel):
    """A person without an email address or id needs no query, so it shows nothing about Salesforce."""
    await away(world, PATIENCE_SECONDS + 120)
    world.clock.advance(seconds=PAUSE_SECONDS)
    await world.deliver(
        source_event_id="unknown",
        person={"full_name": "Bo Sample", "linkedin_url": "https://www.linkedin.com/in/bo-sample"},
    )

    job_change_id = await world.deliver(source_event_id="known")

    (delivery,) = (await world.find(job_change_id)).deliveries
    assert SALESFORCE_DOWN in for_reader(delivery.reasons)


async def test_only_one_of_several_replicas_queries_salesforce(postgresql_url, clock):
    """The pause and the turn are rows that all replicas see."""
    databases = [Database(postgresql_url) for _ in range(3)]
    async with open_world(databases[0], clock) as world:
        await world.default_channel()
        await away(world, PATIENCE_SECONDS + 120)
        workers = [replica_worker(world, database) for database in databases]
        clock.advance(seconds=PAUSE_SECONDS)
        before = asked(world)
        ids = [await world.accept(source_event_id=f"many {number}") for number in range(1_000)]

        await asyncio.gather(*(worker.drain() for worker in workers))

        assert asked(world) == before + 1
        assert {(await world.find(one)).state for one in ids} <= {"routed", "delivered"}
    for database in databases:
        await database.close()
