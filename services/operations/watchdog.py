"""A dead man's switch: who goes round in a loop says so each time, and is missed when it does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

LONGEST_ROUND_MS = 25_000
"""After so long a loop that was not heard of is dead or hangs; no call in it may take that long."""


@dataclass(frozen=True)
class Watchdog:
    """Of the loops of one process. *now* in milliseconds."""

    now: Callable[[], int]
    _last: dict[str, int] = field(default_factory=dict, init=False, repr=False)

    def beat(self, name: str) -> None:
        """The loop of this name is alive."""
        self._last[name] = self.now()

    @property
    def stuck_loops(self) -> list[str]:
        """The names of those that were heard of once, and lately were not."""
        now = self.now()
        return sorted(name for name, at in self._last.items() if now - at > LONGEST_ROUND_MS)

    @property
    def is_healthy(self) -> bool | None:
        """Whether all of them were heard of lately; None: none ever was."""
        return not self.stuck_loops if self._last else None
