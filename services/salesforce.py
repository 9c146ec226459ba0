"""The only way to what Salesforce knows: the records of many people, in a number of calls that does not grow."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from simple_salesforce.exceptions import SalesforceExpiredSession

from services.errors import PermanentError, TransientError
from services.records import PersonLookup, PersonRecords
from services.salesforce_auth import SalesforceAuth, Session
from services.salesforce_client import SalesforceClient
from services.salesforce_soql import Question, Row, people, questions
from store import salesforce_connections as connections

DEADLINE_SECONDS = 90.0
"""For all calls of one batch together, so that a trickling answer cannot hold it for ever."""


@dataclass(frozen=True)
class Salesforce:
    """Asks on behalf of workspaces, through a client each."""

    auth: SalesforceAuth
    deadline_seconds: float = DEADLINE_SECONDS
    _clients: dict[str, SalesforceClient] = field(default_factory=dict, init=False, repr=False)

    async def find_people(self, workspace_id: str, lookups: Sequence[PersonLookup]) -> dict[str, PersonRecords] | None:
        """
        What Salesforce knows for each lookup, by its key; None: no Salesforce is connected.

        Up to 200 lookups cost one API call, two when they ask for every kind of record or come with many e-mail
        addresses. Raises PermanentError (its text says what an admin has to mend) and TransientError.
        """
        session = await self.auth.session_for(workspace_id)
        if session is None:
            return None
        asked = questions(lookups)
        try:
            rows = await self._rows(session, asked)
        except PermanentError as error:
            await self.auth.database.run(connections.note_problem, workspace_id, str(error))
            raise
        return None if rows is None else people(lookups, rows)

    async def close(self) -> None:
        """Let the connections go."""
        for client in self._clients.values():
            client.http.close()
        self._clients.clear()

    async def _rows(self, session: Session, asked: Sequence[Question]) -> dict[str, list[Row]] | None:
        """Ask, once more with a new session if this one has ended; None: disconnected meanwhile."""
        try:
            return await self._ask(session, asked)
        except SalesforceExpiredSession:
            renewed = await self.auth.renew(session.workspace_id, session.access_token)
        if renewed is None:
            return None
        try:
            return await self._ask(renewed, asked)
        except SalesforceExpiredSession as error:
            raise TransientError("Salesforce refuses the session that it has just given") from error

    async def _ask(self, session: Session, asked: Sequence[Question]) -> dict[str, list[Row]]:
        if not asked:
            return {}
        client = self._client(session)
        try:
            async with asyncio.timeout(self.deadline_seconds):
                rows = await asyncio.to_thread(client.rows, asked)
        except TimeoutError as error:
            self._clients.pop(session.workspace_id, None)  # its thread still has it, and ends in its own time
            raise TransientError(f"Salesforce took longer than {self.deadline_seconds:.0f} seconds") from error
        now = self.auth.now()
        await self.auth.database.run(connections.note_answer, session.workspace_id, now, client.usage)
        return rows

    def _client(self, session: Session) -> SalesforceClient:
        client = self._clients.get(session.workspace_id)
        if client is None or client.session != session:
            client = self._clients[session.workspace_id] = SalesforceClient.of(session)
        return client
