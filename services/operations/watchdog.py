"""Watchdog: each loop of the worker reports a heartbeat, and a loop that is silent too long is reported as stuck."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

LONGEST_ROUND_MS = 25_000
"""A loop that is silent for longer hangs or has ended. No call in a loop may take this long."""


@dataclass(frozen=True)
class Watchdog:
    """Heartbeats of one process's loops. `now` returns monotonic time in milliseconds."""

    now: Callable[[], int]
    _last: dict[str, int] = field(default_factory=dict, init=False, repr=False)

    def beat(self, loop: str) -> None:
        self._last[loop] = self.now()

    @property
    def stuck_loops(self) -> list[str]:
        """The names of the loops that have reported a heartbeat before, but not recently."""
        now = self.now()
        return sorted(loop for loop, at in self._last.items() if now - at > LONGEST_ROUND_MS)

    @property
    def is_healthy(self) -> bool | None:
        """Whether no loop is stuck. None if no loop has ever reported a heartbeat."""
        return not self.stuck_loops if self._last else None
