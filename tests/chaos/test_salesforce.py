"""Salesforce is away, slow, expired, over its limit, or answers garbage: by a given clock, on both databases."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.chaos.rig.simulated import simulated

JOB_CHANGES = range(100, 260)
TROUBLES = {
    "down": {"status": 503},
    "connections cut": {"drop": True},
    "garbage": {"garbage": True},
    "over its limit": {"error": "REQUEST_LIMIT_EXCEEDED"},
    "server error in JSON": {"error": "UNKNOWN_EXCEPTION", "status": 500},
}


@pytest.fixture
async def run(database, clock):
    async with simulated(database, clock) as run:
        yield run


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_salesforce_is_in_trouble_for_ten_minutes(run, accounts, trouble):
    """Job changes wait for it: when it is back, each owner is told, and nobody else."""
    run.world.salesforce.faults.add("*", times=None, **TROUBLES[trouble])
    await run.send(JOB_CHANGES[:80])
    await run.pass_time(300)
    await run.send(JOB_CHANGES[80:])
    await run.pass_time(300)
    run.world.salesforce.faults.clear()
    await run.drained(within=1_000)

    accounts.append(account := await run.account(f"Salesforce {trouble}, 10 minutes"))
    assert account.is_even, account
    assert account.delivered == account.accepted


@pytest.mark.parametrize("trouble", ["down", "over its limit"])
async def test_salesforce_is_in_trouble_for_two_hours(run, accounts, trouble):
    """Our patience ends: the default channel reads them, and nobody is told again when Salesforce is back."""
    run.world.salesforce.faults.add("*", times=None, **TROUBLES[trouble])
    await run.send(JOB_CHANGES)
    await run.pass_time(7_200, step=60)
    run.world.salesforce.faults.clear()
    await run.pass_time(1_200, step=60)

    accounts.append(account := await run.account(f"Salesforce {trouble}, 2 hours"))
    assert account.is_even, account
    assert account.channel == len(JOB_CHANGES)


async def test_salesforce_is_slower_than_we_wait(run, accounts):
    """A batch that takes too long is asked again later."""
    world = run.world
    deciding = world.worker.router.deciding
    hasty = replace(deciding, salesforce=replace(deciding.salesforce, deadline_seconds=0.05))
    world.worker = replace(world.worker, router=replace(world.worker.router, deciding=hasty))
    world.salesforce.faults.add("*", delay=0.2, times=6)
    await run.send(JOB_CHANGES)
    await run.pass_time(60)
    world.salesforce.faults.clear()
    world.worker = replace(world.worker, router=replace(world.worker.router, deciding=deciding))
    await run.drained(within=600)

    accounts.append(account := await run.account("Salesforce slower than we wait"))
    assert account.is_even, account
    assert account.delivered == account.accepted


async def test_the_session_expires_again_and_again(run, accounts):
    """Every session that Salesforce gives ends before the next batch; each time one new session is asked for."""
    world = run.world
    before = len(world.salesforce.calls_of("token"))
    for start in range(0, len(JOB_CHANGES), 20):
        world.salesforce.expire_sessions()
        await run.send(JOB_CHANGES[start : start + 20])
        await run.pass_time(5)
    await run.drained(within=60)

    accounts.append(account := await run.account("Salesforce sessions expire"))
    assert account.is_even, account
    assert account.delivered == account.accepted
    assert len(world.salesforce.calls_of("token")) - before == len(JOB_CHANGES) // 20
