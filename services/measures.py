"""The events that services count, without anything that identifies people or workspaces, and those that they trace."""

from __future__ import annotations

from collections.abc import Mapping

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

ACCEPT, ROUTE, DELIVER = "accept", "route", "deliver"

Attributes = Mapping[str, str | int]
"""Ids and results. They never hold personal data."""


class Traces:
    """Records nothing here, for processes without a collector."""

    def record(
        self, step: str, job_change_id: str, began_at: int, attributes: Attributes, *, has_failed: bool = False
    ) -> None:
        """Record a step that began at this time in milliseconds and has ended now. Call it from the event loop."""

    def close(self) -> None:
        """Send what is left, for a few seconds at most. Call it from a thread."""


UNTRACED = Traces()
