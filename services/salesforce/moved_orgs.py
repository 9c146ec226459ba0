"""Orgs that may have moved to another host, which only a new session names (a renamed My Domain, a migration)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from domain.errors import PermanentError, TransientError

FAILURES_IN_A_ROW = 3
"""A host that cannot be reached may come back: so many failures without an answer make us doubt that it is the one."""

RENEW_AGAIN_MS = 5 * 60_000


class SessionEndedError(Exception):
    """
    Salesforce does not know this session any more: there is another to be had, or to be asked for.

    *otherwise*: what it is when there is none, or a new session fares no better.
    """

    def __init__(self, otherwise: PermanentError | TransientError | None = None) -> None:
        super().__init__()
        self.otherwise = otherwise or TransientError("Salesforce refuses the session that it has just given")


class RedirectedError(SessionEndedError):
    """The host answers with a redirect, which is never followed: it would carry our session to anywhere."""


class UnreachableError(TransientError):
    """There is no connection to the host to be had."""

    @property
    def otherwise(self) -> TransientError:
        return self


@dataclass
class MovedOrgs:
    """What one process has seen of the hosts of workspaces' orgs. Times in milliseconds."""

    _failures: dict[str, int] = field(default_factory=dict, init=False)
    _renewed_at: dict[str, int] = field(default_factory=dict, init=False)
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict, init=False)

    def answered(self, workspace_id: str) -> None:
        self._failures.pop(workspace_id, None)

    def doubt(self, workspace_id: str) -> None:
        """The next failure to reach the host is enough."""
        self._failures[workspace_id] = FAILURES_IN_A_ROW - 1

    def one_at_a_time(self, workspace_id: str) -> asyncio.Lock:
        """Held from a look at the stored session until there is another."""
        return self._locks.setdefault(workspace_id, asyncio.Lock())

    def suspects(self, workspace_id: str, error: SessionEndedError | UnreachableError) -> bool:
        """Whether this failure may be one that another session mends."""
        if isinstance(error, SessionEndedError):
            return True
        self._failures[workspace_id] = self._failures.get(workspace_id, 0) + 1
        return self._failures[workspace_id] >= FAILURES_IN_A_ROW

    def may_renew(self, workspace_id: str, now: int) -> bool:
        """True once every RENEW_AGAIN_MS: where the host is right and in trouble, new sessions would not end it."""
        if now < self._renewed_at.get(workspace_id, -RENEW_AGAIN_MS) + RENEW_AGAIN_MS:
            return False
        self._renewed_at[workspace_id] = now
        return True
