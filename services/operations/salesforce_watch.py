"""Looking after connections to Salesforce: what keeps them alive, and what an admin has to hear of."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from domain.errors import PermanentError, TransientError
from domain.notices import SALESFORCE_BROKEN, SALESFORCE_CALLS_LOW
from domain.salesforce import ConnectionStatus
from services.messages.notices import Notices
from services.salesforce.health import CALLS_ARE_FINE, CALLS_ARE_LOW
from services.salesforce.queries.describe import SalesforceDescribe
from services.salesforce.sessions import SalesforceSessions
from store.salesforce import connections
from store.slack import workspaces

EVERY_MS = 60_000
NEW_EVERY_MS = 5_000
"""Whoever has just installed the app is watching."""

IDLE_MS = 5 * 24 * 60 * 60_000
"""A refresh token that nobody uses dies, after 30 days where that is asked of an app: ours are used weekly at least."""

BEGIN_AGAIN_MS = 10 * 60_000
"""So long Salesforce may take until a new External Client App works."""

TRY_AGAIN_MS = 60 * 60_000
QUIET_MS = 24 * 60 * 60_000
"""How long a trouble must be away before it counts as a new one: a trouble that comes and goes is told once a day."""


@dataclass
class SalesforceWatch:
    """For every workspace, once a minute, on whichever replicas run; each thing is done by one of them."""

    sessions: SalesforceSessions
    describe: SalesforceDescribe
    notices: Notices
    now: Callable[[], int]
    _due_at: int = field(default=0, init=False)
    _new_due_at: int = field(default=0, init=False)
    _tried: dict[str, int] = field(default_factory=dict, init=False)
    _introduced: set[str] = field(default_factory=set, init=False)

    async def check(self) -> bool:
        """Always False: there is never more to do at once."""
        if self.sessions.serves_every_workspace and self.now() >= self._new_due_at:
            await self._begin()
        if self.now() < self._due_at:
            return False
        self._due_at = self.now() + EVERY_MS
        for workspace_id in await self.sessions.database.run(connections.idle, self.now() - IDLE_MS):
            await self._use(workspace_id)
        for known in await self.sessions.database.run(connections.standing):
            await self._tell(known)
            await self._introduce(known)
        return False

    async def _begin(self) -> None:
        """Where the operator's credentials have not worked yet, ask the org its name: then they are known to work."""
        self._new_due_at = self.now() + NEW_EVERY_MS
        for workspace_id in await self.sessions.database.run(connections.not_begun):
            if self.now() < self._tried.get(workspace_id, -BEGIN_AGAIN_MS) + BEGIN_AGAIN_MS:
                continue
            try:
                await self.sessions.session_for(workspace_id)
                await self.describe.introduce(workspace_id)
            except PermanentError:
                self._tried[workspace_id] = self.now()  # remembered with the connection, and told from there
            except TransientError:  # it is one org for all of them
                self._new_due_at = self.now() + EVERY_MS
                return

    async def _use(self, workspace_id: str) -> None:
        known = await self.sessions.connection_of(workspace_id)
        if known is None or self.now() < self._tried.get(workspace_id, 0) + TRY_AGAIN_MS:
            return
        self._tried[workspace_id] = self.now()
        with suppress(PermanentError, TransientError):  # remembered with the connection, and told from there
            await self.sessions.renew(workspace_id, known.access_token)

    async def _tell(self, known: ConnectionStatus) -> None:
        if known.problem:
            await self.notices.salesforce_broken(known.workspace_id, known.connected_by)
        else:
            await self._over(known.workspace_id, SALESFORCE_BROKEN)
        used, limit = known.api_used or 0, known.api_limit or 0
        if limit and used >= limit * CALLS_ARE_LOW:
            await self.notices.salesforce_calls_low(known.workspace_id, known.connected_by)
        elif used < limit * CALLS_ARE_FINE:
            await self._over(known.workspace_id, SALESFORCE_CALLS_LOW)

    async def _over(self, workspace_id: str, notice: str) -> None:
        before = self.now() - QUIET_MS
        await self.sessions.database.run(workspaces.clear_older_notice, workspace_id, notice, before)

    async def _introduce(self, known: ConnectionStatus) -> None:
        """Of a connection that nobody made in a browser the org's name is not known yet."""
        if known.user_name or known.last_success_at is None or known.workspace_id in self._introduced:
            return
        self._introduced.add(known.workspace_id)
        with suppress(PermanentError, TransientError):
            await self.describe.introduce(known.workspace_id)
