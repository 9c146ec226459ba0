"""The database is unavailable while routing and posting: what was sent is recorded, and nothing gets worse."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.states import DeliveryState
from services.slack.api import NO_CHANNEL
from store.database import Database, DatabaseUnavailableError
from store.delivery import pauses
from store.delivery.failed import oldest
from tests.world import open_world

POST = "chat.postMessage"


class Absent(Database):
    """A database that is unavailable for the first calls of certain functions."""

    def __init__(self, url, *functions, times):
        super().__init__(url)
        self.functions, self.times = functions, times

    async def run(self, function, *args, **kwargs):
        if function in self.functions and self.times:
            self.times -= 1
            raise DatabaseUnavailableError("away")
        return await super().run(function, *args, **kwargs)


async def pass_time(world, seconds, step=5):
    for _ in range(round(seconds / step)):
        world.clock.advance(seconds=step)
        await world.worker.drain()


async def dana(world):
    """Return an owner of Ada who has had a message before."""
    await world.default_channel()
    owner = world.add_owner("Dana Reyes")
    world.salesforce.add("Contact", LastName="Smith", Email="ada@initech.example", OwnerId=owner)
    await world.deliver(source_event_id="before")
    world.clock.advance(seconds=2)


@pytest.mark.both_databases
async def test_an_outage_before_the_call_delays_the_message_only(world):
    """However often it happens, the message keeps its blocks and does not fail."""
    await dana(world)
    slack = world.worker.courier.slack
    outages = list(range(5))

    async def token(workspace_id):
        if outages:
            outages.pop()
            raise DatabaseUnavailableError("away")
        return world.tokens[workspace_id]

    away = replace(world.worker.courier, slack=replace(slack, tokens=token))
    world.worker = replace(world.worker, courier=away)
    job_change_id = await world.deliver(source_event_id="away")
    assert len(outages) == 4  # it is not tried again and again within a moment
    (waiting,) = (await world.find(job_change_id)).deliveries
    assert (waiting.state, waiting.attempts, waiting.last_error) == (DeliveryState.PENDING, 0, "away")
    await pass_time(world, 30)

    assert outages == []
    assert world.direct_messages("Dana Reyes")[-1].blocks
    assert len(world.direct_messages("Dana Reyes")) == 2
    assert (await world.outcome(job_change_id))[:2] == ("delivered", "dri")


async def test_an_outage_while_routing_delays_the_batch_only(world):
    """However often it happens, it does not count as an attempt."""
    await dana(world)
    decider = world.worker.router.decider
    outages = iter(range(12))

    class Away:
        def __getattr__(self, name):
            if next(outages, None) is not None:
                raise DatabaseUnavailableError("away")
            return getattr(decider, name)

    world.worker = replace(world.worker, router=replace(world.worker.router, decider=Away()))
    job_change_id = await world.deliver(source_event_id="away")
    await pass_time(world, 600, step=30)

    assert next(outages, None) is None
    assert (await world.outcome(job_change_id))[:2] == ("delivered", "dri")


@pytest.mark.parametrize(("function", "performed"), [(pauses.record_failure, True), (pauses.record_success, False)])
async def test_an_outage_after_the_call_does_not_repeat_the_message(sqlite_url, clock, function, performed):
    """What only this process knows is stored as soon as the database is available."""
    database = Absent(sqlite_url, function, times=0)
    async with open_world(database, clock) as world:
        await dana(world)
        world.slack.faults.add(POST, status=500, perform=performed, times=1)
        database.times = 2
        await world.deliver(source_event_id="away")
        await pass_time(world, 60)

        assert database.times == 0
        assert len(world.direct_messages("Dana Reyes")) == 2
    await database.close()


@pytest.mark.parametrize("seconds", [120, 600])
async def test_an_outage_of_posting_alone_fails_nothing(world, seconds):
    """Only chat.postMessage fails, and Slack performs none of the calls: everyone gets the message once afterwards."""
    await world.default_channel()
    names = [f"Owner{number} Reyes" for number in range(60)]
    for number, name in enumerate(names):
        world.salesforce.add("Contact", LastName=name, Email=f"{number}@initech.example", OwnerId=world.add_owner(name))
    outage = world.slack.faults.add(POST, status=500, times=None)
    for number in range(60):
        person = {"full_name": f"Contact {number}", "emails": [f"{number}@initech.example"]}
        await world.accept(source_event_id=f"in an outage {number}", person=person)
    for number in range(10):
        nobody = {"full_name": "Nobody", "emails": ["no@one.example"]}
        await world.accept(source_event_id=f"nobody {number}", person=nobody)
    await pass_time(world, seconds)

    world.slack.faults.remove(outage)
    await pass_time(world, 150)

    assert {name: len(world.direct_messages(name)) for name in names} == dict.fromkeys(names, 1)
    assert sum(message.text.count("Nobody") for message in world.channel_messages("job-changes")) == 10
    assert await world.database.run(oldest, world.clock(), 100, world.workspace_id) == []


async def test_a_channel_gets_the_message_when_slack_has_recovered(world):
    """A failed lookup is not a second doubt, and an outage lets nothing fail."""
    await world.default_channel()
    outage = world.slack.faults.add("*", status=503, times=None)
    job_change_id = await world.deliver()
    await pass_time(world, 600)
    sent = [call for call in world.slack.calls if call.method == POST and call.arguments["channel"] != NO_CHANNEL]
    assert len(sent) == 1

    world.slack.faults.remove(outage)
    await pass_time(world, 70)

    assert len(world.channel_messages("job-changes")) == 1
    assert (await world.outcome(job_change_id))[:2] == ("delivered", "channel")
