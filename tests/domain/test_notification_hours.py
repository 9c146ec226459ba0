"""When somebody reads what they are promised: digests, quiet hours, weekends, and clocks that change."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.notification_hours import DAILY, DIRECT, WEEKLY, NotificationHours, zone_of

OSLO = "Europe/Oslo"
ZONES = (OSLO, "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Auckland", "Africa/Casablanca", None)
MINUTE, DAY = 60_000, 24 * 60 * 60_000


def at(text: str, tz: str = OSLO) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(tz)).timestamp() * 1_000)


def clock(hours: int, minutes: int = 0) -> int:
    return hours * 60 + minutes


NIGHT = NotificationHours(quiet_from=clock(18), quiet_to=clock(8), tz=OSLO)
LUNCH = NotificationHours(quiet_from=clock(12), quiet_to=clock(13), tz=OSLO)
WEEKDAYS = NotificationHours(quiet_weekends=True, tz=OSLO)
WORK = NotificationHours(quiet_from=clock(18), quiet_to=clock(8), quiet_weekends=True, tz=OSLO)
EVENING = NotificationHours(DAILY, digest_at=clock(17), tz=OSLO)
SATURDAYS = NotificationHours(WEEKLY, digest_at=clock(9), weekday=5, quiet_weekends=True, tz=OSLO)
TOO_EARLY = NotificationHours(DAILY, digest_at=clock(6), quiet_from=clock(22), quiet_to=clock(7), tz=OSLO)
MONDAYS = NotificationHours(WEEKLY, digest_at=clock(9), weekday=0, tz=OSLO)


@pytest.mark.parametrize(
    ("hours", "promised", "read"),
    [
        (NotificationHours(), "2026-11-20 23:00", "2026-11-20 23:00"),
        (NIGHT, "2026-11-20 17:59", "2026-11-20 17:59"),
        (NIGHT, "2026-11-20 18:00", "2026-11-21 08:00"),
        (NIGHT, "2026-11-20 03:00", "2026-11-20 08:00"),
        (NIGHT, "2026-11-20 08:00", "2026-11-20 08:00"),
        (LUNCH, "2026-11-20 12:30", "2026-11-20 13:00"),
        (WEEKDAYS, "2026-11-20 23:59", "2026-11-20 23:59"),
        (WEEKDAYS, "2026-11-21 00:00", "2026-11-23 09:00"),
        (WEEKDAYS, "2026-11-23 06:00", "2026-11-23 09:00"),
        (WORK, "2026-11-20 19:00", "2026-11-23 08:00"),
        (EVENING, "2026-11-20 16:59", "2026-11-20 17:00"),
        (EVENING, "2026-11-20 17:00", "2026-11-20 17:00"),
        (EVENING, "2026-11-20 17:01", "2026-11-21 17:00"),
        (NotificationHours(DAILY, clock(17), quiet_weekends=True, tz=OSLO), "2026-11-20 17:01", "2026-11-23 17:00"),
        (MONDAYS, "2026-11-20 12:00", "2026-11-23 09:00"),
        (MONDAYS, "2026-11-23 09:01", "2026-11-30 09:00"),
        (SATURDAYS, "2026-11-20 12:00", "2026-11-23 09:00"),
        (TOO_EARLY, "2026-11-20 12:00", "2026-11-21 07:00"),
    ],
)
def test_what_is_promised_is_read_at_the_first_moment_its_reader_wants(hours, promised, read):
    """At once, or when the digest, the quiet hours or the weekend let it."""
    assert hours.held_until(at(promised), at(promised)) == at(read)


@pytest.mark.parametrize(
    ("promised", "read"),
    [
        ("2026-03-29 01:30", "2026-03-29 03:30"),  # from 2:00 to 3:00 there is no 2:30: it comes as much later
        ("2026-10-25 01:30", "2026-10-25 02:30"),  # 2:30 comes twice: the first one
    ],
)
def test_quiet_hours_end_on_the_days_when_clocks_change(promised, read):
    """Europe goes forward in March and back in October, both at night."""
    hours = NotificationHours(quiet_from=clock(22), quiet_to=clock(2, 30), tz=OSLO)

    assert hours.held_until(at(promised), at(promised)) == at(read)


def test_quiet_hours_that_come_twice_are_quiet_twice():
    """Within the hour that clocks repeat: the second 2:15 is as quiet as the first."""
    hours = NotificationHours(quiet_from=clock(22), quiet_to=clock(2, 30), tz=OSLO)
    second = at("2026-10-25 02:15") + 60 * MINUTE

    assert hours.held_until(second, second) == second + 15 * MINUTE


def test_a_digest_whose_time_is_over_goes_out_as_soon_as_nothing_is_quiet():
    """Slack was away at nine, and is back in the evening: it is not kept for a whole day more."""
    hours = NotificationHours(DAILY, digest_at=clock(9), quiet_from=clock(18), quiet_to=clock(8), tz=OSLO)
    promised = at("2026-11-19 12:00")

    assert hours.held_until(promised, at("2026-11-20 14:00")) == at("2026-11-20 14:00")
    assert hours.held_until(promised, at("2026-11-20 19:00")) == at("2026-11-21 08:00")


@pytest.mark.parametrize("tz", [None, "", "Nowhere/Land", "../../etc/passwd", "Europe"])
def test_an_unknown_time_zone_is_utc(tz):
    """An unknown zone from Slack holds nobody's messages back."""
    assert str(zone_of(tz)) == "UTC"
    assert NotificationHours(quiet_from=0, quiet_to=clock(1), tz=tz).held_until(0, 0) == 60 * MINUTE


def test_the_reason_names_what_holds_a_delivery_back():
    """In the words of the trace and of Home."""
    friday_evening, saturday, friday_noon = (at(f"2026-11-{text}") for text in ("20 19:00", "21 12:00", "20 12:00"))

    assert WORK.hold_reason(friday_evening, friday_evening) == "quiet hours"
    assert WORK.hold_reason(saturday, saturday) == "quiet weekend"
    assert EVENING.hold_reason(friday_noon, friday_noon) == "daily digest"
    assert EVENING.format_moment(at("2026-11-20 17:00")) == "Fri 20 Nov, 17:00 (Europe/Oslo)"


minutes = st.integers(0, clock(23, 59))
any_hours = st.builds(
    NotificationHours,
    delivery=st.sampled_from([DIRECT, DAILY, WEEKLY]),
    digest_at=minutes,
    weekday=st.integers(0, 6),
    quiet_from=st.none() | minutes,
    quiet_to=st.none() | minutes,
    quiet_weekends=st.booleans(),
    tz=st.sampled_from(ZONES),
)
moments = st.integers(at("2025-01-01 00:00"), at("2031-01-01 00:00"))


@given(any_hours, moments, st.integers(0, 30 * DAY))
def test_nothing_is_ever_kept_for_good_nor_told_in_quiet_hours(hours, promised, waited):
    """Whatever is preferred, in any zone, across clock changes: told within two weeks, and never while it is quiet."""
    now = promised + waited

    until = hours.held_until(promised, now)

    assert now <= until <= now + 14 * DAY
    assert hours.opens_at(until) == until
    assert hours.held_until(promised, until) == until


@given(any_hours, moments)
def test_what_is_promised_later_is_never_read_earlier(hours, promised):
    """The order of a lane is kept."""
    later = promised + 90 * MINUTE

    assert hours.held_until(promised, promised) <= hours.held_until(later, later)


@given(any_hours, moments)
def test_who_wants_it_at_once_and_has_no_quiet_time_waits_for_nothing(hours, promised):
    """Preferences that say nothing change nothing."""
    plain = NotificationHours(tz=hours.tz)

    assert plain.held_until(promised, promised) == promised
