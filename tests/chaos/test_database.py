"""The database restarts, crashes, disconnects, hangs or has a full disk while processes use it."""

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
from tests.chaos.rig.processes import open_rig, send_first_messages, wait_until

pytestmark = pytest.mark.process

A_SECOND = 30

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can limit another process")


@pytest.mark.in_full
async def test_postgresql_fails_repeatedly_and_nothing_is_lost(own_server, size, reports):
    """Senders get Retry-After and workers wait. Nothing is lost, repeated, failed or sent without its layout."""
    chance, caused = Random(7), 0
    faults = cycle(["fast", "disconnect", "immediate", "suspend"])
    async with open_rig(own_server.new_database(), owners=20) as rig:
        for verb in ("web", "worker", "worker"):
            await rig.start(verb)
        await send_first_messages(rig)
        end = time.monotonic() + size.seconds
        async with under_load(rig, A_SECOND) as responses:
            while time.monotonic() < end or caused % 4:
                await own_server.cause(next(faults), chance.uniform(0.2, 3.0))
                caused += 1
                await asyncio.sleep(chance.uniform(0.3, 2.0))
        await rig.wait_until_drained()

        name = f"PostgreSQL restarted, crashed, disconnected, suspended: {caused} times in {size.seconds:.0f} s"
        reports.append(report := await rig.report(name))
        assert responses.are_expected, responses.statuses
        assert report.is_complete, report
        assert report.failed == 0
        assert await rig.read(lambda connection: connection.scalar(select(func.max(deliveries.c.plainness)))) == 0
        assert [process.returncode for process in rig.processes] == [None] * 3


@on_linux
async def test_a_full_disk_loses_nothing_on_sqlite(sqlite_url, size, reports):
    """Senders get 503 until there is space again. The process survives and the file stays intact."""
    file = make_url(sqlite_url).database
    async with open_rig(sqlite_url, owners=20) as rig:
        process = await rig.start()
        await send_first_messages(rig)
        async with under_load(rig, 10 * A_SECOND) as responses:
            for _ in range(max(1, round(size.seconds / 20))):
                with full_disk(process.pid, Path(file)):
                    await wait_for_503(responses)
                    await asyncio.sleep(1)
                await asyncio.sleep(1)
        await rig.wait_until_drained()

        reports.append(report := await rig.report("disk full at commit, SQLite"))
        assert responses.are_expected, responses.statuses
        assert report.is_complete, report
        assert report.failed == 0
        assert process.returncode is None
    with sqlite3.connect(file) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


@contextmanager
def full_disk(process_id, file):
    """No file of this process can grow by more than a little beyond the database as it is."""
    _, hard = resource.prlimit(process_id, resource.RLIMIT_FSIZE)
    resource.prlimit(process_id, resource.RLIMIT_FSIZE, (file.stat().st_size + 200_000, hard))
    yield
    resource.prlimit(process_id, resource.RLIMIT_FSIZE, (hard, hard))


async def wait_for_503(responses):
    """Wait until one more request gets 503."""
    async with asyncio.timeout(60):
        await wait_until(responses.has_more_of(503, more_than=responses.statuses[503]))


async def test_a_full_disk_loses_nothing_on_postgresql(postgresql_url, size, reports):
    """Nothing is accepted without a commit. Messages posted meanwhile are recorded when there is space again."""
    disk = Disk.install(postgresql_url)
    async with open_rig(postgresql_url, owners=20) as rig:
        process = await rig.start()
        await send_first_messages(rig)
        async with under_load(rig, A_SECOND) as responses:
            for _ in range(max(1, round(size.seconds / 20))):
                with disk.full():
                    await wait_for_503(responses)
                    await asyncio.sleep(1)
                await asyncio.sleep(1)
        await rig.wait_until_drained()

        reports.append(report := await rig.report("disk full at commit, PostgreSQL"))
        assert responses.are_expected, responses.statuses
        assert report.is_complete, report
        assert report.failed == 0
        assert process.returncode is None


@pytest.mark.in_full
async def test_a_hung_or_read_only_postgresql_is_answered_and_logged_without_tracebacks(own_server, reports):
    """Every answer comes within 11 seconds, readiness says why, and each outage is two lines of log."""
    async with open_rig(own_server.new_database(), owners=20) as rig:
        for verb in ("web", "worker"):
            await rig.start(verb)
        await send_first_messages(rig)
        ready = rig.url.partition("/v1/")[0] + "/readyz"

        with own_server.suspended():
            began = time.monotonic()
            answers = await asyncio.gather(*(rig.send([1_000 + number]) for number in range(20)))
            assert set(answers) == {(503, True)}
            assert time.monotonic() - began < 11
        async with under_load(rig, A_SECOND) as responses:
            await asyncio.to_thread(own_server.administer, "ALTER SYSTEM SET default_transaction_read_only = on")
            await asyncio.to_thread(own_server.administer, "SELECT pg_reload_conf()")
            await wait_for_503(responses)
            async with rig.http.get(ready) as answer:
                assert answer.status == 503
                assert "the database is read-only" in await answer.text()
            await asyncio.to_thread(own_server.make_writable)
        await rig.wait_until_drained()

        reports.append(report := await rig.report("PostgreSQL hung, then read-only"))
        assert responses.are_expected, responses.statuses
        assert report.is_complete, report
        assert report.failed == 0
        log = rig.log_tail()
        assert "Traceback" not in log
        assert log.count("25006: cannot execute") <= 2  # once a process
        assert "The database is available again" in log
