"""The roles, states and outcomes that job changes, deliveries and workspaces can have. Pure.

The values are what the database stores. Where a value is an older word than its name, the name is what people read.
"""

from __future__ import annotations

from enum import StrEnum

DEFAULT_CHANNEL = "default_channel"
"""A placeholder for the workspace's default channel; it is resolved when a message is posted."""


def is_person(destination: str) -> bool:
    """Whether a destination is a Slack user rather than a channel."""
    return destination.startswith(("U", "W"))


class Role(StrEnum):
    """Why a delivery goes to its destination."""

    DRI = "dri"
    FALLBACK = "fallback"
    """Sent to a channel, because no DRI was found or could be notified."""
    CHANNEL = "channel"
    """Sent to a channel that a rule names in place of a DRI."""
    COPY = "copy"
    """Sent to a channel, in addition to the DRI. A copy never decides the outcome of its job change."""


class Side(StrEnum):
    """Whose owner a delivery is for: that of the company left, of the company joined, or both."""

    PAST = "past"
    CURRENT = "current"
    BOTH = "both"

    @classmethod
    def of(cls, stored: str | None) -> Side | None:
        """None, or a value of another version, means that it follows from the change type."""
        return cls(stored) if stored in set(cls) else None


class DeliveryState(StrEnum):
    """How far a delivery is."""

    PENDING = "pending"
    SENDING = "sending"
    DELIVERED = "delivered"
    FAILED = "buried"
    MOVED = "moved"
    """It was delivered to the default channel instead."""


class HandlingState(StrEnum):
    """What people did with a delivery."""

    OPEN = "open"
    TAKEN = "taken"
    REASSIGNED = "given"
    RETURNED = "given_back"
    """It went back to the channel it came from."""
    DONE = "done"
    NOT_RELEVANT = "not_relevant"


FINISHED = frozenset({HandlingState.DONE, HandlingState.NOT_RELEVANT})
HELD = frozenset({HandlingState.TAKEN, *FINISHED})
"""One person is on it or has finished it, so the job change is no longer open in any message."""


class AssignedState(StrEnum):
    """What a job change that is assigned to a member still asks of them."""

    OPEN = "open"
    TAKEN = "taken"
    SNOOZED = "snoozed"
    DONE = "done"
    """Finished, not relevant, or reported as wrong data."""


class Outcome(StrEnum):
    """How a job change ended."""

    DELIVERED = "delivered"
    FAILED = "buried"
    MUTED = "muted"
    ATTACHED = "attached"
    """Attached to another sender's report of the same move. It is stored as muted, which earlier versions can read."""


class Step(StrEnum):
    """What happened to a job change, as its trace shows it. Older rows hold other words: store/delivery/trace.py."""

    ACCEPTED = "accepted"
    REPORTED_AGAIN = "also reported"
    """It was reported by another sender, with facts that the first report does not have."""
    ATTACHED = "attached"
    """It was attached to the first report of the same move."""
    ROUTED = "routed"
    HELD_BACK = "held back"
    """Until the hours that its reader has chosen."""
    POSTED = "posted"
    SIMPLIFIED = "refused by Slack, sent again in a simpler form"
    IN_DOUBT = "in doubt"
    MOVED = "moved to the default channel"
    FAILED = "failed"
    RETRIED = "retried"
    MATCHED = "sent to the owner after they were matched"
    TAKEN = "taken"
    REASSIGNED = "reassigned"
    RETURNED = "returned"
    DONE = "done"
    NOT_RELEVANT = "not relevant"
    REOPENED = "reopened"
    SNOOZED = "snoozed"
    SNOOZE_ENDED = "snooze ended"
    REPORTED = "reported as wrong"
    MUTED = "muted"
    UNMUTED = "unmuted"
    REMINDED = "reminded"
    ESCALATED = "escalated"


class WorkspaceState(StrEnum):
    """Whether a workspace has the app installed."""

    ACTIVE = "active"
    GONE = "gone"
