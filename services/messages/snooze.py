"""When snoozed job changes come back: in the morning, by the reader's own clock. Pure."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from enum import StrEnum

from domain.notification_hours import zone_of

MORNING = time(9)
MONDAY = 0


class SnoozeOption(StrEnum):
    """Until when a reader may put something off."""

    TOMORROW = "tomorrow"
    MONDAY = "monday"
    NEXT_WEEK = "next_week"


def snooze_ends_at(when: SnoozeOption, now: int, tz: str | None) -> int:
    """
    In milliseconds, as *now* is. *tz*: a time zone such as "Europe/Oslo"; UTC where it is not known.

    Monday is the next one, never today; next week is this day of it.
    """
    zone = zone_of(tz)
    today = datetime.fromtimestamp(now / 1_000, zone).date()
    days = {
        SnoozeOption.TOMORROW: 1,
        SnoozeOption.MONDAY: (MONDAY - today.weekday() - 1) % 7 + 1,
        SnoozeOption.NEXT_WEEK: 7,
    }[when]
    return round(datetime.combine(today + timedelta(days), MORNING, zone).timestamp() * 1_000)
