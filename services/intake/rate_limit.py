"""Rate limits in memory, so that one workspace or address cannot starve the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

BURST = 100_000
PER_SECOND = 1_000
"""
The defaults of a token bucket for each workspace and process.

They are generous: they stop a sender that is out of control, and are not meant to pace anybody.
"""

MOST_BUCKETS = 10_000
"""Beyond this number the oldest bucket is dropped. Its owner starts again with a full one."""


@dataclass
class _Bucket:
    tokens: float
    filled_at: int


@dataclass(frozen=True)
class RateLimiter:
    """Token buckets, by workspace or by address. A restart fills them all."""

    now: Callable[[], int]
    burst: int = BURST
    per_second: int = PER_SECOND
    _buckets: dict[str, _Bucket] = field(default_factory=dict, init=False, repr=False)

    def seconds_to_wait(self, key: str, count: int) -> int | None:
        """Take `count` tokens and return None; return the whole seconds to wait if there are too few."""
        bucket = self._filled_bucket(key)
        if bucket.tokens >= count:
            bucket.tokens -= count
            return None
        return int((count - bucket.tokens) // self.per_second) + 1

    def _filled_bucket(self, key: str) -> _Bucket:
        now = self.now()
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= MOST_BUCKETS:
                del self._buckets[next(iter(self._buckets))]
            bucket = self._buckets[key] = _Bucket(self.burst, now)
        gained = max(0, now - bucket.filled_at) * self.per_second / 1_000
        bucket.tokens, bucket.filled_at = min(self.burst, bucket.tokens + gained), now
        return bucket
