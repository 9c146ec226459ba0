"""Salesforce is down, slow, over its limit, returns garbage or expires its sessions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.chaos.rig.simulated import open_simulation

JOB_CHANGES = range(100, 260)
FAULTS = {
    "down": {"status": 503},
    "connections cut": {"drop": True},
    "garbage": {"garbage": True},
    "over its limit": {"error": "REQUEST_LIMIT_EXCEEDED"},
    "server error in JSON": {"error": "UNKNOWN_EXCEPTION", "status": 500},
}


@pytest.fixture
async def run(database, clock):
    async with open_simulation(database, clock) as run:
        yield run


@pytest.mark.parametrize("fault", FAULTS)
async def test_after_ten_minutes_without_salesforce_owners_are_notified(run, reports, fault):
    """Job changes wait. When Salesforce is back, every owner is notified and nobody else."""
    run.world.salesforce.faults.add("*", times=None, **FAULTS[fault])
    await run.send(JOB_CHANGES[:80])
    await run.pass_time(300)
    await run.send(JOB_CHANGES[80:])
    await run.pass_time(300)
    run.world.salesforce.faults.clear()
    await run.wait_until_drained(within=1_000)

    reports.append(report := await run.report(f"Salesforce {fault}, 10 minutes"))
    assert report.is_complete, report
    assert report.delivered == report.accepted


@pytest.mark.parametrize("fault", ["down", "over its limit"])
async def test_after_two_hours_without_salesforce_the_default_channel_is_notified(run, reports, fault):
    """Job changes are posted in the default channel, and are not sent again when Salesforce is back."""
    run.world.salesforce.faults.add("*", times=None, **FAULTS[fault])
    await run.send(JOB_CHANGES)
    await run.pass_time(7_200, step=60)
    run.world.salesforce.faults.clear()
    await run.pass_time(1_200, step=60)

    reports.append(report := await run.report(f"Salesforce {fault}, 2 hours"))
    assert report.is_complete, report
    assert report.in_channel == len(JOB_CHANGES)


async def test_salesforce_timeouts_are_retried(run, reports):
    """A batch that takes too long is routed again later."""
    world = run.world
    decider = world.worker.router.decider
    impatient = replace(decider, salesforce=replace(decider.salesforce, deadline_seconds=0.05))
    world.worker = replace(world.worker, router=replace(world.worker.router, decider=impatient))
    world.salesforce.faults.add("*", delay=0.2, times=6)
    await run.send(JOB_CHANGES)
    await run.pass_time(60)
    world.salesforce.faults.clear()
    world.worker = replace(world.worker, router=replace(world.worker.router, decider=decider))
    await run.wait_until_drained(within=600)

    reports.append(report := await run.report("Salesforce times out"))
    assert report.is_complete, report
    assert report.delivered == report.accepted


async def test_an_expired_session_costs_one_login(run, reports):
    """Each session expires before the next batch, and each time the app logs in once."""
    world = run.world
    before = len(world.salesforce.calls_of("token"))
    for start in range(0, len(JOB_CHANGES), 20):
        world.salesforce.expire_sessions()
        await run.send(JOB_CHANGES[start : start + 20])
        await run.pass_time(5)
    await run.wait_until_drained(within=60)

    reports.append(report := await run.report("Salesforce sessions expire"))
    assert report.is_complete, report
    assert report.delivered == report.accepted
    assert len(world.salesforce.calls_of("token")) - before == len(JOB_CHANGES) // 20
