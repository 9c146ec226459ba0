"""Senders that post all the while, try again as senders do, and remember how they were answered."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from statistics import quantiles

from tests.chaos.rig.processes import CUT_OFF, NOBODY_THERE, YES, Rig, until

BUSY = {429, 503}


@dataclass
class Answers:
    """What the door said: how often which status, how long a yes took, and how often it fell silent in the middle."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    cut_off: int = 0
    without_retry_after: int = 0

    @property
    def are_fit(self) -> bool:
        """Nothing but yes, or an honest *come back later*."""
        return self.statuses.keys() <= YES | BUSY and not self.without_retry_after

    def have(self, status: int, more_than: int = 0) -> Callable[[], Awaitable[bool]]:
        """Whether this status was answered more often; to be waited for."""

        async def holds() -> bool:
            return self.statuses[status] > more_than

        return holds

    @property
    def p99(self) -> float:
        """In milliseconds."""
        return quantiles(self.seconds, n=100)[98] * 1_000


@dataclass
class Load:
    """*a_second*: job changes in all, *sizes*: in a request, in turns. Told to stop it sees through what was begun."""

    rig: Rig
    a_second: float
    senders: int = 4
    sizes: tuple[int, ...] = (1, 10)
    answers: Answers = field(default_factory=Answers)
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        await asyncio.gather(*(self._send(number) for number in range(self.senders)))

    def stop(self) -> None:
        self._stop.set()

    async def _send(self, number: int) -> None:
        turn, due = number, time.monotonic()
        while not self._stop.is_set():
            serials = list(islice(self.rig.serials, self.sizes[turn % len(self.sizes)]))
            await until(partial(self._post, serials), every=0.1)
            turn += 1
            due = max(due, time.monotonic() - 5) + len(serials) * self.senders / self.a_second
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _post(self, serials: list[int]) -> bool:
        began = time.perf_counter()
        status, says_when = await self.rig.offer(serials)
        if status in {CUT_OFF, NOBODY_THERE}:
            self.answers.cut_off += status == CUT_OFF
            return False
        self.answers.statuses[status] += 1
        self.answers.without_retry_after += status in BUSY and not says_when
        if status in YES:
            self.answers.seconds.append(time.perf_counter() - began)
        return status in YES


@asynccontextmanager
async def under_load(
    rig: Rig, a_second: float, senders: int = 4, sizes: tuple[int, ...] = (1, 10)
) -> AsyncIterator[Answers]:
    """While the block runs; afterwards every request that was begun has been answered with yes."""
    load = Load(rig, a_second, senders, sizes)
    running = asyncio.create_task(load.run())
    try:
        yield load.answers
    finally:
        load.stop()
        async with asyncio.timeout(120):
            await running
