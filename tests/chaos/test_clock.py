"""The machine's clock is set an hour forward or back in mid-drain."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from services.clock import SteadyClock
from services.delivery import courier, router
from store.database import Database
from store.delivery import lanes, routing
from tests.chaos.rig.simulated import simulated
from tests.conftest import SOMEDAY

HOUR = 3_600.0
JOB_CHANGES = range(100, 260)


@dataclass
class Machine:
    """Its two clocks: what people set, and what only ever goes on."""

    wall: float = SOMEDAY / 1_000
    steady: float = 0.0


@dataclass
class MachineClock:
    """What a process sees of it, as `Clock` is used in tests; a process started anew looks at the wall again."""

    machine: Machine

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.now = SteadyClock(lambda: self.machine.wall, lambda: self.machine.steady)

    def __call__(self) -> int:
        return self.now()

    def advance(self, *, seconds: float) -> None:
        self.machine.wall += seconds
        self.machine.steady += seconds


@pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["forward", "back"])
async def test_a_running_process_does_not_notice(database, accounts, jump):
    """Its pace, leases and waits go by the clock that nobody can set: it drains as if nothing had happened."""
    clock = MachineClock(Machine())
    async with simulated(database, clock) as run:
        await run.send(JOB_CHANGES, to_nobody=True)
        await run.pass_time(0.5, step=0.5)
        clock.machine.wall += jump
        took = await run.drained(within=60, step=1)

        accounts.append(account := await run.account(f"clock set {jump / HOUR:+.0f} hour while it runs"))
    assert account.is_even, account
    assert took < 30


@pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["forward", "back"])
async def test_a_process_that_is_killed_and_started_after_it_goes_on(database, accounts, jump):
    """Killed with leases held; started after the jump. What was put off is at most an hour late, and told once."""
    clock = MachineClock(Machine())
    async with simulated(database, clock) as run:
        await run.send(JOB_CHANGES)
        await run.pass_time(0.5, step=0.5)
        await run.send(range(300, 350))
        await die_with_leases(run)
        clock.machine.wall += jump
        clock.restart()
        await database.run(routing.release_all)
        await database.run(lambda connection: lanes.release_all(connection, clock()))
        await run.drained(within=HOUR + 120, step=10)

        accounts.append(account := await run.account(f"clock set {jump / HOUR:+.0f} hour between two processes"))
    assert account.is_even, account


async def test_replicas_whose_clocks_are_an_hour_apart_lose_and_repeat_nothing(postgresql_url, accounts):
    """The one that is ahead takes the other's leases for run out, looks for what that may have sent, sends the rest."""
    database = Database(postgresql_url)
    clock = MachineClock(Machine())
    async with simulated(database, clock) as run:
        await run.send(JOB_CHANGES)
        for jump in (HOUR, -HOUR) * 4:
            await run.send(range(len(run.accepted) + 300, len(run.accepted) + 320))
            await die_with_leases(run)
            clock.machine.wall += jump
            clock.restart()
            await run.pass_time(1, step=1)
        await run.drained(within=2 * HOUR, step=30)

        accounts.append(account := await run.account("replicas' clocks an hour apart"))
    await database.close()
    assert account.is_even, account


async def die_with_leases(run):
    """A process claims a batch and lanes, and is heard of no more."""
    world = run.world
    await world.database.run(routing.claim, world.clock(), router.LEASE_MS)
    await world.database.run(lanes.claim, world.clock(), courier.LEASE_MS, 8)
