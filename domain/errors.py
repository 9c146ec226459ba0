"""The exceptions that cross a layer: what failed outside, and whether a retry can help.

PermanentError
├─ DestinationDeadError     the destination can no longer receive messages: use the fallback
├─ MessageRefusedError      Slack does not accept this rendering: send a plainer one
└─ WorkspaceGoneError       our token is revoked: stop until the app is installed again
TransientError(retry_after, in_doubt)
└─ UnknownCodeError         the vendor returned an error code that the app does not know
"""

from __future__ import annotations


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
    """Slack does not accept our token for the workspace, also on a second look. `code` says why."""


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
