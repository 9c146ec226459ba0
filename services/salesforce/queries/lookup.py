"""The only way to what Salesforce knows: the records of many people, in a number of calls that does not grow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Connection

from domain.errors import PermanentError, TransientError
from services.measures import UNMEASURED, Measures
from services.salesforce.moved_orgs import MovedOrgs, SessionEndedError, UnreachableError
from services.salesforce.queries.rows import AccountDetails, people, users, with_account_details
from services.salesforce.queries.statements import RecordQuery, account_queries, person_queries, user_queries
from services.salesforce.records import (
    NOTHING_REQUIRED,
    Account,
    BatchRecords,
    Contact,
    Lead,
    Opportunity,
    PersonLookup,
    PersonRecords,
    RequiredRecords,
)
from services.salesforce.sessions import SalesforceSessions, Session
from store.salesforce import connections

if TYPE_CHECKING:
    from services.salesforce.queries.client import SalesforceClient

Answer = TypeVar("Answer")

DEADLINE_SECONDS = 90.0
"""For all calls of one batch together, so that a trickling answer cannot hold it for ever."""

THREADS = 16


def _threads() -> ThreadPoolExecutor:
    """Of our own: an org that hangs must not hold up whoever needs one of the usual threads, such as to find Slack."""
    return ThreadPoolExecutor(THREADS, thread_name_prefix="salesforce")


@dataclass(frozen=True)
class Salesforce:
    """Asks on behalf of workspaces, through a client each."""

    sessions: SalesforceSessions
    deadline_seconds: float = DEADLINE_SECONDS
    measures: Measures = UNMEASURED
    moved_orgs: MovedOrgs = field(default_factory=MovedOrgs, init=False, repr=False)
    _clients: dict[str, SalesforceClient] = field(default_factory=dict, init=False, repr=False)
    _noted: dict[str, str | None] = field(default_factory=dict, init=False, repr=False)
    _threads: ThreadPoolExecutor = field(default_factory=_threads, init=False, repr=False)

    async def find_people(
        self, workspace_id: str, lookups: Sequence[PersonLookup], needs: RequiredRecords = NOTHING_REQUIRED
    ) -> BatchRecords | None:
        """
        What Salesforce knows for each lookup, and what rules need besides; None: no Salesforce is connected.

        Up to 200 lookups cost one API call, two when they ask for every kind of record or come with many e-mail
        addresses; whatever *needs* says, a few more, and never more the more rules there are. What we may not read is
        left out and named. Raises PermanentError (its text says what an admin has to mend) and TransientError.
        """
        session = await self.sessions.session_for(workspace_id)
        if session is None:
            return None
        asked = person_queries(lookups, needs)
        if not asked and not needs.user_ids:
            return BatchRecords(people(lookups, {}))
        try:
            told = await self._with_session(session, lambda client: _found(client, lookups, asked, needs))
        except PermanentError as error:
            await self.sessions.database.run(connections.note_problem, workspace_id, str(error))
            raise
        if told is None:
            return None
        found, unreadable = told
        named = ", ".join(sorted(unreadable.values())) or None
        if self._noted.get(workspace_id, "?") != named:
            await self.sessions.database.run(connections.note_unreadable, workspace_id, named)
            self._noted[workspace_id] = named
        return found

    async def close(self) -> None:
        """Let the connections go."""
        for client in self._clients.values():
            client.http.close()
        self._clients.clear()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def read(self, workspace_id: str, work: Callable[[SalesforceClient], Answer]) -> Answer | None:
        """
        What *work* reads with a client, in a thread of its own; None: no Salesforce is connected.

        Raises PermanentError, TransientError.
        """
        session = await self.sessions.session_for(workspace_id)
        return None if session is None else await self._with_session(session, work)

    async def _with_session(self, session: Session, work: Callable[[SalesforceClient], Answer]) -> Answer | None:
        """Ask, once more with a new session if this one has ended or its host is gone; None: disconnected meanwhile."""
        try:
            return await self._ask(session, work)
        except (SessionEndedError, UnreachableError) as error:
            another = await self._another(session, error)
        if another is None:
            return None
        try:
            return await self._ask(another, work)
        except SessionEndedError as error:
            raise error.otherwise from error

    async def _another(self, session: Session, error: SessionEndedError | UnreachableError) -> Session | None:
        """The session to use after this failure; raises what the failure is where another would not help."""
        workspace_id = session.workspace_id
        if type(error) is SessionEndedError:
            return await self.sessions.renew(workspace_id, session.access_token)
        if not self.moved_orgs.suspects(workspace_id, error) or not await self.sessions.can_renew(workspace_id):
            raise error.otherwise from error
        async with self.moved_orgs.one_at_a_time(workspace_id):
            stored = await self.sessions.session_for(workspace_id)
            if stored != session:  # somebody else has asked for it meanwhile
                return stored
            if not self.moved_orgs.may_renew(workspace_id, self.sessions.now()):
                raise error.otherwise from error
            return await self.sessions.renew(workspace_id, session.access_token)

    async def _ask(self, session: Session, work: Callable[[SalesforceClient], Answer]) -> Answer:
        client, answered = await self._client(session), False
        try:
            async with asyncio.timeout(self.deadline_seconds):
                answer = await asyncio.get_running_loop().run_in_executor(self._threads, work, client)
            answered = True
            self.moved_orgs.answered(session.workspace_id)
        except TimeoutError as error:
            self._clients.pop(session.workspace_id, None)  # its thread still has it, and ends in its own time
            raise TransientError(f"Salesforce took longer than {self.deadline_seconds:.0f} seconds") from error
        finally:
            await self.sessions.database.run(
                _note, session.workspace_id, self.sessions.now(), client, answered=answered
            )
        return answer

    async def _client(self, session: Session) -> SalesforceClient:
        client = self._clients.get(session.workspace_id)
        if client is None or client.session != session:
            client = await asyncio.to_thread(_client_of, session, self.measures)
            self._clients[session.workspace_id] = client
        return client


def _client_of(session: Session, measures: Measures) -> SalesforceClient:
    # It brings simple-salesforce and requests, and memory that nobody needs who has connected no Salesforce.
    from services.salesforce.queries.client import SalesforceClient  # noqa: PLC0415

    return SalesforceClient.of(session, measures)


def _note(connection: Connection, workspace_id: str, now: int, client: SalesforceClient, *, answered: bool) -> None:
    connections.spend(connection, workspace_id, now, client.calls_since())
    if answered:
        connections.note_answer(connection, workspace_id, now, client.usage)


def _found(
    client: SalesforceClient, lookups: Sequence[PersonLookup], asked: Sequence[RecordQuery], needs: RequiredRecords
) -> tuple[BatchRecords, Mapping[str, str]]:
    """Three rounds at most, each of which asks for everybody at once: people, their accounts' business, users."""
    told = people(lookups, client.rows(asked))
    about_accounts = account_queries({one.id for one in _accounts(told.values())}, needs)
    if about_accounts:
        details = AccountDetails.of(client.rows(about_accounts))
        told = {key: with_account_details(records, details) for key, records in told.items()}
    known = {}
    if needs.users and (about_users := user_queries(_user_ids(told.values(), needs), needs)):
        known = users(client.rows(about_users)["User"], needs.email_field)
    unreadable = client.unreadable
    return BatchRecords(told, known, frozenset(unreadable), client.session.instance_url), unreadable


def _accounts(told: Iterable[PersonRecords]) -> Iterator[Account]:
    for records in told:
        accounts = [one.account for one in records.contacts]
        yield from filter(None, [*accounts, records.past_account, records.current_account])


def _user_ids(told: Iterable[PersonRecords], needs: RequiredRecords) -> set[str]:
    """Of those whom rules name, whom lookup fields hold, and whose manager or other address is asked for."""
    ids = set(needs.user_ids)
    for records in told:
        ids |= set(_held(records, needs.user_fields))
        if needs.managers or needs.email_field:
            ids |= set(_owners(records))
    return ids


def _held(records: PersonRecords, names: frozenset[str]) -> Iterator[str]:
    """Salesforce ids in the lookup fields that rules name (`account.sdr__c`)."""
    for sobject, record in _all_records(records):
        for name, value in record.fields.items():
            if isinstance(value, str) and f"{sobject}.{name}" in names:
                yield value


def _owners(records: PersonRecords) -> Iterator[str]:
    for _, record in _all_records(records):
        if record.owner:
            yield record.owner.id
        if isinstance(record, Account | Opportunity):
            yield from (user.id for members in record.team.values() for user in members)
        if isinstance(record, Account) and record.parent and record.parent.owner:
            yield record.parent.owner.id


def _all_records(records: PersonRecords) -> Iterator[tuple[str, Contact | Lead | Account | Opportunity]]:
    yield from (("contact", one) for one in records.contacts)
    if records.lead:
        yield "lead", records.lead
    for account in _accounts([records]):
        yield "account", account
        yield from (("opportunity", deal) for deal in (account.open, account.last_won, account.last_lost) if deal)
