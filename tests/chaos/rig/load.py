"""Senders that post at a steady rate, retry as senders do, and record the responses."""

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

from tests.chaos.rig.processes import ACCEPTED, DISCONNECTED, NOT_LISTENING, Rig, wait_until

RETRY_STATUSES = {429, 503}


@dataclass
class Responses:
    """Statuses and their counts, seconds of accepted requests, and the number of dropped connections."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    disconnected: int = 0
    without_retry_after: int = 0

    @property
    def are_expected(self) -> bool:
        """Whether every response was 200, 202, or 429 or 503 with Retry-After."""
        return self.statuses.keys() <= ACCEPTED | RETRY_STATUSES and not self.without_retry_after

    def has_more_of(self, status: int, more_than: int = 0) -> Callable[[], Awaitable[bool]]:
        """A condition for `wait_until`: this status came more than so many times."""

        async def holds() -> bool:
            return self.statuses[status] > more_than

        return holds

    @property
    def p99(self) -> float:
        """The 99th percentile of accepted requests in milliseconds."""
        return quantiles(self.seconds, n=100)[98] * 1_000


@dataclass
class Load:
    """`a_second` counts job changes of all senders; `sizes` are per request, in turn. `stop` finishes open requests."""

    rig: Rig
    a_second: float
    senders: int = 4
    sizes: tuple[int, ...] = (1, 10)
    responses: Responses = field(default_factory=Responses)
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        await asyncio.gather(*(self._send(number) for number in range(self.senders)))

    def stop(self) -> None:
        self._stop.set()

    async def _send(self, number: int) -> None:
        turn, due = number, time.monotonic()
        while not self._stop.is_set():
            serials = list(islice(self.rig.serials, self.sizes[turn % len(self.sizes)]))
            await wait_until(partial(self._post, serials), every=0.1)
            turn += 1
            due = max(due, time.monotonic() - 5) + len(serials) * self.senders / self.a_second
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _post(self, serials: list[int]) -> bool:
        began = time.perf_counter()
        status, has_retry_after = await self.rig.send(serials)
        if status in {DISCONNECTED, NOT_LISTENING}:
            self.responses.disconnected += status == DISCONNECTED
            return False
        self.responses.statuses[status] += 1
        self.responses.without_retry_after += status in RETRY_STATUSES and not has_retry_after
        if status in ACCEPTED:
            self.responses.seconds.append(time.perf_counter() - began)
        return status in ACCEPTED


@asynccontextmanager
async def under_load(
    rig: Rig, a_second: float, senders: int = 4, sizes: tuple[int, ...] = (1, 10)
) -> AsyncIterator[Responses]:
    """Send load while the block runs. At its end every started request has been accepted."""
    load = Load(rig, a_second, senders, sizes)
    running = asyncio.create_task(load.run())
    try:
        yield load.responses
    finally:
        load.stop()
        async with asyncio.timeout(120):
            await running
