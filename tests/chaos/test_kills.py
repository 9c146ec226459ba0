"""kill -9 at random moments while job changes drain: nothing is lost, and with read-back nothing is told twice."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from random import Random

import pytest

from tests.chaos.rig import greet, rig_on

pytestmark = pytest.mark.process

WITHOUT_HISTORY = "chat:write,chat:write.public,commands,users:read,users:read.email,channels:read,groups:read"


@dataclass(frozen=True)
class Size:
    """How long a run is."""

    kills: int
    job_changes: int


@pytest.fixture
def size(request):
    """Short unless asked for more: --kills 30 --job-changes 1000."""
    return Size(request.config.getoption("--kills"), request.config.getoption("--job-changes"))


async def kill_again_and_again(rig, verbs, size, seed):
    """Serve, kill one process at random, start it again; the sender sends all the while."""
    chance = Random(seed)
    running = {verb_index: await rig.start(verb) for verb_index, verb in enumerate(verbs)}
    await greet(rig)
    first = len(rig.owners)
    sending = asyncio.create_task(send(rig, range(first, first + size.job_changes)))
    for _ in range(size.kills):
        await asyncio.sleep(chance.uniform(0.05, 1.2))
        index = chance.randrange(len(verbs))
        await rig.kill(running[index])
        running[index] = await rig.start(verbs[index])
    await sending
    await rig.drained()


async def send(rig, serials):
    for start in serials[::20]:
        await rig.post(range(start, min(start + 20, serials.stop)))
        await asyncio.sleep(0.1)


async def test_killed_on_sqlite_nothing_is_lost_and_nothing_told_twice(sqlite_url, size):
    """One process, killed at random: what was answered with yes is told once."""
    async with rig_on(sqlite_url, owners=20) as rig:
        await kill_again_and_again(rig, ["serve"], size, seed=1)

        account = await rig.account()

    assert account.accepted == size.job_changes + 20
    assert account.is_even, account


async def test_killed_on_postgresql_with_three_workers_nothing_is_lost_and_nothing_told_twice(postgresql_url, size):
    """Replicas are killed one by one, and the others go on."""
    async with rig_on(postgresql_url, owners=20) as rig:
        await kill_again_and_again(rig, ["web", "worker", "worker", "worker"], size, seed=2)

        account = await rig.account()

    assert account.is_even, account


async def test_without_read_back_a_kill_repeats_at_most_what_was_in_flight(sqlite_url, size):
    """Where we may not read, a message in flight at a kill may come twice; none is lost."""
    async with rig_on(sqlite_url, owners=20, scopes=WITHOUT_HISTORY) as rig:
        await kill_again_and_again(rig, ["serve"], size, seed=3)

        account = await rig.account()

    assert account.lost == []
    assert account.without_outcome == 0
    assert max(account.repeated.values(), default=0) <= 1 + size.kills
