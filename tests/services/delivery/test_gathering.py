"""Job changes gather into batches while the day's Salesforce API calls are being used up quickly."""

from __future__ import annotations

import asyncio

from sqlalchemy import select

from domain.day_counts import DAY_MS
from domain.decision.reasons import ReasonCode
from domain.decision.record import Decision
from services.home.status import Status
from services.salesforce.call_budget import LONGEST_GATHERING_MS
from store.salesforce import connections
from store.schema import job_changes
from tests.conftest import SOMEDAY

NOON = SOMEDAY - SOMEDAY % DAY_MS + DAY_MS // 2
PART = 100
"""The tests run through this part of a day."""


async def route(world) -> None:
    while await world.worker.route_due():
        await asyncio.wait(world.worker._routing)


async def at_noon(world, calls):
    """Salesforce is connected, and so many calls have been made today."""
    world.clock.now = NOON
    owner = world.add_owner("Dana Reyes")
    world.salesforce.add("Contact", LastName="Smith", Email="ada@initech.example", OwnerId=owner)
    await world.accept(source_event_id="first")
    await route(world)
    await world.database.run(connections.count_calls, world.workspace_id, NOON, calls)
    return await used(world)


async def used(world) -> int:
    status = await world.database.run(connections.status_of, world.workspace_id)
    return status.our_calls_on(world.clock())


async def routed(world):
    columns = select(job_changes.c.accepted_at, job_changes.c.routed_at, job_changes.c.decision)
    return await world.database.run(lambda connection: connection.execute(columns).all())


async def test_five_thousand_calls_a_day_serve_fifty_thousand_single_job_changes(world):
    """A hundredth of the day, at the usual limit. Each job change says how long it waited, and status says why."""
    await world.default_channel()
    before = await at_noon(world, 2_870)

    for number in range(50_000 // PART):
        world.clock.now = NOON + number * DAY_MS // 50_000
        await world.accept(source_event_id=str(number))
        await route(world)
    while world.clock() < NOON + DAY_MS // PART + LONGEST_GATHERING_MS:
        world.clock.advance(seconds=1)
        await route(world)

    rows = await routed(world)
    waits = [row.routed_at - row.accepted_at for row in rows]
    assert await used(world) - before <= 5_000 // PART
    assert max(waits) <= LONGEST_GATHERING_MS
    notes = [Decision.from_stored(row.decision).notes for row in rows]
    gathered = [dict(note.parameters)["limit"] for some in notes for note in some if note.code is ReasonCode.GATHERED]
    assert len(gathered) > 50_000 // PART * 0.9
    assert abs(max(gathered) - max(waits) / 1_000) <= 2  # the next job change made the app look
    status = await Status(world.database, world.clock).of(world.workspace_id)
    assert any("gathered for up to 3 minutes" in line.text for line in status.salesforce)


async def test_single_job_changes_do_not_wait_while_calls_are_ample(world):
    """A Salesforce call each is worth the seconds."""
    await world.default_channel()
    before = await at_noon(world, 1_500)

    for number in range(10):
        world.clock.advance(seconds=1)
        await world.accept(source_event_id=str(number))
        await route(world)

    assert [row.routed_at - row.accepted_at for row in await routed(world)] == [0] * 11
    assert await used(world) - before >= 10
    status = await Status(world.database, world.clock).of(world.workspace_id)
    assert not any("gathered" in line.text for line in status.salesforce)


async def test_a_full_batch_does_not_wait(world):
    """There is nothing to gain."""
    await world.default_channel()
    await at_noon(world, 4_000)
    await world.accept(source_event_id="pays")
    await route(world)
    for number in range(200):
        world.clock.advance(seconds=0.01)
        await world.accept(source_event_id=str(number))
    waiting = [row for row in await routed(world) if row.routed_at is None]

    await route(world)

    assert len(waiting) == 200
    assert all(row.routed_at is not None for row in await routed(world))
