"""The database is restarted, crashes, cuts connections, hangs, or has no room left, while processes work on it."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import sys
import time
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import func, select
from sqlalchemy.engine import make_url

from store.schema import deliveries
from tests.chaos.rig.load import under_load
from tests.chaos.rig.postgresql import Disk
from tests.chaos.rig.processes import greet, rig_on, until

pytestmark = pytest.mark.process

A_SECOND = 30

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="limits of another process are Linux's")


@pytest.mark.in_full
async def test_postgresql_is_restarted_cut_off_and_stunned_again_and_again(own_server, size, accounts):
    """Senders are asked to come back, workers wait: nothing is lost, told twice, buried or made plainer by that."""
    chance, done = Random(7), 0
    troubles = cycle(["fast", "cut", "immediate", "stun"])
    async with rig_on(own_server.fresh(), owners=20) as rig:
        for verb in ("web", "worker", "worker"):
            await rig.start(verb)
        await greet(rig)
        until = time.monotonic() + size.seconds
        async with under_load(rig, A_SECOND) as answers:
            while time.monotonic() < until or done % 4:
                await own_server.trouble(next(troubles), chance.uniform(0.2, 3.0))
                done += 1
                await asyncio.sleep(chance.uniform(0.3, 2.0))
        await rig.drained()

        name = f"PostgreSQL restarted, crashed, cut off, stunned: {done} times in {size.seconds:.0f} s"
        accounts.append(account := await rig.account(name))
        assert answers.are_fit, answers.statuses
        assert account.is_even, account
        assert account.buried == 0
        assert await rig.look(lambda connection: connection.scalar(select(func.max(deliveries.c.plainness)))) == 0
        assert [each.returncode for each in rig.processes] == [None] * 3


@on_linux
async def test_the_disk_is_full_under_sqlite(sqlite_url, size, accounts):
    """Senders get 503 until there is room again; the process lives through it, and the file is whole."""
    file = make_url(sqlite_url).database
    async with rig_on(sqlite_url, owners=20) as rig:
        process = await rig.start()
        await greet(rig)
        async with under_load(rig, 10 * A_SECOND) as answers:
            for _ in range(max(1, round(size.seconds / 20))):
                with full(process.pid, Path(file)):
                    await refused(answers)
                    await asyncio.sleep(1)
                await asyncio.sleep(1)
        await rig.drained()

        accounts.append(account := await rig.account("disk full at commit, SQLite"))
        assert answers.are_fit, answers.statuses
        assert account.is_even, account
        assert account.buried == 0
        assert process.returncode is None
    with sqlite3.connect(file) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


@contextmanager
def full(process_id, file):
    """No file of this process can grow by more than a little beyond the database as it is."""
    _, hard = resource.prlimit(process_id, resource.RLIMIT_FSIZE)
    resource.prlimit(process_id, resource.RLIMIT_FSIZE, (file.stat().st_size + 200_000, hard))
    yield
    resource.prlimit(process_id, resource.RLIMIT_FSIZE, (hard, hard))


async def refused(answers):
    """Until somebody more was asked to come back."""
    async with asyncio.timeout(60):
        await until(answers.have(503, more_than=answers.statuses[503]))


async def test_the_disk_is_full_under_postgresql(postgresql_url, size, accounts):
    """What cannot be committed was not accepted, and what was posted meanwhile is noted when there is room."""
    disk = Disk.under(postgresql_url)
    async with rig_on(postgresql_url, owners=20) as rig:
        process = await rig.start()
        await greet(rig)
        async with under_load(rig, A_SECOND) as answers:
            for _ in range(max(1, round(size.seconds / 20))):
                with disk.full():
                    await refused(answers)
                    await asyncio.sleep(1)
                await asyncio.sleep(1)
        await rig.drained()

        accounts.append(account := await rig.account("disk full at commit, PostgreSQL"))
        assert answers.are_fit, answers.statuses
        assert account.is_even, account
        assert account.buried == 0
        assert process.returncode is None
