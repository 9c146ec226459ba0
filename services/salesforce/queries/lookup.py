"""Looks up the Salesforce records of many people at once, in a constant number of calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from domain.errors import PermanentError, TransientError
from domain.salesforce import CallsMade
from services.measures import UNMEASURED, Measures
from services.salesforce.moved_orgs import MovedOrgs, SessionEndedError, UnreachableError
from services.salesforce.queries.gaps import hidden_text
from services.salesforce.queries.rounds import queries_for_nobody, run_queries
from services.salesforce.queries.rows import people
from services.salesforce.queries.statements import person_queries
from services.salesforce.records import NOTHING_REQUIRED, BatchRecords, PersonLookup, RequiredRecords
from services.salesforce.sessions import SalesforceSessions, Session
from services.settings import DIRECT, Network
from store.salesforce import connections

if TYPE_CHECKING:
    from services.salesforce.queries.client import SalesforceClient

Answer = TypeVar("Answer")

DEADLINE_SECONDS = 90.0
"""The deadline for all calls of one batch together, so that a very slow answer cannot hold it up for ever."""

THREADS = 16


def _threads() -> ThreadPoolExecutor:
    """Separate threads, so that an org that hangs does not hold up work on the default ones, such as DNS lookups."""
    return ThreadPoolExecutor(THREADS, thread_name_prefix="salesforce")


@dataclass(frozen=True)
class Salesforce:
    """Calls Salesforce for workspaces, with one client per workspace."""

    sessions: SalesforceSessions
    deadline_seconds: float = DEADLINE_SECONDS
    measures: Measures = UNMEASURED
    network: Network = DIRECT
    moved_orgs: MovedOrgs = field(default_factory=MovedOrgs, init=False, repr=False)
    _clients: dict[str, SalesforceClient] = field(default_factory=dict, init=False, repr=False)
    _stored_unreadable: dict[str, str | None] = field(default_factory=dict, init=False, repr=False)
    _threads: ThreadPoolExecutor = field(default_factory=_threads, init=False, repr=False)

    async def find_people(
        self,
        workspace_id: str,
        lookups: Sequence[PersonLookup],
        required: RequiredRecords = NOTHING_REQUIRED,
        hidden: Collection[str] = (),
    ) -> BatchRecords | None:
        """
        Return the records of each lookup and those that rules require, or None if Salesforce is not connected.

        Up to 200 lookups cost one API call, or two if they have every kind of record or many email addresses.
        `required` costs a few more, however many rules there are. What the connected user cannot read is left out and
        listed for an hour, then tried again. `hidden` are fields that the caller has left out; they are listed too. The
        caller records the `calls` of the records, see `connections.note_answer`. Raises TransientError, and
        PermanentError with a text that says what an admin has to fix.
        """
        session = await self.sessions.session_for(workspace_id)
        if session is None:
            return None
        queries, texts = person_queries(lookups, required), {name.lower(): hidden_text(name) for name in hidden}
        if not queries and not required.user_ids:
            return BatchRecords(people(lookups, {}), unreadable=texts)
        try:
            answer = await self._with_session(
                session,
                lambda client: run_queries(client, lookups, queries, required),
            )
        except PermanentError as error:
            await self.sessions.database.run(connections.note_problem, workspace_id, str(error))
            raise
        if answer is None:
            return None
        (records, unreadable), calls = answer
        names = ", ".join(sorted({*unreadable, *hidden})) or None
        if self._stored_unreadable.get(workspace_id, "?") != names:
            await self.sessions.database.run(connections.note_unreadable, workspace_id, names)
            self._stored_unreadable[workspace_id] = names
        return replace(records, unreadable={**texts, **records.unreadable}, calls=calls)

    async def find_gaps(self, workspace_id: str, required: RequiredRecords) -> dict[str, str] | None:
        """
        Return a sentence for each thing that these rules need and that cannot be read now, by asking for nobody.

        None means that Salesforce is not connected. Raises PermanentError, TransientError.
        """
        queries = queries_for_nobody(required)

        def read(client: SalesforceClient) -> dict[str, str]:
            client.gaps.forget()
            client.rows(queries)
            return client.gaps.texts

        return await self.read(workspace_id, read)

    async def close(self) -> None:
        """Close all connections."""
        for client in self._clients.values():
            client.http.close()
        self._clients.clear()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def read(self, workspace_id: str, work: Callable[[SalesforceClient], Answer]) -> Answer | None:
        """
        Return what `work` reads with a client, in a thread of its own, or None if Salesforce is not connected.

        Raises PermanentError, TransientError.
        """
        session = await self.sessions.session_for(workspace_id)
        answered = None if session is None else await self._with_session(session, work)
        if answered is None:
            return None
        answer, calls = answered
        await self.sessions.database.run(connections.note_answer, workspace_id, self.sessions.now(), calls)
        return answer

    async def _with_session(
        self, session: Session, work: Callable[[SalesforceClient], Answer]
    ) -> tuple[Answer, CallsMade] | None:
        """
        Run `work`, again with a new session if this one has ended or its host is gone.

        Returns its answer with the calls to record, or None if Salesforce was disconnected in the meantime.
        """
        try:
            return await self._run(session, work)
        except (SessionEndedError, UnreachableError) as error:
            new_session = await self._replace_session(session, error)
        if new_session is None:
            return None
        try:
            return await self._run(new_session, work)
        except SessionEndedError as error:
            raise error.otherwise from error

    async def _replace_session(self, session: Session, error: SessionEndedError | UnreachableError) -> Session | None:
        """Return the session to use after this failure. Raises the failure if another session would not help."""
        workspace_id = session.workspace_id
        if type(error) is SessionEndedError:
            return await self.sessions.renew(workspace_id, session.access_token)
        if not self.moved_orgs.may_have_moved(workspace_id, error) or not await self.sessions.can_renew(workspace_id):
            raise error.otherwise from error
        async with self.moved_orgs.lock_of(workspace_id):
            stored = await self.sessions.session_for(workspace_id)
            if stored != session:  # it has been replaced in the meantime
                return stored
            if not self.moved_orgs.may_renew(workspace_id, self.sessions.now()):
                raise error.otherwise from error
            return await self.sessions.renew(workspace_id, session.access_token)

    async def _run(self, session: Session, work: Callable[[SalesforceClient], Answer]) -> tuple[Answer, CallsMade]:
        """Calls without an answer are counted here."""
        client, answered = self._clients.get(session.workspace_id), False
        if client is None or client.session != session:
            client = await asyncio.to_thread(_create_client, session, self.sessions.now, self.measures, self.network)
            self._clients[session.workspace_id] = client
        try:
            async with asyncio.timeout(self.deadline_seconds):
                answer = await asyncio.get_running_loop().run_in_executor(self._threads, work, client)
            answered = True
            self.moved_orgs.answered(session.workspace_id)
        except TimeoutError as error:
            self._clients.pop(session.workspace_id, None)  # its thread still uses it, and ends later
            raise TransientError(f"Salesforce took longer than {self.deadline_seconds:.0f} seconds") from error
        finally:
            if not answered:
                calls, now = client.take_call_count(), self.sessions.now()
                await self.sessions.database.run(connections.count_calls, session.workspace_id, now, calls)
        return answer, CallsMade(client.take_call_count(), client.usage)


def _create_client(session: Session, now: Callable[[], int], measures: Measures, network: Network) -> SalesforceClient:
    # Imported only when needed: simple-salesforce and requests take memory that servers without Salesforce save.
    from services.salesforce.queries.client import SalesforceClient  # noqa: PLC0415

    return SalesforceClient.of(session, now, measures, network)
