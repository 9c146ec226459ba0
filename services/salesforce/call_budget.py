"""The budget of Salesforce API calls of a day, and how long job changes gather into batches so that it lasts. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from domain.day_counts import DAY_MS

LONGEST_GATHERING_MS = 3 * 60_000
"""No job change waits longer than this for others."""

AMPLE_PART, LAST_PART = 0.2, 0.95
"""
The parts of the daily limit that may be used at any time of the day without waiting, and by the end of the day.

What lies between becomes available evenly over the day. The rest is for what people do in Slack.
"""


@dataclass(frozen=True)
class CallBudget:
    """The API calls that the app has made today (UTC), of those that the workspace allows."""

    calls: int
    daily_limit: int

    def next_batch_at(self, now: int) -> int | None:
        """
        Return when Salesforce may be asked for the next batch, in milliseconds. None: now, as there are enough calls.

        The faster the calls are used up, the later that time is.
        """
        at = self._covered_at(now)
        return None if at <= now else min(at, now + LONGEST_GATHERING_MS)

    def is_gathering(self, now: int) -> bool:
        """Whether batches have had to wait for their calls recently."""
        return self.calls > 0 and self._covered_at(now) > now - LONGEST_GATHERING_MS

    def _covered_at(self, now: int) -> int:
        """The time of the day at which as many calls as were made are available."""
        beyond = self.calls - self.daily_limit * AMPLE_PART
        spread = max(self.daily_limit * (LAST_PART - AMPLE_PART), 1)
        return now - now % DAY_MS + round(beyond / spread * DAY_MS)
