"""How much PostgreSQL writes to its log (WAL) for a job change, which replicas and archives have to keep up with."""

from __future__ import annotations

import asyncio

from sqlalchemy import Connection, text

from store.database import Database
from tests.world import open_world

JOB_CHANGES, OWNERS = 200, 20


def written(connection: Connection) -> int:
    """Return how many bytes were written since the database was set up."""
    statement = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')"
    return int(connection.execute(text(statement)).scalar_one())


async def test_routing_a_batch_writes_each_job_change_once(postgresql_url, clock):
    """
    Claiming writes nothing to the job changes. What is left is the row with its decision, and its delivery.

    Each is a new version of the row with a new entry in every index, so neither has more in it than is read.
    """
    database = Database(postgresql_url)
    async with open_world(database, clock) as world:
        await world.default_channel()
        for number in range(OWNERS):
            owner = world.add_owner(f"Owner{number} Jones")
            world.salesforce.add("Contact", LastName="Smith", Email=f"ada{number}@initech.example", OwnerId=owner)
        for number in range(JOB_CHANGES):
            person = {"full_name": "Ada Smith", "emails": [f"ada{number % OWNERS}@initech.example"]}
            await world.accept(source_event_id=str(number), person=person)
        before = await database.run(written)

        await world.worker.route_due()
        await asyncio.wait(world.worker._routing)

        bytes_each = (await database.run(written) - before) / JOB_CHANGES
    await database.close()
    assert 1_000 < bytes_each < 2_600
