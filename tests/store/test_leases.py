"""Leases: one process at a time works on a row, and one that outlived its lease changes nothing."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select

from store.leases import TurnQueue
from store.schema import turns
from tests.conftest import SOMEDAY
from tests.store.sample_rows import LEASE_MS, add_workspace

WORK = TurnQueue("renew")

pytestmark = pytest.mark.both_databases


@pytest.fixture
async def run(database):
    await database.run(add_workspace)
    return database.run


def acquire(connection, now=SOMEDAY):
    return WORK.acquire(connection, "T1", now, LEASE_MS)


async def test_a_lease_is_given_to_one_process(run):
    """However many ask at once."""
    leases = await asyncio.gather(*(run(acquire) for _ in range(5)))

    assert len([lease for lease in leases if lease]) == 1


async def test_a_released_lease_can_be_acquired_again_at_once(run):
    """And the turn is recorded as served."""
    first = await run(acquire)
    assert await run(WORK.release, "T1", first.token)

    second = await run(acquire, SOMEDAY + 1)

    assert second.token != first.token
    assert await run(lambda c: c.execute(select(turns.c.served_at).where(turns.c.half == "renew")).scalar_one()) == (
        SOMEDAY + 1
    )


async def test_a_lease_ends_by_itself(run):
    """Its holder may have died. If it has not, it can no longer prolong or release what is not its own."""
    first = await run(acquire)
    assert await run(acquire, SOMEDAY + LEASE_MS - 1) is None

    second = await run(acquire, SOMEDAY + LEASE_MS)

    assert not await run(WORK.prolong, "T1", first.token, SOMEDAY + 9 * LEASE_MS)
    assert not await run(WORK.release, "T1", first.token)
    assert await run(WORK.release, "T1", second.token)


async def test_a_prolonged_lease_holds_longer(run):
    """A long piece of work keeps a short lease, so that another process takes over soon after a crash."""
    lease = await run(acquire)

    assert await run(WORK.prolong, "T1", lease.token, SOMEDAY + 2 * LEASE_MS)

    assert await run(acquire, SOMEDAY + LEASE_MS) is None
    assert await run(acquire, SOMEDAY + 2 * LEASE_MS) is not None


async def test_the_leases_of_a_dead_process_are_released(run):
    """When a process starts that works alone."""
    await run(acquire)

    await run(WORK.release_all, 0)

    assert await run(acquire) is not None
