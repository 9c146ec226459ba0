"""How many job changes ended on each day, and how. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

DAY_MS = 24 * 60 * 60 * 1_000

SENT_TO_DRI, SENT_TO_CHANNEL, FAILED, MUTED = "told_dri", "told_channel", "buried", "muted"
OUTCOMES = (SENT_TO_DRI, SENT_TO_CHANNEL, FAILED, MUTED)
"""How job changes end, as they are counted."""


@dataclass(frozen=True)
class DayCount:
    """*number*: days since the epoch, UTC. *ended*: how many had each of OUTCOMES."""

    number: int
    ended: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))


@dataclass(frozen=True)
class JobChangeTotals:
    """
    *waiting_since*: when the oldest of those without an outcome was accepted; None: nothing waits.

    *ended*: how many had each of OUTCOMES since the time asked for; *buried*: how many are, whenever that was.
    """

    waiting: int
    waiting_since: int | None
    ended: Mapping[str, int]
    buried: int


@dataclass(frozen=True)
class RecipientCount:
    """Somebody who is told in person, and how many messages they had."""

    user_id: str
    messages: int


MOST_POSTS_COUNTED = 10_000
"""Who had most is told of the latest so many messages, so that it costs the same in every workspace."""
