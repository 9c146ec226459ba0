"""Processes are killed or stopped at random interrupted, or compete for one SQLite file."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from dataclasses import dataclass
from random import Random

import pytest
from sqlalchemy import func, select

from store.schema import posts, turns
from tests.chaos.rig.load import under_load
from tests.chaos.rig.processes import first_line, open_rig, send_first_messages

pytestmark = pytest.mark.process

WITHOUT_HISTORY = "chat:write,chat:write.public,commands,users:read,users:read.email,channels:read,groups:read"
A_SECOND = 30
VENDOR_LATENCY = 0.05


@pytest.fixture
async def rig(sqlite_url):
    async with open_rig(sqlite_url, owners=20) as rig:
        slow_down(rig)
        yield rig


def slow_down(rig):
    """Slow calls make it likely that a kill interrupts one."""
    rig.slack.api.latency = rig.salesforce.latency = VENDOR_LATENCY


@dataclass
class Interrupted:
    """What the kills interrupted: batches being routed, posts being sent, requests without a response."""

    batches: int = 0
    posts: int = 0
    requests: int = 0

    def __str__(self) -> str:
        return f"{self.requests} requests, {self.batches} batches and {self.posts} posts interrupted"


async def kill_repeatedly(rig, verbs, kills, seed):
    """Under load, kill a random process once it is ready and start it again, so many times."""
    chance, interrupted = Random(seed), Interrupted()
    running = [await rig.launch(verb) for verb in verbs]
    ready = [asyncio.create_task(first_line(process)) for process in running]
    await send_first_messages(rig)
    async with under_load(rig, A_SECOND) as responses:
        for _ in range(kills):
            index = chance.randrange(len(verbs))
            assert await ready[index], rig.log_tail()
            await asyncio.sleep(chance.uniform(0, 0.8))
            await rig.stop(running[index])
            batches, sending = await rig.read(count_claimed)
            interrupted.batches += batches
            interrupted.posts += sending
            running[index] = await rig.launch(verbs[index])
            ready[index] = asyncio.create_task(first_line(running[index]))
        assert all(await asyncio.gather(*ready)), rig.log_tail()
    assert responses.are_expected, responses.statuses
    interrupted.requests = responses.disconnected
    await rig.wait_until_drained()
    return interrupted


def count_claimed(connection):
    """The numbers of claimed batches and posts."""
    batches = select(func.count()).where(turns.c.lease.is_not(None))
    sending = select(func.count()).where(posts.c.state == "sending")
    return connection.scalar(batches), connection.scalar(sending)


async def test_kills_on_sqlite_lose_and_repeat_nothing(rig, size, reports):
    """Everything that was accepted is delivered once, whenever the process is killed."""
    interrupted = await kill_repeatedly(rig, ["serve"], size.kills, seed=1)

    reports.append(report := await rig.report(f"{size.kills} kill -9, SQLite: {interrupted}"))
    assert report.is_complete, report
    assert report.failed == 0


@pytest.mark.in_full
async def test_kills_of_replicas_on_postgresql_lose_and_repeat_nothing(postgresql_url, size, reports):
    """One of several replicas is killed at a time; the others continue."""
    async with open_rig(postgresql_url, owners=20) as rig:
        slow_down(rig)
        verbs = ["web", "worker", "worker", "worker"]
        interrupted = await kill_repeatedly(rig, verbs, size.kills, seed=2)

        reports.append(report := await rig.report(f"{size.kills} kill -9, PostgreSQL, 3 workers: {interrupted}"))
    assert report.is_complete, report
    assert report.failed == 0


@pytest.mark.in_full
async def test_without_history_a_kill_repeats_at_most_the_messages_being_sent(sqlite_url, size, reports):
    """Where the app may not read messages, those being sent at a kill may be repeated; none is lost."""
    kills = -(-size.kills // 10)
    async with open_rig(sqlite_url, owners=20, scopes=WITHOUT_HISTORY) as rig:
        slow_down(rig)
        interrupted = await kill_repeatedly(rig, ["serve"], kills, seed=3)

        reports.append(report := await rig.report(f"{kills} kill -9 without im:history: {interrupted}"))
    assert (report.lost, report.waiting, report.unexpected, report.duplicated) == ([], 0, [], [])
    assert max(report.repeated.values(), default=0) <= 1 + kills


async def test_sigterm_finishes_open_messages_and_repeats_nothing(sqlite_url, size, reports):
    """After SIGTERM the app finishes messages being sent, so nothing is repeated even without `im:history`."""
    stops = -(-size.kills // 10)
    chance = Random(4)
    async with open_rig(sqlite_url, owners=20, scopes=WITHOUT_HISTORY) as rig:
        slow_down(rig)
        process = await rig.start()
        await send_first_messages(rig)
        async with under_load(rig, A_SECOND) as responses:
            for _ in range(stops):
                await asyncio.sleep(chance.uniform(0.05, 0.9))
                began = time.monotonic()
                status = await rig.stop(process, signal.SIGTERM)
                assert (status, time.monotonic() - began < 10) == (0, True), rig.log_tail()
                process = await rig.start()
        await rig.wait_until_drained()

        reports.append(report := await rig.report(f"{stops} SIGTERM, without im:history"))
    assert responses.are_expected, responses.statuses
    assert report.is_complete, report
    assert report.failed == 0


async def test_only_one_of_two_processes_on_a_sqlite_file_works(rig, size, reports):
    """One process works and the other is refused. When the first is killed, the next start takes over."""
    kills, refused = -(-size.kills // 10), Counter()
    stop = asyncio.Event()
    working: asyncio.Queue = asyncio.Queue()

    async def supervise():
        while not stop.is_set():
            process = await rig.launch()
            if await first_line(process):
                await working.put(process)
            await process.wait()
            refused[process.returncode] += 1

    supervisors = [asyncio.create_task(supervise()) for _ in range(2)]
    process = await working.get()
    await send_first_messages(rig)
    async with under_load(rig, A_SECOND):
        for _ in range(kills):
            await asyncio.sleep(0.5)
            assert working.empty(), "two processes work on one file"
            await rig.stop(process)
            process = await working.get()
    await rig.wait_until_drained()
    stop.set()
    for process in rig.processes:
        await rig.stop(process)
    await asyncio.gather(*supervisors)

    reports.append(report := await rig.report(f"two serves on one SQLite file, {kills} kill -9"))
    assert report.is_complete, report
    assert refused[1] > 0
    assert refused.keys() <= {1, -signal.SIGKILL}
