"""What services report while they work, to be counted: our own names, nothing of people or workspaces."""

from __future__ import annotations

from typing import Protocol

RECEIVED = ("accepted", "duplicate", "refused")
ROUTED = ("dri", "channel", "default_channel", "muted", "buried", "postponed")
SETTLED = ("delivered", "retried", "put_off", "plainer", "in_doubt", "moved", "parked", "buried")


class Measures(Protocol):
    """Whoever counts; called from any thread."""

    def received(self, result: str, count: int) -> None:
        """So many job changes came in, from whatever source; *result*: one of RECEIVED."""

    def routed(self, outcome: str, count: int) -> None:
        """It was decided whom to tell of so many job changes, or that it cannot be decided yet; one of ROUTED."""

    def settled(self, result: str, count: int) -> None:
        """An attempt to tell so many deliveries ended; *result*: one of SETTLED."""

    def called(self, vendor: str, method: str, status: int | None, seconds: float) -> None:
        """A vendor was called; *status*: of HTTP, None: no answer came."""


class Unmeasured:
    """Counts nothing."""

    def received(self, result: str, count: int) -> None: ...

    def routed(self, outcome: str, count: int) -> None: ...

    def settled(self, result: str, count: int) -> None: ...

    def called(self, vendor: str, method: str, status: int | None, seconds: float) -> None: ...


UNMEASURED = Unmeasured()
