"""The machine's clock is set an hour forward or back while job changes wait."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from services.clock import SteadyClock
from services.delivery import courier, router
from services.operations.clock_watch import ClockWatch
from store.database import Database
from store.delivery import lanes, routing
from tests.chaos.rig.simulated import open_simulation
from tests.conftest import SOMEDAY

HOUR = 3_600.0
JOB_CHANGES = range(100, 260)


@dataclass
class Machine:
    """The machine's two clocks: the wall clock, which can be set, and the monotonic clock."""

    wall: float = SOMEDAY / 1_000
    steady: float = 0.0


@dataclass
class MachineClock:
    """The clock of one process. After `restart` it starts again from the wall clock."""

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
async def test_a_running_process_is_not_affected(database, reports, jump):
    """Pacing, leases and delays use the monotonic clock."""
    clock = MachineClock(Machine())
    async with open_simulation(database, clock) as run:
        await run.send(JOB_CHANGES, include_unowned=True)
        await run.pass_time(0.5, step=0.5)
        clock.machine.wall += jump
        seconds = await run.wait_until_drained(within=60, step=1)

        reports.append(report := await run.report(f"clock set {jump / HOUR:+.0f} hour while it runs"))
    assert report.is_complete, report
    assert seconds < 30


@pytest.mark.parametrize("error", [2 * HOUR, -2 * HOUR], ids=["ahead", "behind"])
async def test_a_process_that_started_with_a_wrong_clock_follows_the_right_one(database, reports, error):
    """Once the machine's clock is right, so is the app's: deliveries and retries are not two hours late."""
    machine = Machine()
    machine.wall += error
    clock = MachineClock(machine)
    async with open_simulation(database, clock) as run:
        slack_time = max(machine.wall, SOMEDAY / 1_000)
        run.world.slack.world.now = lambda: slack_time + machine.steady  # nobody sets Slack's clock
        watch = ClockWatch(clock.now, database)
        await run.send(JOB_CHANGES, include_unowned=True)
        await claim_and_die(run)
        machine.wall -= error
        for _ in range(2):
            await watch.check()
        assert clock() == round(machine.wall * 1_000)
        seconds = await run.wait_until_drained(within=120, step=1)

        reports.append(report := await run.report(f"clock {error / HOUR:+.0f} hours wrong at the start"))
    assert report.is_complete, report
    assert seconds < 60


@pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["forward", "back"])
async def test_a_process_started_after_the_jump_delivers_everything(database, reports, jump):
    """A process is killed with leases held and starts again after the jump. Deliveries are at most an hour late."""
    clock = MachineClock(Machine())
    async with open_simulation(database, clock) as run:
        await run.send(JOB_CHANGES)
        await run.pass_time(0.5, step=0.5)
        await run.send(range(300, 350))
        await claim_and_die(run)
        clock.machine.wall += jump
        clock.restart()
        await database.run(routing.release_all)
        await database.run(lambda connection: lanes.release_all(connection, clock()))
        await run.wait_until_drained(within=HOUR + 120, step=10)

        reports.append(report := await run.report(f"clock set {jump / HOUR:+.0f} hour between two processes"))
    assert report.is_complete, report


async def test_replicas_with_clocks_an_hour_apart_lose_and_repeat_nothing(postgresql_url, reports):
    """A replica that is ahead takes over the other's leases, looks for messages already sent, and sends the rest."""
    database = Database(postgresql_url)
    clock = MachineClock(Machine())
    async with open_simulation(database, clock) as run:
        await run.send(JOB_CHANGES)
        for jump in (HOUR, -HOUR) * 4:
            await run.send(range(len(run.accepted) + 300, len(run.accepted) + 320))
            await claim_and_die(run)
            clock.machine.wall += jump
            clock.restart()
            await run.pass_time(1, step=1)
        await run.wait_until_drained(within=2 * HOUR, step=30)

        reports.append(report := await run.report("replicas' clocks an hour apart"))
    await database.close()
    assert report.is_complete, report


async def claim_and_die(run):
    """Claim a batch and lanes, and never finish them."""
    world = run.world
    await world.database.run(routing.claim, world.clock(), router.LEASE_MS)
    await world.database.run(lanes.claim, world.clock(), courier.LEASE_MS, 8)
