"""Processes that are killed at random moments of accept, route and post, or are told to stop, or are one too many."""

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
from tests.chaos.rig.processes import greet, rig_on, said

pytestmark = pytest.mark.process

WITHOUT_HISTORY = "chat:write,chat:write.public,commands,users:read,users:read.email,channels:read,groups:read"
A_SECOND = 30
VENDORS_TAKE = 0.05


@pytest.fixture
async def rig(sqlite_url):
    async with rig_on(sqlite_url, owners=20) as rig:
        slow_down(rig)
        yield rig


def slow_down(rig):
    """So that calls are under way when somebody dies."""
    rig.slack.api.latency = rig.salesforce.latency = VENDORS_TAKE


@dataclass
class Moments:
    """What was under way at the kills: batches being routed, posts being sent, requests without an answer."""

    batches: int = 0
    posts: int = 0
    requests: int = 0

    def __str__(self) -> str:
        return f"{self.requests} requests, {self.batches} batches and {self.posts} posts cut off"


async def kill_again_and_again(rig, verbs, kills, seed):
    """Kill one process at random, once it is at work, and start it again, while senders send."""
    chance, moments = Random(seed), Moments()
    running = [await rig.begin(verb) for verb in verbs]
    ready = [asyncio.create_task(said(process)) for process in running]
    await greet(rig)
    async with under_load(rig, A_SECOND) as answers:
        for _ in range(kills):
            index = chance.randrange(len(verbs))
            assert await ready[index], rig.logged()
            await asyncio.sleep(chance.uniform(0, 0.8))
            await rig.end(running[index])
            batches, sending = await rig.look(under_way)
            moments.batches += batches
            moments.posts += sending
            running[index] = await rig.begin(verbs[index])
            ready[index] = asyncio.create_task(said(running[index]))
        assert all(await asyncio.gather(*ready)), rig.logged()
    assert answers.are_fit, answers.statuses
    moments.requests = answers.cut_off
    await rig.drained()
    return moments


def under_way(connection):
    """Batches and posts that somebody held."""
    batches = select(func.count()).where(turns.c.lease.is_not(None))
    sending = select(func.count()).where(posts.c.state == "sending")
    return connection.scalar(batches), connection.scalar(sending)


async def test_killed_on_sqlite_nothing_is_lost_and_nothing_told_twice(rig, size, accounts):
    """One process, killed at random: what was answered with yes is told once."""
    moments = await kill_again_and_again(rig, ["serve"], size.kills, seed=1)

    accounts.append(account := await rig.account(f"{size.kills} kill -9, SQLite: {moments}"))
    assert account.is_even, account
    assert account.buried == 0


@pytest.mark.in_full
async def test_killed_on_postgresql_with_three_workers_nothing_is_lost_and_nothing_told_twice(
    postgresql_url, size, accounts
):
    """Replicas are killed one by one, and the others go on."""
    async with rig_on(postgresql_url, owners=20) as rig:
        slow_down(rig)
        verbs = ["web", "worker", "worker", "worker"]
        moments = await kill_again_and_again(rig, verbs, size.kills, seed=2)

        accounts.append(account := await rig.account(f"{size.kills} kill -9, PostgreSQL, 3 workers: {moments}"))
    assert account.is_even, account
    assert account.buried == 0


@pytest.mark.in_full
async def test_without_read_back_a_kill_repeats_at_most_what_was_in_flight(sqlite_url, size, accounts):
    """Where we may not read, a message in flight at a kill may come twice; none is lost."""
    kills = -(-size.kills // 10)
    async with rig_on(sqlite_url, owners=20, scopes=WITHOUT_HISTORY) as rig:
        slow_down(rig)
        moments = await kill_again_and_again(rig, ["serve"], kills, seed=3)

        accounts.append(account := await rig.account(f"{kills} kill -9 without im:history: {moments}"))
    assert (account.lost, account.waiting, account.unexpected, account.twofold) == ([], 0, [], [])
    assert max(account.repeated.values(), default=0) <= 1 + kills


async def test_told_to_stop_at_any_time_it_ends_in_time_and_nothing_is_told_twice(sqlite_url, size, accounts):
    """SIGTERM lets what is in flight finish: so nothing comes twice, even where we may not read."""
    stops = -(-size.kills // 10)
    chance = Random(4)
    async with rig_on(sqlite_url, owners=20, scopes=WITHOUT_HISTORY) as rig:
        slow_down(rig)
        process = await rig.start()
        await greet(rig)
        async with under_load(rig, A_SECOND) as answers:
            for _ in range(stops):
                await asyncio.sleep(chance.uniform(0.05, 0.9))
                began = time.monotonic()
                status = await rig.end(process, signal.SIGTERM)
                assert (status, time.monotonic() - began < 10) == (0, True), rig.logged()
                process = await rig.start()
        await rig.drained()

        accounts.append(account := await rig.account(f"{stops} SIGTERM, without im:history"))
    assert answers.are_fit, answers.statuses
    assert account.is_even, account
    assert account.buried == 0


async def test_two_supervisors_of_one_sqlite_file_are_one_app(rig, size, accounts):
    """One works, the other is refused and tries again. Whoever works is killed, and one of them takes over."""
    kills, refused = -(-size.kills // 10), Counter()
    stop = asyncio.Event()
    working: asyncio.Queue = asyncio.Queue()

    async def supervise():
        while not stop.is_set():
            process = await rig.begin()
            if await said(process):
                await working.put(process)
            await process.wait()
            refused[process.returncode] += 1

    supervisors = [asyncio.create_task(supervise()) for _ in range(2)]
    process = await working.get()
    await greet(rig)
    async with under_load(rig, A_SECOND):
        for _ in range(kills):
            await asyncio.sleep(0.5)
            assert working.empty(), "two work on one file"
            await rig.end(process)
            process = await working.get()
    await rig.drained()
    stop.set()
    for each in rig.processes:
        await rig.end(each)
    await asyncio.gather(*supervisors)

    accounts.append(account := await rig.account(f"two serves on one SQLite file, {kills} kill -9"))
    assert account.is_even, account
    assert refused[1] > 0
    assert refused.keys() <= {1, -signal.SIGKILL}
