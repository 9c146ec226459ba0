"""Watchdog: each loop of the worker reports a heartbeat, and a loop that is silent too long is reported as stuck."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

LONGEST_ROUND_MS = 25_000
"""A loop that is silent for longer hangs or has ended. No call in a loop may take this long."""

CHECKS, SECONDS_BETWEEN_CHECKS = 12, 5.0
"""A process exits when a loop is stuck at this many checks in a row. Checks are counted, not seconds, because after a
suspension every loop of a process looks stuck at the first check, but not at the next one."""


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
        return sorted(loop for loop, at in list(self._last.items()) if now - at > LONGEST_ROUND_MS)

    @property
    def is_healthy(self) -> bool | None:
        """Whether no loop is stuck. None if no loop has ever reported a heartbeat."""
        return not self.stuck_loops if self._last else None


def wait_until_stuck(watchdogs: Sequence[Watchdog], ends_within: Callable[[float], bool]) -> list[str]:
    """
    Block until loops have been stuck for a minute, and return their names; an empty list if the process ends before.

    Run it in a separate thread, since a hanging event loop runs nothing. `ends_within` waits for so many seconds, and
    returns whether the process ends.
    """
    stuck_checks = 0
    while not ends_within(SECONDS_BETWEEN_CHECKS):
        stuck_loops = [loop for watchdog in watchdogs for loop in watchdog.stuck_loops]
        stuck_checks = stuck_checks + 1 if stuck_loops else 0
        if stuck_checks == CHECKS:
            return stuck_loops
    return []
