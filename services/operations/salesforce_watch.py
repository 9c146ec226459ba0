"""Keeping Salesforce connections alive, and notifying admins of problems with them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from sqlalchemy import Connection

from domain.errors import PermanentError, TransientError
from domain.messages.notices import SALESFORCE_BROKEN, SALESFORCE_CALLS_LOW
from domain.salesforce import ConnectionStatus
from services.messages.notices import Notices
from services.salesforce.health import CALLS_ARE_FINE, CALLS_ARE_LOW
from services.salesforce.queries.describe import SalesforceDescribe
from services.salesforce.sessions import SalesforceSessions
from store.salesforce import connections
from store.slack import workspaces

EVERY_MS = 60_000
NEW_EVERY_MS = 5_000
"""A person who has just installed the app is waiting."""

IDLE_MS = 5 * 24 * 60 * 60_000
"""Use a refresh token after five idle days: an org may let unused tokens expire, for example after 30 days."""

FIRST_USE_RETRY_MS = 10 * 60_000
"""Salesforce may take this long to activate a new External Client App."""

RENEWAL_RETRY_MS = 60 * 60_000
QUIET_MS = 24 * 60 * 60_000
"""A problem must be gone for this long to be reported again, so one that comes and goes is reported once a day."""


@dataclass
class SalesforceWatch:
    """Checks all connections once a minute. Any replica may run it, even while others do."""

    sessions: SalesforceSessions
    describe: SalesforceDescribe
    notices: Notices
    now: Callable[[], int]
    _due_at: int = field(default=0, init=False)
    _new_due_at: int = field(default=0, init=False)
    _tried: dict[str, int] = field(default_factory=dict, init=False)
    _named: set[str] = field(default_factory=set, init=False)

    async def check(self) -> bool:
        """Always return False: there is never more to do right away."""
        if self.sessions.has_operator_org and self.now() >= self._new_due_at:
            await self._try_operator_credentials()
        if self.now() < self._due_at:
            return False
        self._due_at = self.now() + EVERY_MS
        for workspace_id in await self.sessions.database.run(connections.idle, self.now() - IDLE_MS):
            await self._renew(workspace_id)
        for status, notified in await self.sessions.database.run(_statuses_and_notices):
            await self._check(status, notified)
            is_unnamed = not status.user_name and status.last_success_at is not None  # not connected in a browser
            if is_unnamed and status.workspace_id not in self._named:
                self._named.add(status.workspace_id)
                with suppress(PermanentError, TransientError):
                    await self.describe.refresh_org_details(status.workspace_id)
        return False

    async def _check(self, status: ConnectionStatus, notified: frozenset[str]) -> None:
        if status.problem and SALESFORCE_BROKEN not in notified:
            await self.notices.salesforce_problem(status.workspace_id, SALESFORCE_BROKEN, status.connected_by)
        elif not status.problem and SALESFORCE_BROKEN in notified:
            await self._resolve(status.workspace_id, SALESFORCE_BROKEN)
        used, limit = status.api_used or 0, status.api_limit or 0
        if limit and used >= limit * CALLS_ARE_LOW and SALESFORCE_CALLS_LOW not in notified:
            await self.notices.salesforce_problem(status.workspace_id, SALESFORCE_CALLS_LOW, status.connected_by)
        elif used < limit * CALLS_ARE_FINE and SALESFORCE_CALLS_LOW in notified:
            await self._resolve(status.workspace_id, SALESFORCE_CALLS_LOW)

    async def _try_operator_credentials(self) -> None:
        """In workspaces where the operator's credentials have not worked yet, test them by reading the org's name."""
        self._new_due_at = self.now() + NEW_EVERY_MS
        for workspace_id in await self.sessions.database.run(self._never_used):
            if self.now() < self._tried.get(workspace_id, -FIRST_USE_RETRY_MS) + FIRST_USE_RETRY_MS:
                continue
            try:
                await self.sessions.session_for(workspace_id)
                await self.describe.refresh_org_details(workspace_id)
            except PermanentError:
                self._tried[workspace_id] = self.now()  # stored with the connection, which is checked for problems
            except TransientError:  # all workspaces share this org
                self._new_due_at = self.now() + EVERY_MS
                return

    def _never_used(self, connection: Connection) -> list[str]:
        return connections.never_used(connection, self.sessions.served(connection))

    async def _renew(self, workspace_id: str) -> None:
        connection = await self.sessions.connection_of(workspace_id)
        if connection is None or self.now() < self._tried.get(workspace_id, 0) + RENEWAL_RETRY_MS:
            return
        self._tried[workspace_id] = self.now()
        with suppress(PermanentError, TransientError):  # stored with the connection, which is checked for problems
            await self.sessions.renew(workspace_id, connection.access_token)

    async def _resolve(self, workspace_id: str, notice: str) -> None:
        before = self.now() - QUIET_MS
        await self.sessions.database.run(workspaces.clear_older_notice, workspace_id, notice, before)


def _statuses_and_notices(connection: Connection) -> list[tuple[ConnectionStatus, frozenset[str]]]:
    """Return every connection, and which of the two notices about it was sent."""
    notified = {kind: workspaces.notified(connection, kind) for kind in (SALESFORCE_BROKEN, SALESFORCE_CALLS_LOW)}
    return [
        (status, frozenset(kind for kind, ids in notified.items() if status.workspace_id in ids))
        for status in connections.all_statuses(connection)
    ]
