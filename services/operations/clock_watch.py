"""Watches the clocks: corrects the app's when the machine's was set, and compares the machine's with Slack's."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import aiohttp

from services.clock import SteadyClock
from store.database import Database
from store.operations import clock_steps

EVERY_SECONDS = 5.0

CHECKS_BETWEEN_QUESTIONS = 12
"""Slack is asked for its time once a minute, as long as its time is not known or differs."""

MOST_ERROR_MS = 2_000
"""How far the app's clock may be from the machine's. Ordinary corrections by NTP are far smaller."""

MOST_SKEW_MS = 60_000
"""How far the machine's clock may be from Slack's before people are warned."""

SIGNATURE_SKEW_MS = 5 * 60_000
"""From here on, Slack's requests look too old: https://docs.slack.dev/authentication/verifying-requests-from-slack"""

log = logging.getLogger(__name__)


@dataclass
class ClockWatch:
    """
    Compares three clocks: the app's, which is steady; the machine's, which can be set; and Slack's.

    `skew_ms` is by how much the machine's clock is ahead of Slack's, None before Slack has answered. `_seen_error_ms`
    is the error of the app's clock at the last check, None if there was none. `ask_slack` calls api.test, see
    `saw_date`; None means that nobody asks.
    """

    clock: SteadyClock
    database: Database
    ask_slack: Callable[[], AbstractAsyncContextManager[object]] | None = None
    skew_ms: int | None = None
    _seen_error_ms: int | None = None

    async def run(self) -> None:
        """Check until canceled."""
        while True:
            await self.compare()
            for _ in range(CHECKS_BETWEEN_QUESTIONS):
                await asyncio.sleep(EVERY_SECONDS)
                await self.check()

    async def compare(self) -> None:
        """
        Ask Slack for its time if it is not known or differs.

        A process with a wrong clock refuses Slack's requests, so it may have no other reason to call Slack.
        """
        if self.ask_slack and (self.skew_ms is None or abs(self.skew_ms) > MOST_SKEW_MS):
            with suppress(aiohttp.ClientError, TimeoutError):
                async with self.ask_slack():
                    pass

    async def check(self) -> None:
        """
        Follow the machine's clock if it differs in the same way as at the last check, so not while it is being set.

        The machine's clock differs when it was wrong at the start of this process, and after the machine slept.
        """
        error_ms = self.clock.error_ms()
        if abs(error_ms) <= MOST_ERROR_MS:
            self._seen_error_ms = None
            return
        if self._seen_error_ms is None or abs(error_ms - self._seen_error_ms) > MOST_ERROR_MS:
            self._seen_error_ms = error_ms
            return
        before = self.clock()
        self.clock.correct()
        step = self.clock() - before
        log.warning("The machine's clock was set by %+.0f seconds since this process started. Following it", step / 1e3)
        await self.database.run_until_available(clock_steps.follow, before, step)
        self._seen_error_ms = None

    def saw_date(self, header: str) -> None:
        """Take the `Date` header of an answer of Slack, which is accurate to a second. Other texts are ignored."""
        try:
            slack_time = parsedate_to_datetime(header)
        except ValueError:
            return
        self.skew_ms = round((self.clock.wall() - slack_time.timestamp()) * 1_000)

    @property
    def problem(self) -> str | None:
        """Why this process cannot check signatures, or None."""
        if self.skew_ms is not None and abs(self.skew_ms) >= SIGNATURE_SKEW_MS:
            return f"this machine's clock is {skew_text(self.skew_ms / 1_000)}, so signed requests look forged: use NTP"
        if self._seen_error_ms is not None:
            return "this machine's clock was set: following it"
        return None

    @property
    def warning(self) -> str | None:
        """What is wrong with the clock although signatures can still be checked, or None."""
        if self.problem is None and self.skew_ms is not None and abs(self.skew_ms) > MOST_SKEW_MS:
            return f"this machine's clock is {skew_text(self.skew_ms / 1_000)}: use NTP"
        return None


def skew_text(seconds: float) -> str:
    return f"{abs(seconds):,.0f} seconds {'ahead of' if seconds > 0 else 'behind'} Slack's"
