"""When snoozed job changes come back and reminders are due, by the reader's own clock."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.messages.snooze import SnoozeOption, after_working_hours, snooze_ends_at

ZONES = ["UTC", "Europe/Oslo", "America/New_York", "Asia/Kolkata", "Pacific/Apia", "Australia/Lord_Howe"]
FIRST, LAST = 1_767_225_600_000, 1_830_297_600_000  # 2026 and 2027, with every change of clocks in them

moments = st.integers(FIRST, LAST)
hours = st.integers(1, 45)
zones = st.sampled_from(ZONES)


def ms(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1_000)


@pytest.mark.parametrize(
    ("option", "now", "tz", "ends"),
    [
        ("tomorrow", "2026-11-18T23:30+00:00", "Europe/Oslo", "2026-11-20T09:00+01:00"),  # the 19th in Oslo
        ("tomorrow", "2026-11-18T03:00+00:00", "America/New_York", "2026-11-18T09:00-05:00"),  # the 17th in New York
        ("tomorrow", "2026-10-24T12:00+02:00", "Europe/Oslo", "2026-10-25T09:00+01:00"),  # daylight saving time ends
        ("monday", "2026-11-15T12:00+00:00", None, "2026-11-16T09:00+00:00"),  # from a Sunday
        ("monday", "2026-11-16T12:00+00:00", None, "2026-11-23T09:00+00:00"),  # from a Monday
        ("monday", "2026-11-17T12:00+00:00", None, "2026-11-23T09:00+00:00"),  # from a Tuesday
        ("next_week", "2026-11-18T12:00+00:00", "Asia/Kolkata", "2026-11-25T09:00+05:30"),
        ("tomorrow", "2026-11-18T12:00+00:00", "Nowhere/Land", "2026-11-19T09:00+00:00"),
        ("tomorrow", "2026-11-18T12:00+00:00", "../../etc/passwd", "2026-11-19T09:00+00:00"),
    ],
)
def test_a_snooze_ends_at_nine_by_the_readers_clock(option: str, now: str, tz: str | None, ends: str) -> None:
    """Tomorrow, next Monday, or in a week. The time zone is UTC if theirs is not known."""
    assert snooze_ends_at(SnoozeOption(option), ms(now), tz) == ms(ends)


def local(at: int, tz: str) -> datetime:
    return datetime.fromtimestamp(at / 1_000, ZoneInfo(tz))


def is_at_work(at: datetime) -> bool:
    return at.weekday() < 5 and 9 <= at.hour < 17


@given(hours, moments, zones)
def test_a_wait_ends_within_working_hours(wanted, since, tz):
    """From nine to five, Monday to Friday, and never too early."""
    ends = after_working_hours(wanted, since, tz)

    assert is_at_work(local(ends, tz))
    assert ends >= since + wanted * 3_600_000


@given(hours, st.integers(FIRST // 900_000, LAST // 900_000), zones)
def test_the_wanted_number_of_working_hours_has_passed(wanted, quarters, tz):
    """The check counts every quarter of an hour in between."""
    since = quarters * 900_000
    ends = after_working_hours(wanted, since, tz)

    passed = sum(is_at_work(local(at, tz)) for at in range(since, ends, 900_000))

    assert passed == wanted * 4


@given(hours, hours, moments, zones)
def test_two_waits_take_as_long_as_one_wait_for_both(first, second, since, tz):
    """So it does not matter how often a reminder is checked."""
    both = after_working_hours(first + second, since, tz)

    assert after_working_hours(second, after_working_hours(first, since, tz), tz) == both


@given(hours, moments, st.integers(0, 10**9), zones)
def test_a_wait_that_starts_later_does_not_end_sooner(wanted, since, more, tz):
    """The person who was notified first is reminded first."""
    assert after_working_hours(wanted, since, tz) <= after_working_hours(wanted, since + more, tz)


@pytest.mark.parametrize(
    ("since", "wanted", "ends"),
    [
        ("2026-11-02 09:00", 4, "2026-11-02 13:00"),
        ("2026-11-02 15:30", 4, "2026-11-03 11:30"),
        ("2026-11-02 09:00", 8, "2026-11-03 09:00"),  # not exactly at five
        ("2026-11-06 16:00", 2, "2026-11-09 10:00"),  # over the weekend
        ("2026-11-07 12:00", 1, "2026-11-09 10:00"),  # sent on a Saturday
        ("2026-11-02 03:00", 1, "2026-11-02 10:00"),  # sent at night
        ("2026-10-23 16:00", 2, "2026-10-26 10:00"),  # daylight saving time ends in between
    ],
)
def test_examples_of_working_hours(since, wanted, ends):
    """In Oslo."""
    oslo = ZoneInfo("Europe/Oslo")
    sent_at = round(datetime.fromisoformat(since).replace(tzinfo=oslo).timestamp() * 1_000)

    assert local(after_working_hours(wanted, sent_at, "Europe/Oslo"), "Europe/Oslo").strftime("%Y-%m-%d %H:%M") == ends


@pytest.mark.parametrize("tz", [None, "", "Nowhere/At_All", "../etc/passwd"])
def test_an_unknown_time_zone_counts_as_utc(tz):
    """Slack may name a zone that this machine does not know."""
    assert after_working_hours(3, FIRST, tz) == after_working_hours(3, FIRST, "UTC")
