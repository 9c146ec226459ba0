"""What fails outside: the exceptions that cross a layer, whether a retry can help, and outages that last. Pure.

PermanentError
├─ DestinationDeadError     the destination can no longer receive messages: use the fallback
├─ MessageRefusedError      Slack does not accept this rendering: send a plainer one
└─ WorkspaceGoneError       our token is revoked: stop until the app is installed again
TransientError(retry_after, in_doubt)
└─ UnknownCodeError         the vendor returned an error code that the app does not know
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from domain.day_counts import counted


class PermanentError(Exception):
    """A retry cannot help. The text may be shown to an admin. `code` is the vendor's, empty if there is none."""

    def __init__(self, message: str = "", *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class DestinationDeadError(PermanentError):
    """The person or channel can no longer receive messages."""


class MessageRefusedError(PermanentError):
    """Slack does not accept this message as it is rendered."""


class WorkspaceGoneError(PermanentError):
    """Slack does not accept our token for the workspace, even when asked again. `code` says why."""


class TransientError(Exception):
    """A retry may help."""

    def __init__(self, message: str, *, retry_after: float | None = None, in_doubt: bool = False) -> None:
        """
        `retry_after` is how many seconds the vendor asked us to wait; None when it named no time.
        `in_doubt` means that the call may have been performed although it failed for us.
        """
        super().__init__(message)
        self.retry_after = retry_after
        self.in_doubt = in_doubt


class UnknownCodeError(TransientError):
    """The vendor returned an error code that the app does not know. It may pass, and must not stop anything else."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class TokenRefusedError(TransientError):
    """Slack refused one message with a token that it accepts otherwise. It may be about the destination."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class Vendor(StrEnum):
    """The vendor's name as people read it."""

    SLACK = "Slack"
    SALESFORCE = "Salesforce"


@dataclass(frozen=True)
class Outage:
    """
    Calls of one workspace have failed since `since` (milliseconds), and none has succeeded since then.

    `error` is the last failure, and may contain what Salesforce answered. `waiting` counts the job changes that wait.
    """

    workspace_id: str
    vendor: Vendor
    since: int
    error: str
    waiting: int

    def text(self, shown_time: Callable[[int], str], *, with_error: bool = True) -> str:
        """Describe it in plain text. `shown_time` formats the time for the reader; only admins see the error."""
        because = f" ({self.error.rstrip('.')})" if with_error and self.error else ""
        waits = f"{counted(self.waiting, 'job change')} {'waits' if self.waiting == 1 else 'wait'}"
        return (
            f"Calls to {self.vendor} have failed since {shown_time(self.since)}{because}. They are retried."
            f" {waits if self.waiting else 'Nothing waits'} for {self.vendor}"
        )


def by_vendor(outages: Iterable[Outage]) -> list[Outage]:
    """Return one outage for each vendor: the longest of all workspaces, with everything that waits."""
    joined = dict[Vendor, Outage]()
    for outage in sorted(outages, key=lambda outage: outage.since):
        first = joined.get(outage.vendor)
        joined[outage.vendor] = replace(first, waiting=first.waiting + outage.waiting) if first else outage
    return list(joined.values())
