"""When to try again after a failure, and when to stop trying. Pure."""

from __future__ import annotations

from domain.errors import PermanentError, TransientError

FIRST_WAIT_MS = 1_000
LONGEST_WAIT_MS = 60_000
"""A backlog starts to drain within a minute after the vendor has recovered."""

PATIENCE_MS = 72 * 3_600 * 1_000
"""A delivery that has been retried for three days is marked as failed."""

MOST_DOUBTS = 2
"""After an ambiguous response that cannot be verified, a message is sent once more and never a third time."""

MOST_ROUTING_ATTEMPTS = 6
"""After this many crashes or bugs while routing, a job change is marked as failed."""


def backoff_ms(failures: int, chance: float) -> int:
    """
    Return the milliseconds to wait after this number of consecutive failures.

    The wait doubles up to a minute. `chance` in [0, 1) spreads it over the upper half, so that calls that failed
    together are not retried together.
    """
    longest = min(FIRST_WAIT_MS << min(max(failures, 1) - 1, 16), LONGEST_WAIT_MS)
    return round(longest * (0.5 + chance / 2))


def wait_ms(error: TransientError | PermanentError, failures: int, chance: float) -> int:
    """Return the milliseconds that the vendor asked for, or else the `backoff_ms` after this number of failures."""
    retry_after = error.retry_after if isinstance(error, TransientError) else None
    return round(retry_after * 1_000) if retry_after else backoff_ms(failures, chance)


def is_hopeless(created_at: int, now: int) -> bool:
    """Whether a delivery created at this time has been retried for long enough. Times are in milliseconds."""
    return now - created_at > PATIENCE_MS
