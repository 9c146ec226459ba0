"""More than usual: ten times as much for a minute, a million that wait, a sender that has run wild."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from sqlalchemy.engine import make_url

from domain.job_change.model import JobChange
from services.intake.rate_limit import A_SECOND, AT_ONCE
from tests.chaos.rig.backlog import wait
from tests.chaos.rig.load import under_load
from tests.chaos.rig.processes import greet, rig_on, until
from tests.chaos.rig.reconciliation import numbered

pytestmark = [pytest.mark.process, pytest.mark.alone]

USUAL_A_SECOND = 30
MOST_MEMORY_MB = 250
WILD_SECONDS = 60


class Memory:
    """The most that a process had in use, in MB, while the block ran."""

    def __init__(self, process_id):
        self.process = psutil.Process(process_id)
        self.most = 0.0

    async def __aenter__(self):
        self._watching = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_):
        self._watching.cancel()
        with suppress(asyncio.CancelledError):
            await self._watching

    async def _watch(self):
        while True:
            self.most = max(self.most, self.process.memory_info().rss / 1_000_000)
            await asyncio.sleep(0.2)


async def test_ten_times_the_usual_for_a_minute(sqlite_url, size, accounts):
    """The door answers yes in time, or says when to come back; memory stays bounded, and all of it is told."""
    seconds = min(60, size.seconds)
    async with rig_on(sqlite_url, owners=50) as rig:
        process = await rig.start()
        await greet(rig)
        async with Memory(process.pid) as memory:
            async with under_load(rig, 10 * USUAL_A_SECOND, senders=32) as answers:
                await asyncio.sleep(seconds)
            await rig.drained()

        figures = f"p99 {answers.p99:.0f} ms, {memory.most:.0f} MB"
        name = f"{10 * USUAL_A_SECOND} a second for {seconds:.0f} s: {figures}"
        accounts.append(account := await rig.account(name))
        assert answers.are_fit, answers.statuses
        assert account.is_even, account
        assert (process.returncode, account.buried) == (None, 0)
        assert memory.most < MOST_MEMORY_MB
        assert answers.p99 < size.longest_p99_ms


async def test_memory_stays_bounded_however_many_wait(sqlite_url, size, accounts):
    """Worker and door go on as if few waited; what has ended matches what was told, and the rest still waits."""
    async with rig_on(sqlite_url, owners=50) as rig:
        process = await rig.start()
        await greet(rig)
        await rig.end(process, signal.SIGTERM)
        serials = range(1_000, 1_000 + size.waiting)
        now = round(time.time() * 1_000)
        rig.accepted |= await asyncio.to_thread(wait, sqlite_url, rig.team.id, serials, len(rig.owners), now)
        process = await rig.start()
        rig.serials = iter(range(serials.stop, 10**7))
        async with Memory(process.pid) as memory, under_load(rig, USUAL_A_SECOND) as answers:
            await asyncio.sleep(size.seconds / 4)
        status = await rig.end(process, signal.SIGTERM)

        accounts.append(account := await rig.account(f"{size.waiting:,} wait: {memory.most:.0f} MB"))
        delete(sqlite_url)
        assert answers.are_fit, answers.statuses
        assert (status, account.buried) == (0, 0)
        assert account.matches, account
        assert account.delivered > len(rig.owners)
        assert account.delivered + account.channel + account.waiting == account.accepted
        assert memory.most < MOST_MEMORY_MB


def delete(sqlite_url):
    """A million take a gigabyte, and what tests leave behind is kept for a while."""
    Path(make_url(sqlite_url).database).unlink()


@pytest.mark.in_full
async def test_a_sender_that_has_run_wild_is_asked_to_come_back(sqlite_url, accounts):
    """As fast as it can, in large batches: 429 with Retry-After once its allowance is used up, memory bounded."""
    async with rig_on(sqlite_url, owners=50) as rig:
        process = await rig.start()
        await greet(rig)
        async with Memory(process.pid) as memory, under_load(rig, 10**6, senders=4, sizes=(1_000,)) as answers:
            with suppress(TimeoutError):
                async with asyncio.timeout(WILD_SECONDS):
                    await until(answers.have(429))
        status = await rig.end(process, signal.SIGTERM)

        accounts.append(account := await rig.account(f"a sender runs wild, until 429: {memory.most:.0f} MB"))
        assert answers.are_fit, answers.statuses
        assert status == 0
        # A machine that takes less than the allowance grants never has to refuse.
        assert answers.statuses[429] or len(rig.accepted) <= AT_ONCE + A_SECOND * WILD_SECONDS
        assert account.matches, account
        assert account.delivered + account.channel + account.waiting == account.accepted
        assert memory.most < MOST_MEMORY_MB


def test_what_waits_is_what_a_sender_would_have_sent():
    """The rows that are written in bulk are read as any other."""
    stored = JobChange.parse(numbered(0, 0)).to_stored()
    one = stored.replace("0000000", "0000012").replace("contact0@", "contact2@")

    assert JobChange.from_stored(one).person.name == "Serial 0000012"
