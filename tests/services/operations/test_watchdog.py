"""A loop that reports no heartbeat is stuck."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from services.operations.watchdog import LONGEST_ROUND_MS, Watchdog


def test_a_process_without_loops_is_not_stuck(clock):
    """A web process has no worker."""
    clock.advance(seconds=1_000)

    assert Watchdog(clock).stuck_loops == []
    assert Watchdog(clock).is_healthy is None


def test_each_loop_is_watched_by_itself(clock):
    """The heartbeats of the other loop do not hide it."""
    watchdog = Watchdog(clock)
    watchdog.beat("route")
    watchdog.beat("post")
    clock.advance(seconds=LONGEST_ROUND_MS / 1_000)
    assert watchdog.is_healthy
    watchdog.beat("post")
    clock.advance(seconds=1)

    assert watchdog.stuck_loops == ["route"]
    assert watchdog.is_healthy is False


async def test_both_loops_of_the_worker_report_heartbeats(world):
    """They do so even while there is nothing to do."""
    heard: set[str] = set()
    both, stop = asyncio.Event(), asyncio.Event()

    def beat(half: str) -> None:
        heard.add(half)
        if len(heard) == 2:
            both.set()

    working = asyncio.create_task(replace(world.worker, heartbeat=beat).run(stop))
    await both.wait()
    stop.set()
    await working

    assert heard == {"route", "post"}
