"""The only exceptions that cross a layer: what failed outside, and whether trying again can help.

PermanentError
├─ DestinationDeadError     nobody reads there any more: fall back
├─ MessageRefusedError      this rendering will never be taken: render it plainer
└─ WorkspaceGoneError       our token is dead: stop until somebody installs again
TransientError(retry_after, in_doubt)
"""

from __future__ import annotations


class PermanentError(Exception):
    """Trying the same again cannot help. The text is fit to be shown to an admin."""


class DestinationDeadError(PermanentError):
    """The person or channel can no longer be written to."""


class MessageRefusedError(PermanentError):
    """Slack will not take this message as it is rendered."""


class WorkspaceGoneError(PermanentError):
    """The workspace has uninstalled us or revoked our token."""


class TransientError(Exception):
    """Trying again later may help."""

    def __init__(self, message: str, *, retry_after: float | None = None, in_doubt: bool = False) -> None:
        """
        *retry_after*: seconds the vendor asked us to wait; None means it named none.
        *in_doubt*: the call may have been performed although we saw it fail.
        """
        super().__init__(message)
        self.retry_after = retry_after
        self.in_doubt = in_doubt
