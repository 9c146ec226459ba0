"""How many job changes each workspace may send at once and lastingly, so that one cannot starve the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

AT_ONCE = 100_000
A_SECOND = 1_000
"""A token bucket for each workspace and process. Generous: it is against a sender that has run wild, not for pacing."""


@dataclass
class _Bucket:
    tokens: float
    filled_at: int


@dataclass(frozen=True)
class Allowance:
    """Held in memory: only workspaces that exist have a bucket, and a restart fills them all."""

    now: Callable[[], int]
    at_once: int = AT_ONCE
    a_second: int = A_SECOND
    _buckets: dict[str, _Bucket] = field(default_factory=dict, init=False, repr=False)

    def wait_for(self, workspace_id: str, job_changes: int) -> int | None:
        """None: they are allowed, and taken off. Else how many whole seconds to wait, and nothing is taken off."""
        bucket = self._filled(workspace_id)
        if bucket.tokens >= job_changes:
            bucket.tokens -= job_changes
            return None
        return int((job_changes - bucket.tokens) // self.a_second) + 1

    def _filled(self, workspace_id: str) -> _Bucket:
        now = self.now()
        bucket = self._buckets.setdefault(workspace_id, _Bucket(self.at_once, now))
        gained = max(0, now - bucket.filled_at) * self.a_second / 1_000
        bucket.tokens, bucket.filled_at = min(self.at_once, bucket.tokens + gained), now
        return bucket
