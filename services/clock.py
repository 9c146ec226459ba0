"""The time of day as everybody here is handed it: a wall clock that nobody can turn back while we run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class SteadyClock:
    """
    Milliseconds since the epoch, UTC: the wall clock of when it was made, moved on by the monotonic clock.

    So waits neither stall nor end all at once when the machine's clock is set.
    """

    wall: Callable[[], float] = time.time
    steady: Callable[[], float] = time.monotonic
    _difference: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_difference", self.wall() - self.steady())

    def __call__(self) -> int:
        return round((self.steady() + self._difference) * 1_000)
