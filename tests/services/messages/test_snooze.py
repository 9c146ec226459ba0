"""When snoozed job changes come back: in the morning, by the reader's own clock. Pure."""

from __future__ import annotations

from datetime import datetime

import pytest

from services.messages.snooze import SnoozeOption, snooze_ends_at


def ms(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1_000)


@pytest.mark.parametrize(
    ("when", "now", "tz", "back"),
    [
        ("tomorrow", "2026-11-18T23:30+00:00", "Europe/Oslo", "2026-11-20T09:00+01:00"),  # there it is the 19th
        ("tomorrow", "2026-11-18T03:00+00:00", "America/New_York", "2026-11-18T09:00-05:00"),  # there it is the 17th
        ("tomorrow", "2026-10-24T12:00+02:00", "Europe/Oslo", "2026-10-25T09:00+01:00"),  # the clock is put back
        ("monday", "2026-11-15T12:00+00:00", None, "2026-11-16T09:00+00:00"),  # from a Sunday
        ("monday", "2026-11-16T12:00+00:00", None, "2026-11-23T09:00+00:00"),  # from a Monday
        ("monday", "2026-11-17T12:00+00:00", None, "2026-11-23T09:00+00:00"),  # from a Tuesday
        ("next_week", "2026-11-18T12:00+00:00", "Asia/Kolkata", "2026-11-25T09:00+05:30"),
        ("tomorrow", "2026-11-18T12:00+00:00", "Nowhere/Land", "2026-11-19T09:00+00:00"),
        ("tomorrow", "2026-11-18T12:00+00:00", "../../etc/passwd", "2026-11-19T09:00+00:00"),
    ],
)
def test_it_comes_back_at_nine_by_the_readers_clock(when: str, now: str, tz: str | None, back: str) -> None:
    """Tomorrow, on the next Monday, or in a week; by UTC where their time zone is not known."""
    assert snooze_ends_at(SnoozeOption(when), ms(now), tz) == ms(back)
