"""Workers die at random awaits while they route and post."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from random import Random

import pytest

from store.database import Database
from store.delivery import lanes, routing
from tests.chaos.rig.simulated import closing, open_simulation, replica_worker


@pytest.mark.parametrize(
    "replicas",
    [pytest.param(1, id="alone on SQLite"), pytest.param(3, id="three on PostgreSQL")],
)
async def test_workers_that_die_at_any_await_lose_and_repeat_nothing(request, clock, size, reports, replicas):
    """A dead worker's work is taken over when its lease ends, or by the next start on SQLite."""
    url = request.getfixturevalue("sqlite_url" if replicas == 1 else "postgresql_url")
    chance, kills = Random(8), max(20, size.kills)
    async with AsyncExitStack() as stack:
        databases = [await stack.enter_async_context(closing(Database(url))) for _ in range(replicas)]
        run = await stack.enter_async_context(open_simulation(databases[0], clock, owners=10))
        run.world.slack.api.latency = run.world.salesforce.latency = 0.002
        workers = [replica_worker(run.world, database) for database in databases]
        for number in range(kills):
            await run.send(range(100 + 8 * number, 108 + 8 * number))
            working = [asyncio.create_task(worker.drain()) for worker in workers]
            await asyncio.sleep(chance.uniform(0, 0.06))
            victim = chance.randrange(replicas)
            await kill(workers[victim], working[victim])
            await asyncio.gather(*working, return_exceptions=True)
            workers[victim] = replica_worker(run.world, databases[victim])
            clock.advance(seconds=chance.choice([0.3, 1, 31]))
            if replicas == 1:
                await databases[0].run(routing.release_all)
                await databases[0].run(lanes.release_all, clock())
        await run.wait_until_drained(within=300)

        reports.append(report := await run.report(f"{kills} workers die at any await, {replicas} at a time"))
    assert report.is_complete, report
    assert report.failed == 0


async def kill(worker, working):
    """Cancel the worker and all its tasks."""
    tasks = [working, *worker._routing, *worker._posting]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
