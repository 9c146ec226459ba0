"""The whole way with a clock that is given: days pass in seconds, and each run goes the same way again."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from services.delivery.wakeups import Wakeups
from services.delivery.worker import Worker
from store.database import Database
from store.notify import Bell
from tests.chaos.rig.reconciliation import Account, account, count_open, numbered
from tests.conftest import Clock
from tests.world import World, open_world


@dataclass
class Simulated:
    """A world whose owners have each had a message before, and what was accepted in it, by serial."""

    world: World
    owners: int
    accepted: dict[int, str | None] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    async def send(self, serials: Iterable[int], *, to_nobody: bool = False) -> None:
        """In one batch, spread over the owners; *to_nobody*: a share is nobody's, and so the default channel's."""
        wanted = list(serials)
        places = self.owners + 1 if to_nobody else self.owners
        raws = [numbered(serial, serial % places) for serial in wanted]
        answers = await self.world.intake.accept_all(self.world.workspace_id, raws)
        self.accepted |= {serial: answer.id for serial, answer in zip(wanted, answers, strict=True)}

    async def pass_time(self, seconds: float, step: float = 5.0) -> None:
        """As a running worker would meet it."""
        for _ in range(round(seconds / step)):
            self.world.clock.advance(seconds=step)
            await self.world.worker.work_off()

    async def drained(self, within: float, step: float = 5.0) -> float:
        """Until every job change has its outcome; the seconds that this took by the given clock."""
        for passed in range(round(within / step)):
            if not await self.world.database.run(count_open):
                return passed * step
            await self.pass_time(step, step)
        raise TimeoutError(f"{await self.world.database.run(count_open)} have no outcome after {within} seconds")

    async def account(self, scenario: str) -> Account:
        world = self.world
        name = f"{scenario}, {'SQLite' if world.database.is_sqlite else 'PostgreSQL'}"
        return await account(name, self.accepted, world.database, world.slack, time.monotonic() - self.began)


@asynccontextmanager
async def simulated(database: Database, clock: Clock, *, owners: int = 5) -> AsyncIterator[Simulated]:
    """Slack with limits so wide that they are met only where a run is about them."""
    async with open_world(database, clock) as world:
        world.slack.limits.posts_a_minute = 100_000
        await world.set_preferences(posts_per_minute=100_000)
        await world.default_channel()
        for number in range(owners):
            owner = world.add_owner(f"Owner{number} Sample")
            world.salesforce.add(
                "Contact", LastName=f"C{number}", Email=f"contact{number}@hooli.example", OwnerId=owner
            )
        run = Simulated(world, owners)
        await run.send(range(owners))
        await run.drained(within=10, step=1)
        yield run


def replica(world: World, database: Database) -> Worker:
    """Another process's worker, on connections of its own."""
    worker = world.worker
    return replace(
        worker,
        database=database,
        router=replace(worker.router, database=database),
        courier=replace(worker.courier, database=database),
        wakeups=Wakeups(),
        bell=Bell(database),
        _routing=set(),
        _posting=set(),
    )


@asynccontextmanager
async def closing(database: Database) -> AsyncIterator[Database]:
    """Its connections are let go at the end."""
    yield database
    await database.close()
