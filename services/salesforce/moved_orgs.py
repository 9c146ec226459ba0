"""Orgs that may have moved to another host, such as after a renamed My Domain. A new session has the new host."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from domain.errors import PermanentError, TransientError

FAILURES_IN_A_ROW = 3
"""After this many failed calls in a row, the org may have moved, and a new session is requested."""

RENEW_AGAIN_MS = 5 * 60_000
"""New sessions are requested at most this often: they do not help if the host is right and has an outage."""


class SessionEndedError(Exception):
    """
    Salesforce does not accept this session any more, so another one is needed.

    `otherwise` is the error to raise if there is no other session, or if it is not accepted either.
    """

    def __init__(self, otherwise: PermanentError | TransientError | None = None) -> None:
        super().__init__()
        self.otherwise = otherwise or TransientError("Salesforce refused a new session")


class RedirectedError(SessionEndedError):
    """The host answered with a redirect. It is not followed, since it could send our session anywhere."""


class UnreachableError(TransientError):
    """No connection to the host could be opened."""

    @property
    def otherwise(self) -> TransientError:
        return self


@dataclass
class MovedOrgs:
    """What one process has observed about the hosts of the workspaces' orgs. Times are in milliseconds."""

    _failures: dict[str, int] = field(default_factory=dict, init=False)
    _renewed_at: dict[str, int] = field(default_factory=dict, init=False)
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict, init=False)

    def answered(self, workspace_id: str) -> None:
        self._failures.pop(workspace_id, None)

    def expect_move(self, workspace_id: str) -> None:
        """Request a new session after the next failure already."""
        self._failures[workspace_id] = FAILURES_IN_A_ROW - 1

    def lock_of(self, workspace_id: str) -> asyncio.Lock:
        """Return the lock that is held while a session is replaced."""
        return self._locks.setdefault(workspace_id, asyncio.Lock())

    def may_have_moved(self, workspace_id: str, error: SessionEndedError | UnreachableError) -> bool:
        """Whether a new session could resolve this failure."""
        if isinstance(error, SessionEndedError):
            return True
        self._failures[workspace_id] = self._failures.get(workspace_id, 0) + 1
        return self._failures[workspace_id] >= FAILURES_IN_A_ROW

    def may_renew(self, workspace_id: str, now: int) -> bool:
        """Return True once every RENEW_AGAIN_MS."""
        if now < self._renewed_at.get(workspace_id, -RENEW_AGAIN_MS) + RENEW_AGAIN_MS:
            return False
        self._renewed_at[workspace_id] = now
        return True
