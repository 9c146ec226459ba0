"""The clock of the app: wall-clock time that never jumps while the process runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class SteadyClock:
    """
    Returns milliseconds since the epoch, UTC: the wall-clock time at its creation plus monotonic time since then.

    If the machine's clock is set, waits neither stall nor end all at once.
    """

    wall: Callable[[], float] = time.time
    steady: Callable[[], float] = time.monotonic
    _difference: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_difference", self.wall() - self.steady())

    def __call__(self) -> int:
        return round((self.steady() + self._difference) * 1_000)
