"""The values that admins and members can choose from in their preferences. Pure."""

from __future__ import annotations

from dataclasses import dataclass

CHANNEL_GETS = ("unmatched", "everything")
"""What is posted in the default channel: job changes without a DRI only, or all of them."""

REMINDER_HOURS = (0, 1, 2, 4, 8, 16, 24, 40)
"""Working hours until a reminder; 0 means no reminders."""

ESCALATE_TO_MANAGER, ESCALATE_TO_CHANNEL, NO_ESCALATION = "manager", "channel", "nobody"
REMINDER_ESCALATIONS = (ESCALATE_TO_MANAGER, ESCALATE_TO_CHANNEL, NO_ESCALATION)
"""Who is notified when nobody acts on a reminder."""

DAILY_CALLS = (1_000, 2_500, 5_000, 10_000, 25_000, 100_000)
"""Salesforce API calls that the app may make in a day."""

POSTS_PER_MINUTE = (30, 60, 120, 300, 600)
PATIENCE_MINUTES = (5, 15, 30, 60, 240, 1_440)
"""How long routing waits for Salesforce before it continues without it."""

RETENTION_DAYS = (7, 14, 30, 60, 90, 180, 365)

EVERYTHING = "*"
SEGMENT = "segment:"
"""What a member can mute: a signal, a change type, SEGMENT and the name of an account segment, or EVERYTHING."""


@dataclass(frozen=True)
class WorkspaceLimits:
    """
    One value each of POSTS_PER_MINUTE, PATIENCE_MINUTES and RETENTION_DAYS.

    `retention_days` None means the operator's default. The operator's value also caps a longer one.
    """

    posts_per_minute: int
    salesforce_patience_minutes: int
    retention_days: int | None

    @property
    def is_offered(self) -> bool:
        return (
            self.posts_per_minute in POSTS_PER_MINUTE
            and self.salesforce_patience_minutes in PATIENCE_MINUTES
            and self.retention_days in {None, *RETENTION_DAYS}
        )
