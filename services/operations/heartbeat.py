"""Telling somebody outside, once a minute, that all is well; silence is the alarm."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field

import aiohttp

from services.operations.watchdog import Watchdog
from store.database import Database, DatabaseUnavailableError
from store.operations import health_figures

log = logging.getLogger(__name__)

FIRST_SECONDS = 3.0
"""The worker has to go round first."""

EVERY_SECONDS = 60.0
LONGEST_WAIT_MS = 5 * 60_000
TIMEOUT = aiohttp.ClientTimeout(total=10)


@dataclass(frozen=True)
class Heartbeat:
    """*url* is a secret of the operator's: whoever knows it can say that all is well."""

    url: str = field(repr=False)
    http: aiohttp.ClientSession = field(repr=False)
    database: Database
    watchdog: Watchdog

    async def run(self) -> None:
        """Until cancelled."""
        await asyncio.sleep(FIRST_SECONDS)
        while True:
            await self.beat()
            await asyncio.sleep(EVERY_SECONDS)

    async def beat(self) -> bool:
        """Call the URL if all is well; whether it was."""
        why_not = await self._what_is_wrong()
        if why_not:
            log.warning("no heartbeat: %s", why_not)
            return False
        try:
            async with self.http.get(self.url, timeout=TIMEOUT, allow_redirects=False) as response:
                if response.status >= 400:
                    log.warning("HEARTBEAT_URL answers HTTP %d", response.status)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            log.warning("HEARTBEAT_URL cannot be called: %s", type(error).__name__)
        return True

    async def _what_is_wrong(self) -> str | None:
        if not self.watchdog.is_healthy:
            return "the worker does not go round"
        now = self.watchdog.now()
        try:
            async with asyncio.timeout(TIMEOUT.total):
                is_stuck = await self.database.run(health_figures.is_stuck, now - LONGEST_WAIT_MS, now)
        except (DatabaseUnavailableError, TimeoutError):
            return "the database does not answer"
        return "something has waited for more than five minutes, without a reason" if is_stuck else None
