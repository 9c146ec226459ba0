"""Transactions are cut off, by chance or by a PostgreSQL that is restarted, crashes and hangs: by a given clock."""

from __future__ import annotations

import asyncio
from itertools import count, islice
from random import Random

import pytest
from sqlalchemy import func, select

from store.database import Database, DatabaseUnavailableError
from store.schema import deliveries
from tests.chaos.rig.simulated import closing, simulated
from tests.chaos.rig.unreliable import UnreliableDatabase


@pytest.fixture
async def database(database_url):
    database = UnreliableDatabase(database_url, seed=5)
    yield database
    await database.close()


@pytest.fixture
def rounds(size):
    """Of 20 job changes."""
    return 5 if size.kills < 10 else 15


async def test_connections_are_cut_in_every_third_transaction(database, clock, rounds, accounts):
    """Nothing is lost, nothing told twice, nothing buried or told plainer for what was the database's fault."""
    async with simulated(database, clock, owners=8) as run:
        database.share = 0.3
        for start in range(100, 100 + 20 * rounds, 20):
            await insistently(run.send, range(start, start + 20))
            await insistently(run.pass_time, 2, 0.5)
        database.share = 0.0
        await run.drained(within=600)

        accounts.append(account := await run.account("every third transaction cut off"))
        assert account.is_even, account
        assert (account.buried, database.cuts > 10) == (0, True)
        assert await database.run(lambda connection: connection.scalar(select(func.max(deliveries.c.plainness)))) == 0


async def test_connections_are_cut_while_slack_fails(database, clock, rounds, accounts):
    """What Slack performed and did not say is looked for, whatever the database does meanwhile."""
    chance = Random(6)
    async with simulated(database, clock, owners=8) as run:
        run.world.slack.faults.add(
            "chat.postMessage", status=500, perform=True, times=None, when=lambda _arguments: chance.random() < 0.5
        )
        database.share = 0.2
        for start in range(100, 100 + 20 * rounds, 20):
            await insistently(run.send, range(start, start + 20))
            await insistently(run.pass_time, 5, 1)
        database.share = 0.0
        run.world.slack.faults.clear()
        await run.drained(within=900)

        accounts.append(account := await run.account("transactions cut off while Slack fails"))
        assert account.is_even, account
        assert account.buried == 0


async def test_postgresql_is_restarted_cut_off_and_stunned(own_server, clock, accounts):
    """What its connections really say when that happens is taken for an outage, and for nothing worse."""
    chance, serials = Random(9), count(100)
    async with closing(Database(own_server.fresh())) as database, simulated(database, clock, owners=8) as run:
        for kind in ("fast", "cut", "immediate", "stun", "cut"):
            troubling = asyncio.create_task(own_server.trouble(kind, chance.uniform(0.2, 1.0)))
            while not troubling.done():
                await insistently(run.send, list(islice(serials, 10)))
                await insistently(run.pass_time, 1, 0.5)
            await troubling
        await run.drained(within=600)

        accounts.append(account := await run.account("PostgreSQL restarted, crashed, cut off and stunned"))
        assert account.is_even, account
        assert account.buried == 0
        assert await database.run(lambda connection: connection.scalar(select(func.max(deliveries.c.plainness)))) == 0


async def insistently(work, *arguments):
    """As a sender does, or the worker's loop: again until the database is there."""
    while True:
        try:
            return await work(*arguments)
        except DatabaseUnavailableError:
            await asyncio.sleep(0.02)
