"""Notification hours: digests, quiet hours, weekends, and the days when clocks change."""

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
    ("hours", "created", "sent"),
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
def test_a_delivery_is_sent_at_the_first_time_that_its_reader_allows(hours, created, sent):
    """It is sent at once, or with the digest, or after the quiet hours or the weekend."""
    assert hours.held_until(at(created), at(created)) == at(sent)


@pytest.mark.parametrize(
    ("created", "sent"),
    [
        ("2026-03-29 01:30", "2026-03-29 03:30"),  # there is no 2:30, because clocks go from 2:00 to 3:00
        ("2026-10-25 01:30", "2026-10-25 02:30"),  # 2:30 comes twice, and the first one counts
    ],
)
def test_quiet_hours_end_on_the_days_when_clocks_change(created, sent):
    """In Europe clocks go forward in March and back in October, both at night."""
    hours = NotificationHours(quiet_from=clock(22), quiet_to=clock(2, 30), tz=OSLO)

    assert hours.held_until(at(created), at(created)) == at(sent)


def test_quiet_hours_cover_both_times_that_a_clock_repeats():
    """The second 2:15 is as quiet as the first one."""
    hours = NotificationHours(quiet_from=clock(22), quiet_to=clock(2, 30), tz=OSLO)
    second = at("2026-10-25 02:15") + 60 * MINUTE

    assert hours.held_until(second, second) == second + 15 * MINUTE


def test_a_late_digest_is_sent_as_soon_as_quiet_hours_allow():
    """Slack was down at the time of the digest. It does not wait until the next day."""
    hours = NotificationHours(DAILY, digest_at=clock(9), quiet_from=clock(18), quiet_to=clock(8), tz=OSLO)
    created = at("2026-11-19 12:00")

    assert hours.held_until(created, at("2026-11-20 14:00")) == at("2026-11-20 14:00")
    assert hours.held_until(created, at("2026-11-20 19:00")) == at("2026-11-21 08:00")


@pytest.mark.parametrize("tz", [None, "", "Nowhere/Land", "../../etc/passwd", "Europe"])
def test_an_unknown_time_zone_is_utc(tz):
    """Messages are delivered even if Slack names a zone that this machine does not know."""
    assert str(zone_of(tz)) == "UTC"
    assert NotificationHours(quiet_from=0, quiet_to=clock(1), tz=tz).held_until(0, 0) == 60 * MINUTE


def test_the_reason_names_what_holds_a_delivery_back():
    """The trace and Home use these words."""
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
def test_every_delivery_is_sent_within_two_weeks_and_outside_of_quiet_hours(hours, created, waited):
    """This holds for any preferences, in any time zone, and when clocks change."""
    now = created + waited

    until = hours.held_until(created, now)

    assert now <= until <= now + 14 * DAY
    assert hours.opens_at(until) == until
    assert hours.held_until(created, until) == until


@given(any_hours, moments)
def test_a_later_delivery_is_never_sent_earlier(hours, created):
    """The order of a lane is kept."""
    later = created + 90 * MINUTE

    assert hours.held_until(created, created) <= hours.held_until(later, later)


@given(any_hours, moments)
def test_without_digests_and_quiet_hours_nothing_is_held_back(hours, created):
    """A member who has chosen nothing is notified of each job change at once."""
    plain = NotificationHours(tz=hours.tz)

    assert plain.held_until(created, created) == created
