"""Telling the worker that there is something to do, so that it need not look all the time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Wakeups:
    """One bell for each half of the way."""

    to_route: asyncio.Event = field(default_factory=asyncio.Event)
    to_post: asyncio.Event = field(default_factory=asyncio.Event)


async def wait_for(bell: asyncio.Event, seconds: float) -> None:
    """Until the bell rings, or so many seconds have passed; the bell is silent afterwards."""
    try:
        async with asyncio.timeout(seconds):
            await bell.wait()
    except TimeoutError:
        pass
    bell.clear()
