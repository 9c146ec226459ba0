"""Calling a monitoring URL once a minute while the app is healthy. The monitor alerts when the calls stop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp

from services.operations.database_watch import DatabaseWatch
from services.operations.watchdog import Watchdog
from store.database import Database, DatabaseUnavailableError
from store.operations import health_figures

log = logging.getLogger(__name__)

FIRST_SECONDS = 3.0
"""The worker needs time for its first heartbeats."""

EVERY_SECONDS = 60.0
LONGEST_WAIT_MS = 5 * 60_000
TIMEOUT = aiohttp.ClientTimeout(total=10)


@dataclass(frozen=True)
class Heartbeat:
    """`url` is a secret, because anyone who knows it could keep the monitor quiet."""

    url: str = field(repr=False)
    http: aiohttp.ClientSession = field(repr=False)
    database: Database
    watchdog: Watchdog
    database_watch: DatabaseWatch
    now: Callable[[], int]

    async def run(self) -> None:
        """Run until canceled."""
        await asyncio.sleep(FIRST_SECONDS)
        while True:
            await self.beat()
            await asyncio.sleep(EVERY_SECONDS)

    async def beat(self) -> bool:
        """Call the URL if the app is healthy, and return whether it is."""
        problem = await self._problem()
        if problem:
            log.warning("No heartbeat sent: %s", problem)
            return False
        try:
            async with self.http.get(self.url, timeout=TIMEOUT, allow_redirects=False) as response:
                if response.status >= 400:
                    log.warning("HEARTBEAT_URL responded with HTTP %d", response.status)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            log.warning("Could not call HEARTBEAT_URL: %s", type(error).__name__)
        return True

    async def _problem(self) -> str | None:
        if not self.watchdog.is_healthy:
            return "the worker is not running"
        if problem := await self.database_watch.problem():
            return problem
        now = self.now()
        try:
            async with asyncio.timeout(TIMEOUT.total):
                is_stuck = await self.database.run(health_figures.is_stuck, now - LONGEST_WAIT_MS, now)
        except (DatabaseUnavailableError, TimeoutError):
            return "the database is not responding"
        return "something has waited for over five minutes without a reason" if is_stuck else None
