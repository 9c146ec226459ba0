"""When snoozed job changes come back and reminders are due, by the reader's own clock. Pure."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, tzinfo
from enum import StrEnum

from domain.notification_hours import zone_of

MORNING = time(9)
MONDAY, SATURDAY = 0, 5
WORK_STARTS, WORK_ENDS = time(9), time(17)

_HOUR_MS = 60 * 60 * 1_000


class SnoozeOption(StrEnum):
    """How long a reader can snooze a job change. Monday is the next one, never today."""

    TOMORROW = "tomorrow"
    MONDAY = "monday"
    NEXT_WEEK = "next_week"


def snooze_ends_at(option: SnoozeOption, now: int, tz: str | None) -> int:
    """Return the time in milliseconds, like `now`. `tz` is a time zone such as "Europe/Oslo"; None means UTC."""
    zone = zone_of(tz)
    today = datetime.fromtimestamp(now / 1_000, zone).date()
    days = {
        SnoozeOption.TOMORROW: 1,
        SnoozeOption.MONDAY: (MONDAY - today.weekday() - 1) % 7 + 1,
        SnoozeOption.NEXT_WEEK: 7,
    }[option]
    return milliseconds_at(today + timedelta(days), MORNING, zone)


def after_working_hours(hours: int, since: int, tz: str | None) -> int:
    """
    When this many working hours (Monday to Friday, nine to five) have passed since a time in milliseconds.

    `tz` is a time zone such as "Europe/Oslo"; None means UTC. The result is always within working hours: a wait that
    would end exactly at five ends the next working morning.
    """
    zone, left = zone_of(tz), hours * _HOUR_MS
    day = datetime.fromtimestamp(since / 1_000, zone).date()
    while True:
        starts = milliseconds_at(day, WORK_STARTS, zone)
        ends = milliseconds_at(day, WORK_ENDS, zone) if day.weekday() < SATURDAY else starts
        begin = max(starts, since)
        if begin + left < ends:
            return begin + left
        left -= max(0, ends - begin)
        day += timedelta(1)


def milliseconds_at(day: date, at: time, zone: tzinfo) -> int:
    return round(datetime.combine(day, at, zone).timestamp() * 1_000)
