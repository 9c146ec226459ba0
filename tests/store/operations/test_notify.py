"""Notifications between processes."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from store.database import Database
from store.operations.notify import WorkNotifier
from tests.servers import GENEROUS_TIMEOUT


@pytest.fixture
async def elsewhere(postgresql_url):
    """Return the database as another process opens it."""
    database = Database(postgresql_url)
    yield database
    await database.close()


@pytest.fixture
async def received_elsewhere(postgresql_url):
    """Return a queue of the notifications. The first one says that the listener is connected."""
    received: asyncio.Queue[None] = asyncio.Queue()
    database = Database(postgresql_url)
    listening = asyncio.create_task(WorkNotifier(database).listen(lambda: received.put_nowait(None)))
    async with asyncio.timeout(GENEROUS_TIMEOUT):
        await received.get()
    yield received
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await database.close()


async def test_a_notification_reaches_another_process(elsewhere, received_elsewhere):
    """A worker starts at once on what a web process has accepted."""
    WorkNotifier(elsewhere).notify()

    async with asyncio.timeout(GENEROUS_TIMEOUT):
        await received_elsewhere.get()


async def test_a_process_ignores_its_own_notifications(elsewhere, postgresql_url):
    """It has woken its own worker already."""
    received: asyncio.Queue[None] = asyncio.Queue()
    notifier = WorkNotifier(elsewhere)
    listening = asyncio.create_task(notifier.listen(lambda: received.put_nowait(None)))
    async with asyncio.timeout(GENEROUS_TIMEOUT):
        await received.get()  # it listens

    notifier.notify()
    await notifier._sending
    WorkNotifier(elsewhere).notify()

    async with asyncio.timeout(GENEROUS_TIMEOUT):
        await received.get()
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    assert received.empty()


async def test_a_lost_connection_is_opened_again(elsewhere, received_elsewhere):
    """A worker gets notifications again after the database was restarted."""
    kill = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE query LIKE 'LISTEN%' AND application_name = 'usergems-slack'"
    )
    await elsewhere.run(lambda connection: connection.execute(kill))

    async with asyncio.timeout(GENEROUS_TIMEOUT):
        await received_elsewhere.get()  # it listens again


async def test_many_notifications_at_once_are_few_transactions(elsewhere, received_elsewhere):
    """A flood of requests is not a flood of notifications."""
    notifier = WorkNotifier(elsewhere)
    for _ in range(1_000):
        notifier.notify()

    async with asyncio.timeout(GENEROUS_TIMEOUT):
        await received_elsewhere.get()
    await notifier._sending
    assert received_elsewhere.qsize() <= 2


async def test_on_sqlite_nothing_is_sent(sqlite_url):
    """There is only one process."""
    database = Database(sqlite_url)
    notifier = WorkNotifier(database)

    notifier.notify()

    assert notifier._sending is None
    assert await notifier.listen(lambda: None) is None
    await database.close()
