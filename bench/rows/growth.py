"""
growth: how large the database is after a year of 1,000 job changes a day, with the default retention.

On each of 365 days, the app's own code accepts, routes and delivers 20 job changes of about 1 KB, one to each of 20
owners, between the sandboxes and with a clock that the benchmark advances. Then it cleans up, and PostgreSQL
is vacuumed as autovacuum would do it. The empty database is not counted. The figure for 1,000 a day is multiplied.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select, text

from bench.kit.databases import POSTGRESQL, SQLITE, Databases
from bench.kit.samples import job_change, person_email
from bench.table import Row, at_most
from store.database import Database
from store.migrations import HOT_TABLES
from store.schema import job_changes
from tests.conftest import Clock
from tests.world import World, open_world

DATABASES = (SQLITE, POSTGRESQL)
DAYS, A_DAY, STATED_A_DAY = 365, 20, 1_000
PEOPLE = 40 * A_DAY
"""Nobody moves twice within a month, which would count as a report of the same move."""

_SIZES = {
    SQLITE: "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    POSTGRESQL: "SELECT pg_database_size(current_database())",
}


async def measure(databases: Databases, kind: str) -> list[Row]:
    with databases.fresh(kind) as url:
        database = Database(url)
        before = await database.run(_size)
        async with open_world(database, Clock()) as world:
            await _add_people(world)
            for day in range(DAYS):
                await _live(world, range(day * A_DAY, (day + 1) * A_DAY))
        size = await database.run(_size) - before
        await database.close()
    job_change_bytes = size / (DAYS * A_DAY)
    return [
        Row("growth: of a job change, over a year", kind, job_change_bytes, "bytes"),
        Row(
            "growth: a year of 1,000 job changes a day",
            kind,
            job_change_bytes * DAYS * STATED_A_DAY / 1e9,
            "GB",
            target=at_most(1),
        ),
    ]


async def _add_people(world: World) -> None:
    await world.default_channel()
    owners = [world.add_owner(f"Owner{number} Jones") for number in range(A_DAY)]
    for number in range(PEOPLE):
        owner = owners[number % A_DAY]
        world.salesforce.add("Contact", LastName="Smith", Email=person_email(number), OwnerId=owner)


async def _live(world: World, numbers: Sequence[int]) -> None:
    """Let a day pass, with job changes of these numbers."""
    tomorrow = world.clock() + 24 * 60 * 60 * 1_000
    for number in numbers:
        sample = job_change(number % PEOPLE) | {"source_event_id": f"event-{number}"}
        await world.intake.accept(world.workspace_id, sample)
    while await world.database.run(_has_open):
        await world.worker.drain()
        world.clock.advance(seconds=1)
    world.clock.now = tomorrow
    await world.worker.housekeeping.tidy()
    if not world.database.is_sqlite:
        with world.database.without_transaction() as connection:
            connection.exec_driver_sql(f"VACUUM {', '.join(HOT_TABLES)}")


def _has_open(connection: Connection) -> bool:
    open_job_change = select(job_changes.c.id).where(job_changes.c.ended_at.is_(None)).limit(1)
    return connection.execute(open_job_change).first() is not None


def _size(connection: Connection) -> int:
    size: int = connection.execute(text(_SIZES[connection.dialect.name])).scalar_one()
    return size
