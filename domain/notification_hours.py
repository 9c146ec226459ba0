"""When a member reads what they are promised: at once or in a digest, never in quiet hours, by their clock. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cached_property
from zoneinfo import ZoneInfo

DIRECT, DAILY, WEEKLY = "direct", "daily", "weekly"
"""How a member is told: of each job change at once, or of several together."""

MORNING = 9 * 60
"""When a quiet weekend ends on Monday, where no quiet hours say so: minutes after midnight."""

WEEKEND = (5, 6)
"""Saturday and Sunday, as `date.weekday` counts."""

_MINUTE = 60_000
_WEEK = 7


def zone_of(tz: str | None) -> tzinfo:
    """*tz*: a name such as "Europe/Oslo"; UTC where there is none, or none that this machine knows."""
    try:
        return ZoneInfo(tz or "UTC")
    except (KeyError, ValueError, OSError):
        return UTC


@dataclass(frozen=True)
class NotificationHours:
    """
    *digest_at*, *quiet_from* and *quiet_to* are minutes after midnight in *tz*; *weekday* 0 is Monday.

    The weekday is that of a weekly digest. Quiet hours may go over midnight. A quiet weekend ends on Monday when they
    do, or in the morning.
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

    def kept_until(self, since: int, now: int) -> int:
        """When what was promised at *since* may be read: *now*, or later. All in milliseconds."""
        return self.opens_at(max(now, self._digest_after(since)))

    def opens_at(self, at: int) -> int:
        """The first moment from *at* on that is not quiet."""
        while (end := self._quiet_until(at)) is not None:
            at = end
        return at

    def why(self, since: int, now: int) -> str:
        """What keeps it, as the end of "kept until Monday, because of your …"."""
        if self._digest_after(since) > now:
            return f"{self.delivery} digest"
        return "quiet weekend" if self._is_weekend(self._here(now)) else "quiet hours"

    def is_quiet_at(self, minute: int) -> bool:
        """Whether quiet hours cover this minute of the day."""
        if self.quiet_from is None or self.quiet_to is None:
            return False
        if self.quiet_from <= self.quiet_to:
            return self.quiet_from <= minute < self.quiet_to
        return minute >= self.quiet_from or minute < self.quiet_to

    def spelled(self, at: int) -> str:
        """A moment by their clock: Mon 23 Nov, 09:00 (Europe/Oslo)."""
        here = self._here(at)
        return f"{here:%a} {here.day} {here:%b}, {here:%H:%M} ({self.zone})"

    @cached_property
    def zone(self) -> tzinfo:
        return zone_of(self.tz)

    def _here(self, at: int) -> datetime:
        return datetime.fromtimestamp(at / 1_000, self.zone)

    def _quiet_until(self, at: int) -> int | None:
        here = self._here(at)
        if self._is_weekend(here):
            monday = here.date() + timedelta(-here.weekday() % _WEEK)
            return self._moment(monday, self._monday_morning, after=at)
        minute = _minute_of(here)
        if self.quiet_to is None or not self.is_quiet_at(minute):
            return None
        return self._moment(here.date() + timedelta(minute >= self.quiet_to), self.quiet_to, after=at)

    def _is_weekend(self, here: datetime) -> bool:
        if not self.quiet_weekends:
            return False
        return here.weekday() in WEEKEND or (here.weekday() == 0 and _minute_of(here) < self._monday_morning)

    @property
    def _monday_morning(self) -> int:
        return self.quiet_to if self.quiet_to is not None and self.is_quiet_at(0) else MORNING

    def _digest_after(self, since: int) -> int:
        """The first digest from *since* on; *since* itself where there is none."""
        if not self.is_digest:
            return since
        first = self._here(since).date()
        days = (first + timedelta(ahead) for ahead in range(2 * _WEEK))
        return next(
            (at for day in days if self._has_digest(day) and (at := self._moment(day, self.digest_at)) >= since), since
        )

    def _has_digest(self, day: date) -> bool:
        if self.delivery == WEEKLY:
            return day.weekday() == self.weekday
        return not (self.quiet_weekends and day.weekday() in WEEKEND)

    def _moment(self, day: date, minute: int, after: int | None = None) -> int:
        """
        When their clock shows this minute on that day: the first time if it does twice, but later than *after*.

        A minute that is skipped when clocks go forward comes as much later.
        """
        local = datetime.combine(day, time(*divmod(minute, 60)), self.zone)
        both = [round(local.replace(fold=fold).timestamp() * 1_000) for fold in (0, 1)]
        if after is None:
            return both[0]
        return next((at for at in both if at > after), after + _MINUTE)


def _minute_of(here: datetime) -> int:
    return here.hour * 60 + here.minute


@dataclass(frozen=True)
class HeldBack:
    """
    What a member is promised and has not been told yet. *since*: the oldest of it.

    *kept_until*: until when their preferences keep it; None: they do not, it is on its way.
    """

    count: int = 0
    since: int | None = None
    kept_until: int | None = None
