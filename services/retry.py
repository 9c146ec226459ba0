"""When to try again after a failure, and when to stop trying. Pure."""

from __future__ import annotations

FIRST_WAIT_MS = 1_000
LONGEST_WAIT_MS = 60_000
"""So that a backlog starts to drain within a minute of the vendor's return."""

PATIENCE_MS = 72 * 3_600 * 1_000
"""A delivery that has failed for three days is buried, for a person to look at."""

MOST_DOUBTS = 2
"""An ambiguous answer that cannot be read back is followed by one more attempt, and no third one."""

MOST_ROUTING_ATTEMPTS = 6
"""How often a bug, or a crash, may meet the same job change before it is buried."""


def backoff_ms(failures: int, chance: float) -> int:
    """
    Milliseconds to wait after so many failures in a row.

    Doubles up to a minute; *chance* in [0, 1) spreads it over the upper half, so that what failed together does not
    come back together.
    """
    longest = min(FIRST_WAIT_MS << min(max(failures, 1) - 1, 16), LONGEST_WAIT_MS)
    return round(longest * (0.5 + chance / 2))


def is_hopeless(created_at: int, now: int) -> bool:
    """Whether a delivery promised then has been tried long enough."""
    return now - created_at > PATIENCE_MS
