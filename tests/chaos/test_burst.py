"""Overload: ten times the usual load, a backlog of a million, a sender without pauses."""

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
from services.intake.rate_limit import BURST, PER_SECOND
from tests.chaos.rig.backlog import insert_backlog
from tests.chaos.rig.load import under_load
from tests.chaos.rig.processes import open_rig, send_first_messages, wait_until
from tests.chaos.rig.run_report import numbered_job_change

pytestmark = [pytest.mark.process, pytest.mark.alone]

USUAL_A_SECOND = 30
MOST_MEMORY_MB = 250
UNPACED_SECONDS = 60


class Memory:
    """The peak memory of a process in MB while the block runs."""

    def __init__(self, process_id):
        self.process = psutil.Process(process_id)
        self.peak = 0.0

    async def __aenter__(self):
        self._watching = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_):
        self._watching.cancel()
        with suppress(asyncio.CancelledError):
            await self._watching

    async def _watch(self):
        while True:
            self.peak = max(self.peak, self.process.memory_info().rss / 1_000_000)
            await asyncio.sleep(0.2)


async def test_ten_times_the_usual_load_is_handled(sqlite_url, size, reports):
    """Requests are accepted in time or get Retry-After, memory stays bounded, and everything is delivered."""
    seconds = min(60, size.seconds)
    async with open_rig(sqlite_url, owners=50) as rig:
        process = await rig.start()
        await send_first_messages(rig)
        async with Memory(process.pid) as memory:
            async with under_load(rig, 10 * USUAL_A_SECOND, senders=32) as responses:
                await asyncio.sleep(seconds)
            await rig.wait_until_drained()

        figures = f"p99 {responses.p99:.0f} ms, {memory.peak:.0f} MB"
        name = f"{10 * USUAL_A_SECOND} a second for {seconds:.0f} s: {figures}"
        reports.append(report := await rig.report(name))
        assert responses.are_expected, responses.statuses
        assert report.is_complete, report
        assert (process.returncode, report.failed) == (None, 0)
        assert memory.peak < MOST_MEMORY_MB
        assert responses.p99 < size.longest_p99_ms


async def test_memory_does_not_grow_with_the_backlog(sqlite_url, size, reports):
    """With a large backlog, the app keeps accepting and delivering, and nothing is lost."""
    async with open_rig(sqlite_url, owners=50) as rig:
        process = await rig.start()
        await send_first_messages(rig)
        await rig.stop(process, signal.SIGTERM)
        serials = range(1_000, 1_000 + size.waiting)
        now = round(time.time() * 1_000)
        rig.accepted |= await asyncio.to_thread(insert_backlog, sqlite_url, rig.team.id, serials, len(rig.owners), now)
        process = await rig.start()
        rig.serials = iter(range(serials.stop, 10**7))
        async with Memory(process.pid) as memory, under_load(rig, USUAL_A_SECOND) as responses:
            await asyncio.sleep(size.seconds / 4)
        status = await rig.stop(process, signal.SIGTERM)

        reports.append(report := await rig.report(f"{size.waiting:,} wait: {memory.peak:.0f} MB"))
        delete(sqlite_url)
        assert responses.are_expected, responses.statuses
        assert (status, report.failed) == (0, 0)
        assert report.is_consistent, report
        assert report.delivered > len(rig.owners)
        assert report.delivered + report.in_channel + report.waiting == report.accepted
        assert memory.peak < MOST_MEMORY_MB


def delete(sqlite_url):
    """The file is a gigabyte, and pytest would keep it for a while."""
    Path(make_url(sqlite_url).database).unlink()


@pytest.mark.in_full
async def test_a_sender_without_pauses_gets_429(sqlite_url, reports):
    """A sender that posts large batches without pauses gets 429 with Retry-After; memory stays bounded."""
    async with open_rig(sqlite_url, owners=50) as rig:
        process = await rig.start()
        await send_first_messages(rig)
        async with Memory(process.pid) as memory, under_load(rig, 10**6, senders=4, sizes=(1_000,)) as responses:
            with suppress(TimeoutError):
                async with asyncio.timeout(UNPACED_SECONDS):
                    await wait_until(responses.has_more_of(429))
        status = await rig.stop(process, signal.SIGTERM)

        reports.append(report := await rig.report(f"a sender without pauses, until 429: {memory.peak:.0f} MB"))
        assert responses.are_expected, responses.statuses
        assert status == 0
        # A slow machine never reaches the limit.
        assert responses.statuses[429] or len(rig.accepted) <= BURST + PER_SECOND * UNPACED_SECONDS
        assert report.is_consistent, report
        assert report.delivered + report.in_channel + report.waiting == report.accepted
        assert memory.peak < MOST_MEMORY_MB


def test_the_inserted_backlog_has_valid_payloads():
    """Rows of `insert_backlog` can be read like rows from a sender."""
    stored = JobChange.parse(numbered_job_change(0, 0)).to_stored()
    payload = stored.replace("0000000", "0000012").replace("contact0@", "contact2@")

    assert JobChange.from_stored(payload).person.name == "Serial 0000012"
