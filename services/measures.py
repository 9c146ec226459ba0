"""The events that services count. Their labels never identify people or workspaces."""

from __future__ import annotations

RECEIVED = ("accepted", "duplicate", "refused", "skipped")
ROUTED = ("dri", "channel", "default_channel", "muted", "failed", "postponed")
SETTLED = ("delivered", "retried", "postponed", "simplified", "in_doubt", "moved", "parked", "failed")


class Measures:
    """Counts nothing here, for processes without metrics. The methods may be called from any thread."""

    def received(self, result: str, count: int) -> None:
        """Count job changes from any source. `result` is one of RECEIVED."""

    def routed(self, outcome: str, count: int) -> None:
        """Count routed job changes, and those that cannot be routed yet. `outcome` is one of ROUTED."""

    def settled(self, result: str, count: int) -> None:
        """Count the deliveries of one finished attempt. `result` is one of SETTLED."""

    def sent(self, seconds: float) -> None:
        """Measure the time from accepting a job change to its message, without the hours that its reader chose."""

    def slack_refused(self, status: int) -> None:
        """Count a request to Slack's endpoint that was refused with this HTTP status."""

    def events_limited(self) -> None:
        """Count a minute in which Slack dropped events, because it had too many for the app."""

    def called(self, vendor: str, method: str, status: int | None, seconds: float) -> None:
        """Count a call to a vendor. `status` is the HTTP status, or None if there was no response."""


UNMEASURED = Measures()
