"""When members are notified: digests and quiet hours in their time zone. Also times as people read them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cached_property
from zoneinfo import ZoneInfo

DIRECT, DAILY, WEEKLY = "direct", "daily", "weekly"
"""How a member is notified: of each job change at once, or of several in a digest."""

MORNING = 9 * 60
"""Minutes after midnight at which a quiet weekend ends on Monday, unless quiet hours last longer."""

WEEKEND = (5, 6)
"""Saturday and Sunday, as `date.weekday` counts."""

_MINUTE = 60_000
_WEEK = 7


def zone_of(tz: str | None) -> tzinfo:
    """The time zone with an IANA name such as "Europe/Oslo". UTC when the name is missing or unknown here."""
    try:
        return ZoneInfo(tz or "UTC")
    except (KeyError, ValueError, OSError):
        return UTC


def day_text(day: date) -> str:
    """Such as "28 Nov 2026"."""
    return f"{day.day} {day:%b %Y}"


def utc_text(at: int, *, seconds: bool = False) -> str:
    """A time in milliseconds as people read it: "28 Nov 2026, 17:30 UTC"."""
    moment = datetime.fromtimestamp(at / 1_000, UTC)
    return f"{day_text(moment)}, {moment:%H:%M:%S} UTC" if seconds else f"{day_text(moment)}, {moment:%H:%M} UTC"


@dataclass(frozen=True)
class NotificationHours:
    """
    A member's notification preferences.

    `digest_at`, `quiet_from` and `quiet_to` are minutes after midnight in `tz`. `weekday` is the day of a weekly
    digest; 0 is Monday. Quiet hours may span midnight. A quiet weekend ends on Monday when quiet hours end, or at 9:00.
    """

    delivery: str = DIRECT
    digest_at: int = MORNING
    weekday: int = 0
    quiet_from: int | None = None
    quiet_to: int | None = None
    quiet_weekends: bool = False
    tz: str | None = None

    @property
    def is_digest(self) -> bool:
        return self.delivery != DIRECT

    def held_until(self, since: int, now: int) -> int:
        """When a delivery created at `since` may be sent: `now` or later. All in milliseconds."""
        return self.opens_at(max(now, self._digest_after(since)))

    def opens_at(self, at: int) -> int:
        """The first moment at or after `at` that is not quiet."""
        while (end := self._quiet_until(at)) is not None:
            at = end
        return at

    def hold_reason(self, since: int, now: int) -> str:
        """What holds a delivery back, as it completes "because of your …"."""
        if self._digest_after(since) > now:
            return f"{self.delivery} digest"
        return "quiet weekend" if self._is_weekend(self._local(now)) else "quiet hours"

    def is_quiet_at(self, minute: int) -> bool:
        """Whether quiet hours cover this minute of the day."""
        if self.quiet_from is None or self.quiet_to is None:
            return False
        if self.quiet_from <= self.quiet_to:
            return self.quiet_from <= minute < self.quiet_to
        return minute >= self.quiet_from or minute < self.quiet_to

    def format_moment(self, at: int) -> str:
        """A moment in their time zone: Mon 23 Nov, 09:00 (Europe/Oslo)."""
        local = self._local(at)
        return f"{local:%a} {local.day} {local:%b}, {local:%H:%M} ({self.zone})"

    @cached_property
    def zone(self) -> tzinfo:
        return zone_of(self.tz)

    def _local(self, at: int) -> datetime:
        return datetime.fromtimestamp(at / 1_000, self.zone)

    def _quiet_until(self, at: int) -> int | None:
        local = self._local(at)
        if self._is_weekend(local):
            monday = local.date() + timedelta(-local.weekday() % _WEEK)
            return self._moment(monday, self._monday_morning, after=at)
        minute = _minute_of(local)
        if self.quiet_to is None or not self.is_quiet_at(minute):
            return None
        return self._moment(local.date() + timedelta(minute >= self.quiet_to), self.quiet_to, after=at)

    def _is_weekend(self, local: datetime) -> bool:
        if not self.quiet_weekends:
            return False
        return local.weekday() in WEEKEND or (local.weekday() == 0 and _minute_of(local) < self._monday_morning)

    @property
    def _monday_morning(self) -> int:
        return self.quiet_to if self.quiet_to is not None and self.is_quiet_at(0) else MORNING

    def _digest_after(self, since: int) -> int:
        """The first digest at or after `since`; `since` itself for members without digests."""
        if not self.is_digest:
            return since
        first = self._local(since).date()
        for day in (first + timedelta(ahead) for ahead in range(2 * _WEEK)):
            is_quiet = self.quiet_weekends and day.weekday() in WEEKEND
            has_digest = day.weekday() == self.weekday if self.delivery == WEEKLY else not is_quiet
            if has_digest and (at := self._moment(day, self.digest_at)) >= since:
                return at
        return since

    def _moment(self, day: date, minute: int, after: int | None = None) -> int:
        """
        When their clock shows this minute on that day, later than `after`.

        If the clock shows it twice, the first time counts. A minute that is skipped when clocks go forward comes later
        by as much as was skipped.
        """
        local = datetime.combine(day, time(*divmod(minute, 60)), self.zone)
        moments = [round(local.replace(fold=fold).timestamp() * 1_000) for fold in (0, 1)]
        if after is None:
            return moments[0]
        return next((at for at in moments if at > after), after + _MINUTE)


def _minute_of(local: datetime) -> int:
    return local.hour * 60 + local.minute


@dataclass(frozen=True)
class HeldBack:
    """
    What waits for a member. `since` is when the oldest of it was created.

    `held_until` is when their preferences let it through; None when nothing holds it back.
    """

    count: int = 0
    since: int | None = None
    held_until: int | None = None
