"""Working hours pass by the clock of whoever is waited for, and nobody is asked anything outside of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.messages.working_hours import after_working_hours

ZONES = ["UTC", "Europe/Oslo", "America/New_York", "Asia/Kolkata", "Pacific/Apia", "Australia/Lord_Howe"]
FIRST, LAST = 1_767_225_600_000, 1_830_297_600_000  # 2026 and 2027, with every change of clocks in them
QUARTER = timedelta(minutes=15)

moments = st.integers(FIRST, LAST)
hours = st.integers(1, 45)
zones = st.sampled_from(ZONES)


def local(at: int, tz: str) -> datetime:
    return datetime.fromtimestamp(at / 1_000, ZoneInfo(tz))


def is_at_work(at: datetime) -> bool:
    return at.weekday() < 5 and 9 <= at.hour < 17


@given(hours, moments, zones)
def test_it_ends_while_people_work(wanted, since, tz):
    """At nine at the earliest, before five, on no weekend; and never before it began."""
    ends = after_working_hours(wanted, since, tz)

    assert is_at_work(local(ends, tz))
    assert ends >= since + wanted * 3_600_000


@given(hours, st.integers(FIRST // 900_000, LAST // 900_000), zones)
def test_as_many_working_hours_have_passed_as_were_wanted(wanted, quarters, tz):
    """Counted by a slow and simple way: each quarter of an hour between the two, one by one."""
    since = quarters * 900_000
    ends = after_working_hours(wanted, since, tz)

    passed = sum(is_at_work(local(at, tz)) for at in range(since, ends, 900_000))

    assert passed == wanted * 4


@given(hours, hours, moments, zones)
def test_waiting_twice_is_waiting_for_both_together(first, second, since, tz):
    """So that it does not matter how often somebody looks."""
    both = after_working_hours(first + second, since, tz)

    assert after_working_hours(second, after_working_hours(first, since, tz), tz) == both


@given(hours, moments, st.integers(0, 10**9), zones)
def test_what_began_later_ends_no_sooner(wanted, since, more, tz):
    """Whoever was told first is reminded first."""
    assert after_working_hours(wanted, since, tz) <= after_working_hours(wanted, since + more, tz)


@pytest.mark.parametrize(
    ("since", "wanted", "ends"),
    [
        ("2026-11-02 09:00", 4, "2026-11-02 13:00"),
        ("2026-11-02 15:30", 4, "2026-11-03 11:30"),
        ("2026-11-02 09:00", 8, "2026-11-03 09:00"),  # not at five sharp
        ("2026-11-06 16:00", 2, "2026-11-09 10:00"),  # over the weekend
        ("2026-11-07 12:00", 1, "2026-11-09 10:00"),  # told on a Saturday
        ("2026-11-02 03:00", 1, "2026-11-02 10:00"),  # told at night
        ("2026-10-23 16:00", 2, "2026-10-26 10:00"),  # the clocks are put back in between
    ],
)
def test_examples(since, wanted, ends):
    """As somebody in Oslo would say it."""
    oslo = ZoneInfo("Europe/Oslo")
    told = round(datetime.fromisoformat(since).replace(tzinfo=oslo).timestamp() * 1_000)

    assert local(after_working_hours(wanted, told, "Europe/Oslo"), "Europe/Oslo").strftime("%Y-%m-%d %H:%M") == ends


@pytest.mark.parametrize("tz", [None, "", "Nowhere/At_All", "../etc/passwd"])
def test_where_nobody_knows_the_zone_it_is_utc(tz):
    """Slack tells a name that this machine need not know."""
    assert after_working_hours(3, FIRST, tz) == after_working_hours(3, FIRST, "UTC")
