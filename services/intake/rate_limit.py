"""How much somebody may ask for at once and lastingly, so that one cannot starve the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

AT_ONCE = 100_000
A_SECOND = 1_000
"""A token bucket for each workspace and process. Generous: it is against a sender that has run wild, not for pacing."""

MOST_KNOWN = 10_000
"""So many are kept apart; whoever was met first is forgotten, and has a full bucket when they come back."""


@dataclass
class _Bucket:
    tokens: float
    filled_at: int


@dataclass(frozen=True)
class RateLimiter:
    """Job changes of workspaces, or requests of addresses. Held in memory: a restart fills all buckets."""

    now: Callable[[], int]
    at_once: int = AT_ONCE
    a_second: int = A_SECOND
    _buckets: dict[str, _Bucket] = field(default_factory=dict, init=False, repr=False)

    def wait_for(self, whom: str, number: int) -> int | None:
        """None: they are allowed, and taken off. Else how many whole seconds to wait, and nothing is taken off."""
        bucket = self._filled(whom)
        if bucket.tokens >= number:
            bucket.tokens -= number
            return None
        return int((number - bucket.tokens) // self.a_second) + 1

    def _filled(self, whom: str) -> _Bucket:
        now = self.now()
        bucket = self._buckets.get(whom)
        if bucket is None:
            if len(self._buckets) >= MOST_KNOWN:
                del self._buckets[next(iter(self._buckets))]
            bucket = self._buckets[whom] = _Bucket(self.at_once, now)
        gained = max(0, now - bucket.filled_at) * self.a_second / 1_000
        bucket.tokens, bucket.filled_at = min(self.at_once, bucket.tokens + gained), now
        return bucket
