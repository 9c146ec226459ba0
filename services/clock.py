"""The clocks of the app: a steady one for nearly everything, and the machine's own for what other machines sign."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


def wall_ms() -> int:
    """
    Return the machine's own time, in milliseconds since the epoch.

    For signatures and links, which were made by the clock of another machine. Everything else uses SteadyClock.
    """
    return round(time.time() * 1_000)


def steady_ms() -> int:
    """Return monotonic time in milliseconds, for how long something took in this process."""
    return round(time.monotonic() * 1_000)


@dataclass(frozen=True)
class SteadyClock:
    """
    Returns milliseconds since the epoch, UTC: the wall-clock time at its creation plus monotonic time since then.

    If the machine's clock is set, waits neither stall nor end all at once. `correct` follows the machine's clock;
    `services/operations/clock_watch.py` decides when.
    """

    wall: Callable[[], float] = time.time
    steady: Callable[[], float] = time.monotonic
    _difference: list[float] = field(default_factory=list, init=False, repr=False)  # one item, which `correct` replaces

    def __post_init__(self) -> None:
        self.correct()

    def __call__(self) -> int:
        return round((self.steady() + self._difference[0]) * 1_000)

    def error_ms(self) -> int:
        """Return by how much this clock is ahead of the machine's."""
        return self() - round(self.wall() * 1_000)

    def correct(self) -> None:
        self._difference[:] = [self.wall() - self.steady()]
