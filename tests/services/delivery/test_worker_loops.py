"""The loops of the worker: what wakes them, how many batches are in flight, what stops them, and what they record."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from dataclasses import replace

import pytest
from sqlalchemy import select

from domain.errors import WorkspaceGoneError
from domain.messages.notices import NO_DEFAULT_CHANNEL
from services.delivery.worker import LOOK_SECONDS, MOST_BATCHES_AT_ONCE, YIELD_SECONDS
from services.operations.housekeeping import EVERY_SECONDS
from store.database import DatabaseUnavailableError
from store.operations.due_work import Queue, due_queues
from store.schema import job_changes
from store.slack import workspaces
from tests.servers import GENEROUS_TIMEOUT
from tests.world import installed, sample_job_change


@pytest.fixture
async def channel(world):
    return await world.default_channel()


async def test_a_poll_wakes_the_loop_whose_queue_has_due_work_and_no_other(world):
    """Its work may have come from another process, or may have waited for its time."""
    looks, was_woken, stop = Counter(), asyncio.Event(), asyncio.Event()

    def look_at(queue):
        async def look():
            looks[queue] += 1
            if looks[queue] == 2:
                was_woken.set()
            return False

        return look

    async def wait(event, seconds):
        await (event if seconds == LOOK_SECONDS else stop).wait()  # a loop never looks by itself
        event.clear()

    world.slack.faults.add("chat.postMessage", error="ratelimited", status=429, retry_after=30, times=1)
    await world.worker.courier.notices.default_channel_unusable(world.workspace_id, NO_DEFAULT_CHANNEL)
    world.clock.advance(seconds=30)
    queues = {queue: look_at(queue) for queue in (Queue.REMINDERS, Queue.NOTICES)}
    assert await world.database.run(due_queues, world.clock()) == {Queue.NOTICES}
    other_work = (look_at("other work"),)
    running = asyncio.create_task(replace(world.worker, queues=queues, other_work=other_work, wait=wait).run(stop))
    async with asyncio.timeout(GENEROUS_TIMEOUT):
        await was_woken.wait()
    stop.set()
    await running

    assert looks == {Queue.NOTICES: 2, Queue.REMINDERS: 1, "other work": 1}


async def test_a_stopping_worker_waits_for_a_claim_that_has_begun(world, channel):
    """It is handled to its end, so that no other process has to wait for its lease."""
    has_begun, may_go_on, stop = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def wait(_event, seconds):
        if seconds == YIELD_SECONDS:
            has_begun.set()
            await may_go_on.wait()
        else:
            await stop.wait()

    job_change_id = await world.accept()
    worker = replace(world.worker, senders_wait=lambda: not may_go_on.is_set(), wait=wait)
    running = asyncio.create_task(worker.run(stop))
    await has_begun.wait()
    stop.set()
    await asyncio.wait([running], timeout=0)
    may_go_on.set()
    await running

    assert (await world.find(job_change_id)).state == "routed"


async def test_at_most_four_batches_are_routed_at_once(world):
    """Each is of another workspace. The others wait until one of them is done."""
    may_go_on, routed = asyncio.Event(), []

    class WaitingRouter:
        async def route(self, batch):
            await may_go_on.wait()
            routed.append(batch.workspace_id)

    for number in range(MOST_BATCHES_AT_ONCE + 1):
        workspace_id = f"T{number}"
        await world.database.run(workspaces.install, installed(workspace_id, installed_at=world.clock()))
        await world.intake.accept(workspace_id, sample_job_change())
        world.clock.advance(seconds=1)
    worker = replace(world.worker, router=WaitingRouter())

    claimed = [await worker.route_due() for _ in range(MOST_BATCHES_AT_ONCE + 1)]
    may_go_on.set()
    await asyncio.wait(worker._routing)

    assert claimed == [True] * MOST_BATCHES_AT_ONCE + [False]
    assert sorted(routed) == ["T0", "T1", "T2", "T3"]
    assert await worker.route_due()


class FailingRouter:
    """Raises these errors, one for each batch."""

    def __init__(self, *errors):
        self.errors = list(errors)

    async def route(self, _batch):
        raise self.errors.pop(0)


async def test_a_batch_that_could_not_be_routed_says_why_and_counts_bugs_only(world, channel):
    """Each time it waits longer. What is no fault of its job changes never fails them."""
    job_change_id = await world.accept()
    gone = WorkspaceGoneError("the app's token was revoked", code="token_revoked")
    away = DatabaseUnavailableError("the database is away")
    worker = replace(world.worker, router=FailingRouter(away, ValueError(), KeyError(), away, gone))
    columns = select(job_changes.c.attempts, job_changes.c.last_error, job_changes.c.due_at)

    history = []
    for _ in range(5):
        assert await worker.route_due()
        await asyncio.wait(worker._routing)
        (row,) = await world.database.run(lambda connection: connection.execute(columns).all())
        history.append((row.attempts, row.last_error, row.due_at - world.clock()))
        world.clock.now = row.due_at

    first, second, third = (pytest.approx(750 * 2**number, abs=250 * 2**number) for number in range(3))
    assert history == [
        (0, "the database is away", first),
        (1, "ValueError while routing", first),
        (2, "KeyError while routing", second),
        (2, "the database is away", third),
        (2, "the app's token was revoked", third),
    ]
    workspace = await world.database.run(workspaces.find, world.workspace_id)
    assert (workspace.is_active, workspace.gone_because) == (False, "token_revoked")
    assert (await world.find(job_change_id)).state == "accepted"
    assert [bug.split(" at ")[0] for bug in world.survived_bugs] == [
        "could not route a batch: ValueError",
        "could not route a batch: KeyError",
    ]
    assert all(re.search(r"test_worker_loops\.py:\d+$", bug) for bug in world.survived_bugs)
    world.survived_bugs.clear()


async def test_a_lane_that_is_due_again_wakes_the_worker(world, channel):
    """At once for a message that Slack wants plainer. A lane that is empty does so when its pace allows a message."""
    to_post, wakes = world.worker.work_events.to_post, []

    async def post():
        assert await world.worker.post_due()
        (posting,) = world.worker._posting
        await posting
        await asyncio.sleep(0)  # a timer that is over is called in the next round of the event loop
        await asyncio.sleep(0)
        wakes.append(to_post.is_set())
        to_post.clear()

    world.slack.faults.add("chat.postMessage", error="invalid_blocks", times=1)
    await world.accept()
    await world.worker.route_due()
    await asyncio.wait(world.worker._routing)
    to_post.clear()
    await post()
    await post()

    assert wakes == [True, False]
    assert len(world.channel_messages("job-changes")) == 1


async def test_housekeeping_that_fails_is_tried_again_and_stops_nothing(world):
    """A bug in it is logged. The next time may be better."""
    stop = asyncio.Event()

    class FailingHousekeeping:
        calls = 0

        async def tidy(self):
            self.calls += 1
            if self.calls == 1:
                raise ValueError("a bug")
            stop.set()

    async def wait(event, seconds):
        await (asyncio.sleep(0) if seconds == EVERY_SECONDS else stop.wait())

    await replace(world.worker, housekeeping=FailingHousekeeping(), wait=wait).run(stop)

    (bug,) = world.survived_bugs
    assert "ValueError at " in bug
    world.survived_bugs.clear()
