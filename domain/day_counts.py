"""How many job changes ended on each day, and how. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

DAY_MS = 24 * 60 * 60 * 1_000

SENT_TO_DRI, SENT_TO_CHANNEL, FAILED, MUTED = "told_dri", "told_channel", "buried", "muted"
OUTCOMES = (SENT_TO_DRI, SENT_TO_CHANNEL, FAILED, MUTED)
"""How job changes end, as they are counted."""

OUTCOME_NAMES = {SENT_TO_DRI: "sent_to_dri", SENT_TO_CHANNEL: "sent_to_channel", FAILED: "failed", MUTED: "muted"}
"""The names of OUTCOMES in metrics and JSON. The stored values are older words."""


@dataclass(frozen=True)
class DayCount:
    """`number` is days since the epoch in UTC. `ended` has how many job changes had each of OUTCOMES."""

    number: int
    ended: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))


@dataclass(frozen=True)
class JobChangeTotals:
    """
    How many job changes wait, and how the others ended.

    `waiting_since` is when the oldest one without an outcome was accepted, None when nothing waits. `ended` counts each
    of OUTCOMES since the time asked for; `failed` counts all that have failed.
    """

    waiting: int
    waiting_since: int | None
    ended: Mapping[str, int]
    failed: int


@dataclass(frozen=True)
class RecipientCount:
    """A member and how many direct messages they received."""

    user_id: str
    messages: int


MOST_POSTS_COUNTED = 10_000
"""Top recipients are counted over this many of the latest messages, so that it costs the same in every workspace."""


def counted(number: int, noun: str) -> str:
    """Such as "1 message" or "1,200 messages"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
