"""Routing in a large workspace whose members are not known yet."""

from __future__ import annotations

import asyncio

from sqlalchemy import func, select, update

from store.operations import health_figures
from store.schema import deliveries, job_changes, salesforce_connections
from tests.world import World

BATCH = 200


async def fill(world: World, members: int, owners: int, waiting: int) -> None:
    """Add members to Slack, owners with one contact each to both, and job changes of these contacts to the app."""
    await world.default_channel()
    for number in range(members):
        world.slack.add_user(world.team, f"P {number}", f"p{number}@acme.example")
    for number in range(owners):
        owner = world.add_owner(f"Owner{number} Jones")
        world.salesforce.add("Contact", LastName="Smith", Email=f"ada{number}@initech.example", OwnerId=owner)
    for number in range(waiting):
        person = {"full_name": "Ada Smith", "emails": [f"ada{number % owners}@initech.example"]}
        await world.accept(source_event_id=str(number), person=person)


async def work(world: World) -> None:
    """Route and list until nothing is due."""
    while await world.worker.route_due():
        await asyncio.wait(world.worker._routing)
    await world.worker.router.decider.directory.catch_up()


async def unrouted(world: World) -> int:
    waiting = select(func.count()).where(job_changes.c.routed_at.is_(None))
    return await world.database.run(lambda connection: connection.execute(waiting).scalar_one())


async def test_a_cold_directory_of_twenty_thousand_delays_routing_by_six_minutes_at_most(world):
    """The workspace waits, which does not count as stuck. Each batch asks Salesforce once, in the order of arrival."""
    await fill(world, members=20_000, owners=100, waiting=3 * BATCH)
    began_at, stuck = world.clock(), False

    while await unrouted(world):
        await work(world)
        world.clock.advance(seconds=1)
        now = world.clock()
        stuck = stuck or await world.database.run(health_figures.is_stuck, now - 300_000, now)

    assert 4 * 60_000 < world.clock() - began_at <= 6 * 60_000
    assert not stuck
    to = select(deliveries.c.job_change_id).order_by(deliveries.c.id)
    routed = await world.database.run(lambda connection: connection.execute(to).scalars().all())
    order = select(job_changes.c.id).order_by(job_changes.c.accepted_at, job_changes.c.id)
    assert routed == await world.database.run(lambda connection: connection.execute(order).scalars().all())
    assert len(world.salesforce.calls_of("composite")) == 3
    refused = [call for call in world.slack.calls if call.error == "ratelimited"]
    assert refused == []


async def test_records_are_not_kept_beyond_the_connection_they_were_read_with(world):
    """Another org may have been connected while the job changes were waiting."""
    await fill(world, members=4_000, owners=60, waiting=60)
    await work(world)
    assert len(world.salesforce.calls_of("composite")) == 1
    world.clock.advance(seconds=60)
    reconnected = update(salesforce_connections).values(connected_at=world.clock())
    await world.database.run(lambda connection: connection.execute(reconnected))

    while await unrouted(world):
        await work(world)

    assert len(world.salesforce.calls_of("composite")) == 2
