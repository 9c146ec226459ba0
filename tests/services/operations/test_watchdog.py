"""A loop that reports no heartbeat is stuck."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from services.operations.watchdog import CHECKS, LONGEST_ROUND_MS, Watchdog, wait_until_stuck


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


def test_a_loop_that_stays_stuck_ends_the_process(clock):
    """It takes a minute of checks in a row, whichever of the watchdogs of the process reports it."""
    event_loop, worker, waits = Watchdog(clock), Watchdog(clock), []
    worker.beat("route")

    def ends_within(seconds: float) -> bool:
        waits.append(seconds)
        clock.advance(seconds=seconds)
        event_loop.beat("event loop")
        return False

    assert wait_until_stuck([event_loop, worker], ends_within) == ["route"]
    assert LONGEST_ROUND_MS / 1_000 + 60 <= sum(waits) <= 90


def test_a_process_that_was_suspended_goes_on(clock):
    """All of its loops are silent for long, but only once."""
    watchdog, suspensions = Watchdog(clock), iter([*([3_600.0, 5.0] * CHECKS), None])
    watchdog.beat("route")

    def ends_within(_seconds: float) -> bool:
        suspension = next(suspensions)
        if suspension == 5.0:
            watchdog.beat("route")
        clock.advance(seconds=suspension or 0)
        return suspension is None

    assert wait_until_stuck([watchdog], ends_within) == []


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
