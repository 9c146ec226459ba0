"""Runs of the whole app on a test clock: days pass in seconds, and every run is reproducible."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from services.delivery.worker import Worker, WorkEvents
from store.database import Database
from store.operations.notify import WorkNotifier
from tests.chaos.rig.run_report import RunReport, count_open, numbered_job_change, report_run
from tests.conftest import Clock
from tests.world import World, open_world


@dataclass
class Simulation:
    """A world whose owners have each received a message, and the accepted ids by serial."""

    world: World
    owners: int
    accepted: dict[int, str | None] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    async def send(self, serials: Iterable[int], *, include_unowned: bool = False) -> None:
        """Send one batch spread over the owners; with `include_unowned`, some go to the default channel."""
        serials = list(serials)
        places = self.owners + 1 if include_unowned else self.owners
        raws = [numbered_job_change(serial, serial % places) for serial in serials]
        responses = await self.world.intake.accept_all(self.world.workspace_id, raws)
        self.accepted |= {serial: response.results[0].id for serial, response in zip(serials, responses, strict=True)}

    async def pass_time(self, seconds: float, step: float = 5.0) -> None:
        """Advance the clock in steps and run the worker after each."""
        for _ in range(round(seconds / step)):
            self.world.clock.advance(seconds=step)
            await self.world.worker.drain()

    async def wait_until_drained(self, within: float, step: float = 5.0) -> float:
        """Pass time until every job change has an outcome. Returns the seconds on the test clock."""
        for passed in range(round(within / step)):
            if not await self.world.database.run(count_open):
                return passed * step
            await self.pass_time(step, step)
        raise TimeoutError(f"{await self.world.database.run(count_open)} have no outcome after {within} seconds")

    async def report(self, scenario: str) -> RunReport:
        world = self.world
        name = f"{scenario}, {'SQLite' if world.database.is_sqlite else 'PostgreSQL'}"
        return await report_run(name, self.accepted, world.database, world.slack, time.monotonic() - self.began)


@asynccontextmanager
async def open_simulation(database: Database, clock: Clock, *, owners: int = 5) -> AsyncIterator[Simulation]:
    """A simulation with Slack rate limits too high to matter."""
    async with open_world(database, clock) as world:
        world.slack.limits.posts_a_minute = 100_000
        await world.set_preferences(posts_per_minute=100_000)
        await world.default_channel()
        for number in range(owners):
            owner = world.add_owner(f"Owner{number} Sample")
            world.salesforce.add(
                "Contact", LastName=f"C{number}", Email=f"contact{number}@hooli.example", OwnerId=owner
            )
        run = Simulation(world, owners)
        await run.send(range(owners))
        await run.wait_until_drained(within=10, step=1)
        yield run


def replica_worker(world: World, database: Database) -> Worker:
    """A worker as another process would have it, with its own database connections."""
    worker = world.worker
    return replace(
        worker,
        database=database,
        router=replace(worker.router, database=database),
        courier=replace(worker.courier, database=database),
        work_events=WorkEvents(),
        notifier=WorkNotifier(database),
        _routing=set(),
        _posting=set(),
    )


@asynccontextmanager
async def closing(database: Database) -> AsyncIterator[Database]:
    """Close the database at the end of the block."""
    yield database
    await database.close()
