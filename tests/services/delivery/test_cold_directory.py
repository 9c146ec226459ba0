"""Routing in a large workspace whose members are not known yet."""

from __future__ import annotations

import asyncio

from sqlalchemy import func, select

from store.operations import health_figures
from store.schema import deliveries, job_changes

MEMBERS, OWNERS, JOB_CHANGES, BATCH = 20_000, 100, 600, 200


async def work(world) -> None:
    """Route and list until nothing is due."""
    while await world.worker.route_due():
        await asyncio.wait(world.worker._routing)
    await world.worker.router.decider.directory.catch_up()


async def test_a_cold_directory_of_twenty_thousand_delays_routing_by_six_minutes_at_most(world):
    """The workspace waits, not each job change: its rows are not rewritten, and Salesforce is not asked meanwhile."""
    await world.default_channel()
    for number in range(MEMBERS):
        world.slack.add_user(world.team, f"P {number}", f"p{number}@acme.example")
    for number in range(OWNERS):
        owner = world.add_owner(f"Owner {number:03}")
        world.salesforce.add("Contact", LastName="Smith", Email=f"ada{number}@initech.example", OwnerId=owner)
    for number in range(JOB_CHANGES):
        person = {"full_name": "Ada Smith", "emails": [f"ada{number % OWNERS}@initech.example"]}
        await world.accept(source_event_id=str(number), person=person)
    began_at, stuck = world.clock(), False

    while await unrouted(world):
        await work(world)
        world.clock.advance(seconds=1)
        now = world.clock()
        stuck = stuck or await world.database.run(health_figures.is_stuck, now - 300_000, now)

    assert world.clock() - began_at <= 6 * 60_000
    assert not stuck
    to = select(deliveries.c.job_change_id).order_by(deliveries.c.id)
    routed = await world.database.run(lambda connection: connection.execute(to).scalars().all())
    order = select(job_changes.c.id).order_by(job_changes.c.accepted_at, job_changes.c.id)
    assert routed == await world.database.run(lambda connection: connection.execute(order).scalars().all())
    batches = JOB_CHANGES // BATCH
    assert len(world.salesforce.calls_of("composite")) <= 2 * (batches + 1)  # the first batch was asked for twice
    refused = [call for call in world.slack.calls if call.error == "ratelimited"]
    assert refused == []


async def unrouted(world) -> int:
    waiting = select(func.count()).where(job_changes.c.routed_at.is_(None))
    return await world.database.run(lambda connection: connection.execute(waiting).scalar_one())
