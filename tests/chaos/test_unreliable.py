"""Transactions fail, at random or because PostgreSQL restarts, crashes and hangs."""

from __future__ import annotations

import asyncio
from itertools import count, islice
from random import Random

import pytest
from sqlalchemy import func, select

from store.database import Database, DatabaseUnavailableError
from store.schema import deliveries
from tests.chaos.rig.simulated import closing, open_simulation
from tests.chaos.rig.unreliable import UnreliableDatabase


@pytest.fixture
async def database(database_url):
    database = UnreliableDatabase(database_url, seed=5)
    yield database
    await database.close()


@pytest.fixture
def rounds(size):
    """The number of rounds; each sends 20 job changes."""
    return 5 if size.kills < 10 else 15


async def test_failing_transactions_lose_and_repeat_nothing(database, clock, rounds, reports):
    """When every third transaction fails, nothing is lost, repeated, failed or sent without its layout."""
    async with open_simulation(database, clock, owners=8) as run:
        database.share = 0.3
        for start in range(100, 100 + 20 * rounds, 20):
            await retry_until_available(run.send, range(start, start + 20))
            await retry_until_available(run.pass_time, 2, 0.5)
        database.share = 0.0
        await run.wait_until_drained(within=600)

        reports.append(report := await run.report("every third transaction fails"))
        assert report.is_complete, report
        assert (report.failed, database.failures > 10) == (0, True)
        assert await database.run(lambda connection: connection.scalar(select(func.max(deliveries.c.plainness)))) == 0


async def test_failing_transactions_and_calls_lose_and_repeat_nothing(database, clock, rounds, reports):
    """The app looks for messages that Slack sent but answered with 500, even while the database fails."""
    chance = Random(6)
    async with open_simulation(database, clock, owners=8) as run:
        run.world.slack.faults.add(
            "chat.postMessage", status=500, perform=True, times=None, when=lambda _arguments: chance.random() < 0.5
        )
        database.share = 0.2
        for start in range(100, 100 + 20 * rounds, 20):
            await retry_until_available(run.send, range(start, start + 20))
            await retry_until_available(run.pass_time, 5, 1)
        database.share = 0.0
        run.world.slack.faults.clear()
        await run.wait_until_drained(within=900)

        reports.append(report := await run.report("transactions fail while Slack fails"))
        assert report.is_complete, report
        assert report.failed == 0


async def test_errors_of_a_failing_postgresql_are_treated_as_an_outage(own_server, clock, reports):
    """Errors of real connections during restarts and hangs count as an outage."""
    chance, serials = Random(9), count(100)
    async with (
        closing(Database(own_server.new_database())) as database,
        open_simulation(database, clock, owners=8) as run,
    ):
        for kind in ("fast", "disconnect", "immediate", "suspend", "disconnect"):
            causing = asyncio.create_task(own_server.cause(kind, chance.uniform(0.2, 1.0)))
            while not causing.done():
                await retry_until_available(run.send, list(islice(serials, 10)))
                await retry_until_available(run.pass_time, 1, 0.5)
            await causing
        await run.wait_until_drained(within=600)

        reports.append(report := await run.report("PostgreSQL restarted, crashed, disconnected and suspended"))
        assert report.is_complete, report
        assert report.failed == 0
        assert await database.run(lambda connection: connection.scalar(select(func.max(deliveries.c.plainness)))) == 0


async def retry_until_available(work, *arguments):
    """Retry until the database is available, like a sender or the worker's loop."""
    while True:
        try:
            return await work(*arguments)
        except DatabaseUnavailableError:
            await asyncio.sleep(0.02)
