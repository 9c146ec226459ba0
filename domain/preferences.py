"""The preferences of workspaces and members: what can be chosen, by whom, and what is the default. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from domain.day_counts import counted
from domain.notification_hours import DAILY, DIRECT, MORNING, WEEKLY

ESCALATE_TO_MANAGER, ESCALATE_TO_CHANNEL, NO_ESCALATION = "manager", "channel", "nobody"
"""Who is notified when nobody acts on a reminder."""

EVERYTHING = "*"
SEGMENT = "segment:"
"""What a member can mute: a signal, a change type, SEGMENT and the name of an account segment, or EVERYTHING."""

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

Value = str | bool | int | None


@dataclass(frozen=True)
class Preference:
    """
    A row of the table.

    `name` is the property of Workspace or NotificationHours that has the value. `values` are those that are offered;
    without any, it is a time of day in minutes. `label_of` is how a value is shown, `about` a hint for who chooses.
    """

    name: str
    label: str
    values: tuple[Value, ...]
    label_of: Callable[[Any], str]
    default: Value
    about: str = ""

    def choices(self, current: Value = None) -> dict[str, str]:
        """Labels by the texts of the values. A stored number that is not offered any more is among them."""
        values: Iterable[Value] = self.values
        if isinstance(current, int) and current not in self.values:
            values = sorted({current, *(value for value in self.values if isinstance(value, int))})
        return {self.text_of(value): self.label_of(value) for value in values}

    def parse(self, text: str) -> Value:
        """The value with this text. Raises ValueError if it is not offered."""
        for value in self.values:
            if self.text_of(value) == text:
                return value
        raise ValueError(f"{self.name} cannot be {text!r}")

    @staticmethod
    def text_of(value: Value) -> str:
        """The text that stands for a value in a menu."""
        if isinstance(value, bool):
            return "yes" if value else "no"
        return "operator" if value is None else str(value)


def clock(minute: int) -> str:
    """Minutes after midnight as 17:05."""
    return "{:02}:{:02}".format(*divmod(minute, 60))


def working_hours(hours: int, more: str = "") -> str:
    return counted(hours, f"{more}working hour")


def duration(minutes: int) -> str:
    if minutes % 1_440 == 0:
        return counted(minutes // 1_440, "day")
    return counted(minutes // 60, "hour") if minutes % 60 == 0 else counted(minutes, "minute")


TELL_DRIS = Preference(
    "tell_dris",
    "Send DMs to DRIs",
    (True, False),
    {True: "Yes", False: "No, post in the channel only"}.__getitem__,
    True,
)
CHANNEL_GETS = Preference(
    "channel_gets",
    "Post in the channel",
    ("unmatched", "everything"),
    {"unmatched": "Unassigned only", "everything": "Every job change"}.__getitem__,
    "unmatched",
)
REMINDER_HOURS = Preference(
    "reminder_hours",
    "Remind people who have not acted",
    (0, 1, 2, 4, 8, 16, 24, 40),
    lambda hours: f"After {working_hours(hours)}" if hours else "Never",
    0,
    "Working hours are 9:00 to 17:00, Monday to Friday, in each person's time zone. Nobody is reminded of a job change"
    " that they have taken, reassigned, snoozed, muted or reported. Changes apply to new messages.",
)
REMINDER_ESCALATION = Preference(
    "reminder_escalation",
    "Escalate after the same time again",
    (NO_ESCALATION, ESCALATE_TO_MANAGER, ESCALATE_TO_CHANNEL),
    {
        NO_ESCALATION: "Do not escalate",
        ESCALATE_TO_MANAGER: "To their manager in Salesforce",
        ESCALATE_TO_CHANNEL: "To the channel",
    }.__getitem__,
    NO_ESCALATION,
)
DAILY_CALLS = Preference(
    "salesforce_daily_calls",
    "Daily API limit",
    (1_000, 2_500, 5_000, 10_000, 25_000, 100_000),
    lambda calls: f"{calls:,} a day",
    5_000,
)
POSTS_PER_MINUTE = Preference(
    "posts_per_minute",
    "Messages per minute",
    (30, 60, 120, 300, 600),
    lambda posts: f"{posts:,}",
    300,
    "Slack allows several hundred a minute. A lower limit leaves room for other apps; messages above it wait.",
)
PATIENCE = Preference(
    "salesforce_patience_minutes",
    "Wait for Salesforce",
    (5, 15, 30, 60, 240, 1_440),
    duration,
    15,
    "If Salesforce does not respond in time, job changes are sent without its data, and messages say so.",
)
RETENTION = Preference(
    "retention_days",
    "Keep personal data for",
    (None, 7, 14, 30, 60, 90, 180, 365),
    lambda days: "As long as the operator has set" if days is None else counted(days, "day"),
    None,
    "Counted from the day of delivery. After that, names, jobs and reasons are erased; counts are kept.",
)
MERGE_REPORTS = Preference(
    "merge_reports",
    "Several senders report one move",
    (True, False),
    {True: "Notify once", False: "Notify for each report"}.__getitem__,
    True,
    "Reports of one person's move to one company within 30 days are one job change; its history names every sender.",
)
WORKSPACE_PREFERENCES = (
    TELL_DRIS,
    CHANNEL_GETS,
    REMINDER_HOURS,
    REMINDER_ESCALATION,
    DAILY_CALLS,
    POSTS_PER_MINUTE,
    PATIENCE,
    RETENTION,
    MERGE_REPORTS,
)
"""Preferences of a workspace, which only admins and owners change."""

DELIVERY = Preference(
    "delivery",
    "Notify me about",
    (DIRECT, DAILY, WEEKLY),
    {DIRECT: "Each job change, right away", DAILY: "Daily digest", WEEKLY: "Weekly digest"}.__getitem__,
    DIRECT,
)
DIGEST_AT = Preference("digest_at", "Time of the digest", (), clock, MORNING)
WEEKDAY = Preference("weekday", "Day of the weekly digest", tuple(range(7)), WEEKDAYS.__getitem__, 0)
QUIET_FROM = Preference("quiet_from", "Quiet hours from", (), clock, None)
QUIET_TO = Preference("quiet_to", "Quiet hours until", (), clock, None)
QUIET_WEEKENDS = Preference(
    "quiet_weekends",
    "Weekends",
    (True, False),
    {True: "No messages on Saturdays and Sundays", False: "Like other days"}.__getitem__,
    False,
)
MEMBER_PREFERENCES = (DELIVERY, DIGEST_AT, WEEKDAY, QUIET_FROM, QUIET_TO, QUIET_WEEKENDS)
"""Each member changes their own."""
