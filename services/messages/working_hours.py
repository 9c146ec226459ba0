"""Working hours, by somebody's own clock: nine to five, Monday to Friday. Pure."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, tzinfo

from domain.notification_hours import zone_of

OPENS, CLOSES = time(9), time(17)
SATURDAY = 5

_HOUR_MS = 60 * 60 * 1_000


def after_working_hours(hours: int, since: int, tz: str | None) -> int:
    """
    The moment when so many working hours have passed, always within working hours; all in milliseconds.

    *tz*: a time zone such as "Europe/Oslo"; UTC where it is not known. What ends with a working day goes on with the
    next one: nobody is asked anything at five sharp.
    """
    zone, left = zone_of(tz), hours * _HOUR_MS
    day = datetime.fromtimestamp(since / 1_000, zone).date()
    while True:
        opens, closes = _working_day(day, zone)
        begins = max(opens, since)
        if begins + left < closes:
            return begins + left
        left -= max(0, closes - begins)
        day += timedelta(1)


def _working_day(day: date, zone: tzinfo) -> tuple[int, int]:
    """From when to when; no time at all at the weekend."""
    opens = _moment(day, OPENS, zone)
    return opens, _moment(day, CLOSES, zone) if day.weekday() < SATURDAY else opens


def _moment(day: date, at: time, zone: tzinfo) -> int:
    return round(datetime.combine(day, at, zone).timestamp() * 1_000)
