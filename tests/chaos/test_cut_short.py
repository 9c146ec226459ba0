"""Workers that are gone at any await of route and post, many a second: by a given clock, on both databases."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from random import Random

import pytest

from store.database import Database
from store.delivery import lanes, routing
from tests.chaos.rig.simulated import closing, replica, simulated


@pytest.mark.parametrize(
    "replicas",
    [pytest.param(1, id="alone on SQLite"), pytest.param(3, id="three on PostgreSQL")],
)
async def test_workers_are_killed_wherever_they_stand(request, clock, size, accounts, replicas):
    """What a dead worker held is taken up when its lease is over, or at once by the next one on SQLite; told once."""
    url = request.getfixturevalue("sqlite_url" if replicas == 1 else "postgresql_url")
    chance, kills = Random(8), max(20, size.kills)
    async with AsyncExitStack() as stack:
        databases = [await stack.enter_async_context(closing(Database(url))) for _ in range(replicas)]
        run = await stack.enter_async_context(simulated(databases[0], clock, owners=10))
        run.world.slack.api.latency = run.world.salesforce.latency = 0.002
        workers = [replica(run.world, each) for each in databases]
        for number in range(kills):
            await run.send(range(100 + 8 * number, 108 + 8 * number))
            working = [asyncio.create_task(each.work_off()) for each in workers]
            await asyncio.sleep(chance.uniform(0, 0.06))
            victim = chance.randrange(replicas)
            await die(workers[victim], working[victim])
            await asyncio.gather(*working, return_exceptions=True)
            workers[victim] = replica(run.world, databases[victim])
            clock.advance(seconds=chance.choice([0.3, 1, 31]))
            if replicas == 1:
                await databases[0].run(routing.release_all)
                await databases[0].run(lanes.release_all, clock())
        await run.drained(within=300)

        accounts.append(account := await run.account(f"{kills} workers gone at any await, {replicas} at a time"))
    assert account.is_even, account
    assert account.buried == 0


async def die(worker, working):
    """At once, with all that it was about to do."""
    tasks = [working, *worker._routing, *worker._posting]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
