"""The worker: replicas share the work, workspaces share a worker, bugs are survived, and it stops cleanly."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest
from sqlalchemy import func, select

from domain.states import Outcome
from services.delivery import router
from services.delivery.worker import (
    LANES_WHILE_SENDERS_WAIT,
    LONGEST_YIELD_OF_FIRST_BATCH,
    LONGEST_YIELD_TO_POST,
    LONGEST_YIELD_TO_ROUTE,
    LOOK_SECONDS,
    POLL_SECONDS,
    Worker,
    WorkEvents,
)
from services.operations.housekeeping import EVERY_SECONDS
from services.retry import MOST_ROUTING_ATTEMPTS
from store.database import Database
from store.leases import ROUTE
from store.operations.due_work import Queue
from store.operations.notify import WorkNotifier
from store.schema import deliveries, job_changes, lanes, turns
from store.slack import workspaces
from tests.servers import GENEROUS_TIMEOUT
from tests.world import installed, open_world


@pytest.fixture
async def channel(world):
    return await world.default_channel()


def people(world, count):
    """Add owners and return the email addresses of their contacts."""
    for number in range(count):
        owner = world.add_owner(f"Owner{number} Sample")
        world.salesforce.add("Contact", LastName=f"C{number}", Email=f"c{number}@hooli.example", OwnerId=owner)
    return [f"c{number}@hooli.example" for number in range(count)]


def about(email, serial):
    return {"person": {"full_name": f"Change {serial:04}", "emails": [email]}, "source_event_id": str(serial)}


def replica_of(world, database):
    """Return the worker of another process on the same database."""
    worker = world.worker
    return Worker(
        database,
        replace(worker.router, database=database),
        replace(worker.courier, database=database),
        WorkEvents(),
        WorkNotifier(database),
        worker.housekeeping,
        world.clock,
    )


@pytest.mark.parametrize("count", [1, 2, 4])
async def test_replicas_deliver_each_job_change_once_in_order_and_in_pace(postgresql_url, clock, count):
    """The database keeps order and pace, whichever replica posts: no 429, no duplicate, no loss."""
    databases = [Database(postgresql_url) for _ in range(count)]
    async with open_world(databases[0], clock) as world:
        world.slack.limits.post_burst = 1
        await world.default_channel()
        emails = people(world, 20)
        workers = [replica_of(world, database) for database in databases]
        for serial in range(160):
            await world.accept(**about(emails[serial % 20], serial))

        for _ in range(6):
            await asyncio.gather(*(worker.drain() for worker in workers))
            clock.advance(seconds=1.05)

        calls = [call for call in world.slack.calls if call.method == "chat.postMessage"]
        texts = [message.text for number in range(20) for message in world.direct_messages(f"Owner{number} Sample")]
        delivered = Counter(serial for serial in range(160) for text in texts if f"Change {serial:04}" in text)
        assert delivered == Counter(range(160))
        assert {call.status for call in calls} == {200}
        assert smallest_gap(calls) >= 1.0
        for number in range(20):
            lines = "\n".join(message.text for message in world.direct_messages(f"Owner{number} Sample"))
            places = [lines.index(f"Change {serial:04}") for serial in range(number, 160, 20)]
            assert places == sorted(places)
    for database in databases:
        await database.close()


def smallest_gap(calls):
    """Return the seconds between two messages of a destination, for all destinations."""
    times = defaultdict(list)
    for call in calls:
        times[call.arguments["channel"]].append(call.at)
    gaps = [later - earlier for each in times.values() for earlier, later in pairwise(each)]
    return min(gaps, default=1.0)


@pytest.mark.both_databases
async def test_a_backlog_does_not_delay_another_workspace(world, channel):
    """Workspaces take turns: the one that has waited longest is served next."""
    for serial in range(600):
        await world.accept(**about("nobody@hooli.example", serial))
    other = world.slack.add_team("Other")
    admin = world.slack.add_user(other, "Omar Admin", "omar@other.example", is_admin=True)
    world.tokens[other.id] = world.slack.install(other.id, admin.id)
    target = world.slack.add_channel(other, "signals")
    new = installed(other.id, name="Other", installer_user_id=admin.id, installed_at=world.clock())
    await world.database.run(workspaces.install, new)
    await world.database.run(workspaces.change, other.id, None, default_channel_id=target.id)
    backlog = replace(world, team=other)
    job_change_id = await backlog.accept()

    await world.worker.route_due()
    await world.worker.route_due()
    await asyncio.wait(world.worker._routing)
    await world.worker.post_due()
    await asyncio.wait(world.worker._posting)

    assert (await backlog.outcome(job_change_id))[0] == "delivered"


async def until(holds):
    """Let the workers run until the condition is true."""
    async with asyncio.timeout(GENEROUS_TIMEOUT):
        while not holds():  # noqa: ASYNC110 - the sandbox has no event to wait for
            await asyncio.sleep(0)


@dataclass(frozen=True)
class StumblingSalesforce:
    """A router with a bug: one person crashes the whole batch."""

    sessions: object
    inner: object
    stone: str

    async def find_people(self, workspace_id, lookups, *needs):
        if any(self.stone in lookup.emails for lookup in lookups):
            raise ValueError("a bug")
        return await self.inner.find_people(workspace_id, lookups, *needs)


async def test_a_job_change_that_crashes_the_router_blocks_no_other(world, channel):
    """It fails visibly, and all the others are delivered."""
    decider = world.worker.router.decider
    inner = decider.salesforce
    stumbling = replace(decider, salesforce=StumblingSalesforce(inner.sessions, inner, "poison@hooli.example"))
    router = replace(world.worker.router, decider=stumbling)
    worker = replace(world.worker, router=router)
    ids = [await world.accept(**about("nobody@hooli.example", serial)) for serial in range(25)]
    poison = await world.accept(**about("poison@hooli.example", 999))

    for _ in range(60):
        await worker.drain()
        world.clock.advance(seconds=20)

    assert {(await world.outcome(each))[0] for each in ids} == {"delivered"}
    assert await world.outcome(poison) == (Outcome.FAILED, None, "ValueError while routing")
    assert len(world.survived_bugs) == MOST_ROUTING_ATTEMPTS
    world.survived_bugs.clear()


@dataclass(frozen=True)
class StumblingSigner:
    """A courier with a bug: no message that names this person can be posted."""

    inner: object
    stone: str

    def signed(self, message, *of):
        if self.stone in message.text:
            raise ValueError("a bug")
        return self.inner.signed(message, *of)


async def test_a_job_change_that_crashes_the_courier_blocks_no_other(world, channel):
    """Each job change of the message is tried alone, then as plain text. Then it fails visibly."""
    courier = world.worker.courier
    worker = replace(world.worker, courier=replace(courier, signer=StumblingSigner(courier.signer, "Change 0001")))
    ids = [await world.accept(**about("nobody@hooli.example", serial)) for serial in range(3)]

    for _ in range(10):
        await worker.drain()
        world.clock.advance(seconds=2)

    outcomes = [await world.outcome(job_change_id) for job_change_id in ids]
    assert [outcome for outcome, _, _ in outcomes] == ["delivered", Outcome.FAILED, "delivered"]
    assert outcomes[1] == (Outcome.FAILED, None, "ValueError while posting")
    assert len(world.survived_bugs) == 3
    world.survived_bugs.clear()


class StumblingSlack:
    """A lookup with a bug, the first three times."""

    def __init__(self, inner):
        self.inner, self.stumbles = inner, 0

    def __getattr__(self, name):
        return getattr(self.inner, name)

    async def find_post(self, *arguments):
        if self.stumbles < 3:
            self.stumbles += 1
            raise ValueError("a bug")
        return await self.inner.find_post(*arguments)


async def test_a_bug_while_a_message_is_in_doubt_sends_nothing_twice(world, channel):
    """It remains in doubt, and is looked up again after a while."""
    (email,) = people(world, 1)
    await world.deliver(**about(email, 0))
    world.clock.advance(seconds=2)
    slack = StumblingSlack(world.worker.courier.slack)
    worker = replace(world.worker, courier=replace(world.worker.courier, slack=slack))
    world.slack.faults.add("chat.postMessage", status=500, perform=True, times=1)
    job_change_id = await world.accept(**about(email, 1))

    stumbles = []
    for _ in range(12):
        await worker.drain()
        world.clock.advance(seconds=2)
        stumbles.append(slack.stumbles)

    assert len(world.direct_messages("Owner0 Sample")) == 2
    assert (await world.outcome(job_change_id))[:2] == ("delivered", "dri")
    assert (await world.find(job_change_id)).doubts == 4  # the answer of Slack, and each bug
    assert all(later - earlier <= 1 for earlier, later in pairwise(stumbles))
    assert len(world.survived_bugs) == 3
    world.survived_bugs.clear()


async def test_a_loop_survives_bugs_and_waits_longer_after_each(world):
    """A queue that cannot be read costs little, and is read again."""
    pauses, stop = [], asyncio.Event()

    async def work():
        if len(pauses) < 4:
            raise ValueError("a bug")
        stop.set()
        return False

    async def wait(event, seconds):
        if seconds in {LOOK_SECONDS, POLL_SECONDS, EVERY_SECONDS}:  # a loop without a failure
            await stop.wait()
        else:
            pauses.append(seconds)

    await replace(world.worker, queues={Queue.REMINDERS: work}, wait=wait).run(stop)

    assert all(0.5 * 2**failures <= pause <= 2**failures for failures, pause in enumerate(pauses))
    assert len(pauses) == len(world.survived_bugs) == 4
    world.survived_bugs.clear()


@pytest.mark.both_databases
async def test_a_running_worker_hears_of_a_new_job_change_at_once(world, channel):
    """No poll stands between the 202 and the message."""
    stop = asyncio.Event()
    running = asyncio.create_task(world.worker.run(stop))

    job_change_id = await world.accept()
    await until(lambda: world.channel_messages("job-changes"))
    stop.set()
    await running

    assert (await world.outcome(job_change_id))[0] == "delivered"


async def test_the_worker_gives_way_to_senders_but_never_stops(world, channel):
    """While many requests wait, a claim begins later, though not ever later, and takes fewer lanes."""
    for serial, email in enumerate(people(world, LANES_WHILE_SENDERS_WAIT + 1)):
        await world.accept(**about(email, serial))
    waits: list[float] = []

    async def wait(_event: asyncio.Event, seconds: float) -> None:
        waits.append(seconds)

    busy = replace(world.worker, senders_wait=lambda: True, wait=wait)
    assert await busy.route_due()
    await asyncio.wait(busy._routing)
    assert await busy.post_due()
    claimed = len(busy._posting)
    await asyncio.wait(busy._posting)
    assert await world.worker.post_due()

    assert claimed == LANES_WHILE_SENDERS_WAIT
    assert sum(waits) == pytest.approx(LONGEST_YIELD_OF_FIRST_BATCH + LONGEST_YIELD_TO_POST)
    assert len(world.worker._posting) == 1
    waits.clear()
    world.clock.advance(seconds=1)
    await busy.route_due()
    assert sum(waits) == pytest.approx(LONGEST_YIELD_TO_ROUTE)  # after a batch within a second


async def test_a_worker_that_may_not_work_leaves_every_queue_alone(world, channel):
    """Another process, which has the right key, works through them."""
    asked, worked, stop = [], [], asyncio.Event()

    def may_work():
        asked.append("may I?")
        return False

    async def work():
        worked.append("work")
        return False

    job_change_id = await world.accept()
    worker = replace(world.worker, may_work=may_work, queues={Queue.REMINDERS: work}, other_work=(work,))
    running = asyncio.create_task(worker.run(stop))
    await until(lambda: len(asked) >= 4)
    stop.set()
    await running

    assert worked == []
    assert (await world.find(job_change_id)).routed_at is None


async def test_a_stopping_worker_finishes_what_is_in_flight(world, channel):
    """Nothing is left leased, and nothing in doubt."""
    stop = asyncio.Event()
    for serial in range(10):
        await world.accept(**about("nobody@hooli.example", serial))
    running = asyncio.create_task(world.worker.run(stop))
    await until(lambda: any(call.method == "chat.postMessage" for call in world.slack.calls))

    stop.set()
    await running

    def unsettled(connection):
        leased = select(func.count()).where(lanes.c.lease.is_not(None))
        sending = select(func.count()).where(deliveries.c.state == "sending")
        return connection.execute(leased).scalar_one(), connection.execute(sending).scalar_one()

    assert await world.database.run(unsettled) == (0, 0)


@pytest.mark.both_databases
async def test_every_job_change_has_exactly_one_outcome(world, channel):
    """What was accepted is what has ended, whatever the mixture of people."""
    emails = [*people(world, 3), "nobody@hooli.example"]
    for serial in range(40):
        await world.accept(**about(emails[serial % 4], serial))

    for _ in range(8):
        await world.worker.drain()
        world.clock.advance(seconds=1)

    def ended(connection):
        return dict(
            connection.execute(select(job_changes.c.outcome, func.count()).group_by(job_changes.c.outcome)).all()
        )

    texts = [message.text for place in world.slack.world.channels.values() for message in place.messages.values()]
    assert await world.database.run(ended) == {"delivered": 40}
    assert Counter(serial for serial in range(40) for text in texts if f"Change {serial:04}" in text) == Counter(
        range(40)
    )


class SlowRouter:
    """Routes a batch until its lease has been renewed."""

    def __init__(self, world):
        self.world, self.renewed_until = world, None

    async def route(self, batch):
        self.world.clock.advance(seconds=1)
        async with asyncio.timeout(GENEROUS_TIMEOUT):
            while self.renewed_until in {None, batch.lease_until}:
                await asyncio.sleep(0.01)
                self.renewed_until = await self.world.database.run(routing_lease_until)


def routing_lease_until(connection):
    return connection.execute(select(turns.c.lease_until).where(turns.c.half == ROUTE)).scalar_one()


async def test_the_lease_of_a_batch_is_renewed_while_it_is_being_routed(world, channel, monkeypatch):
    """No other replica takes over a batch that takes longer than one lease."""
    monkeypatch.setattr(router, "LEASE_MS", 90)
    slow = SlowRouter(world)
    worker = replace(world.worker, router=slow)
    await world.accept()

    await worker.route_due()
    await asyncio.wait(worker._routing)

    assert slow.renewed_until == world.clock() + 90
