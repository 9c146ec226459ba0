"""Rate limits in memory, so that one workspace or address cannot starve the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

BURST = 100_000
PER_SECOND = 1_000
"""
The defaults of a token bucket for each workspace and process.

They are generous, as those of bytes and time are: they stop a sender that is out of control, and are not meant to pace
anybody.
"""

BURST_BYTES = 512 * 1024 * 1024
BYTES_PER_SECOND = 8 * 1024 * 1024
BURST_MS = 60_000
MS_PER_SECOND = 500
"""Milliseconds of parsing: half a processor in the long run."""

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

    def spend(self, key: str, count: float) -> None:
        """Take tokens that have been used already. The bucket may have less than none afterwards."""
        self._filled_bucket(key).tokens -= count

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


@dataclass(frozen=True)
class Allowance:
    """What a workspace may send to this process: job changes, bytes, and time for parsing them."""

    job_changes: RateLimiter
    size: RateLimiter
    parsing: RateLimiter

    @classmethod
    def of(cls, now: Callable[[], int], burst: int = BURST, per_second: int = PER_SECOND) -> Allowance:
        return cls(
            RateLimiter(now, burst, per_second),
            RateLimiter(now, BURST_BYTES, BYTES_PER_SECOND),
            RateLimiter(now, BURST_MS, MS_PER_SECOND),
        )

    def seconds_to_wait(self, workspace_id: str, job_changes: int, size: int = 0) -> int | None:
        """Take what a request needs; return the whole seconds to wait if there is too little. `size` is in bytes."""
        return (
            self.parsing.seconds_to_wait(workspace_id, 0)
            or self.size.seconds_to_wait(workspace_id, size)
            or self.job_changes.seconds_to_wait(workspace_id, job_changes)
        )
