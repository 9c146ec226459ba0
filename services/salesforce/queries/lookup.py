"""Looks up the Salesforce records of many people at once, in a constant number of calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Connection

from domain.errors import PermanentError, TransientError
from services.measures import UNMEASURED, Measures
from services.salesforce.moved_orgs import MovedOrgs, SessionEndedError, UnreachableError
from services.salesforce.queries.account_details import AccountDetails, with_account_details
from services.salesforce.queries.account_statements import account_queries, chosen_queries
from services.salesforce.queries.gaps import hidden_text
from services.salesforce.queries.queues import find_members, member_queries, queues_of
from services.salesforce.queries.rows import people
from services.salesforce.queries.statements import (
    RecordQuery,
    Row,
    follow_up_queries,
    person_queries,
    user_queries,
)
from services.salesforce.records import (
    NOTHING_REQUIRED,
    Account,
    BatchRecords,
    CompanyLookup,
    Contact,
    Lead,
    Opportunity,
    PersonLookup,
    PersonRecords,
    RequiredRecords,
)
from services.salesforce.sessions import SalesforceSessions, Session
from services.settings import DIRECT, Network
from store.salesforce import connections

if TYPE_CHECKING:
    from services.salesforce.queries.client import SalesforceClient

Answer = TypeVar("Answer")

DEADLINE_SECONDS = 90.0
"""For all calls of one batch together, so that a very slow answer cannot hold it up for ever."""

THREADS = 16

MOST_FOLLOW_UPS = 3
"""Rounds in which merged records and converted leads are followed. Most batches need none."""


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
        listed for an hour, then tried again; `hidden` are fields that were left out before, and are listed, too. Raises
        TransientError, and PermanentError with a text that says what an admin has to fix.
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
                lambda client: _run_queries(client, lookups, queries, required),
            )
        except PermanentError as error:
            await self.sessions.database.run(connections.note_problem, workspace_id, str(error))
            raise
        if answer is None:
            return None
        records, unreadable = answer
        names = ", ".join(sorted({*unreadable, *hidden})) or None
        if self._stored_unreadable.get(workspace_id, "?") != names:
            await self.sessions.database.run(connections.note_unreadable, workspace_id, names)
            self._stored_unreadable[workspace_id] = names
        return replace(records, unreadable={**texts, **records.unreadable})

    async def find_gaps(self, workspace_id: str, required: RequiredRecords) -> dict[str, str] | None:
        """
        Return a sentence for each thing that these rules need and that cannot be read now, by asking for nobody.

        None means that Salesforce is not connected. Raises PermanentError, TransientError.
        """
        company = CompanyLookup(domain="doctor.invalid", name="doctor.invalid")
        nobody = PersonLookup(
            "nobody",
            contact_id=f"003{0:012}",
            lead_id=f"00Q{0:012}",
            emails=("nobody@doctor.invalid",),
            linkedin_url="https://www.linkedin.com/in/doctor.invalid",
            custom={key.kind: "doctor.invalid" for key in required.person_keys},
            current=company,
        )
        queries = [
            *person_queries([nobody], required),
            *account_queries([f"001{0:012}"], required, [f"003{0:012}"]),
            *chosen_queries([f"006{0:012}"], [], required),
            *(member_queries([f"00G{0:012}"]) if required.queues else ()),
            *(user_queries([f"005{0:012}"], required) if required.users else ()),
        ]

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
        return None if session is None else await self._with_session(session, work)

    async def _with_session(self, session: Session, work: Callable[[SalesforceClient], Answer]) -> Answer | None:
        """
        Run `work`, again with a new session if this one has ended or its host is gone.

        Returns None if Salesforce was disconnected in the meantime.
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

    async def _run(self, session: Session, work: Callable[[SalesforceClient], Answer]) -> Answer:
        client, answered = await self._client(session), False
        try:
            async with asyncio.timeout(self.deadline_seconds):
                answer = await asyncio.get_running_loop().run_in_executor(self._threads, work, client)
            answered = True
            self.moved_orgs.answered(session.workspace_id)
        except TimeoutError as error:
            self._clients.pop(session.workspace_id, None)  # its thread still uses it, and ends later
            raise TransientError(f"Salesforce took longer than {self.deadline_seconds:.0f} seconds") from error
        finally:
            await self.sessions.database.run(
                _count_calls, session.workspace_id, self.sessions.now(), client, answered=answered
            )
        return answer

    async def _client(self, session: Session) -> SalesforceClient:
        client = self._clients.get(session.workspace_id)
        if client is None or client.session != session:
            client = await asyncio.to_thread(_create_client, session, self.sessions.now, self.measures, self.network)
            self._clients[session.workspace_id] = client
        return client


def _create_client(session: Session, now: Callable[[], int], measures: Measures, network: Network) -> SalesforceClient:
    # Imported only when needed: simple-salesforce and requests take memory that servers without Salesforce save.
    from services.salesforce.queries.client import SalesforceClient  # noqa: PLC0415

    return SalesforceClient.of(session, now, measures, network)


def _count_calls(
    connection: Connection, workspace_id: str, now: int, client: SalesforceClient, *, answered: bool
) -> None:
    connections.count_calls(connection, workspace_id, now, client.take_call_count())
    if answered:
        connections.note_answer(connection, workspace_id, now, client.usage)


def _run_queries(
    client: SalesforceClient,
    lookups: Sequence[PersonLookup],
    queries: Sequence[RecordQuery],
    required: RequiredRecords,
) -> tuple[BatchRecords, Sequence[str]]:
    """
    Query in a constant number of rounds, each for all lookups: people, what their records lead to, details of their
    accounts, users.

    Also return the names of what cannot be read until an admin does something about it.
    """
    client.gaps.begin_batch()
    rows = _with_followed(client.rows, client.rows(queries), queries, lookups, required)
    records_by_key = people(lookups, rows, required.person_keys, required.domain_field)
    account_ids = {account.id for account in _accounts(records_by_key.values())}
    contact_ids = {contact.id for records in records_by_key.values() for contact in records.contacts}
    if for_accounts := account_queries(account_ids, required, contact_ids):
        details = AccountDetails.of(client.rows(for_accounts), required.open_choice)
        if for_chosen := chosen_queries(details.opportunity_ids, set(details.topmost.values()), required):
            details = details.with_chosen(client.rows(for_chosen))
        records_by_key = {key: with_account_details(records, details) for key, records in records_by_key.items()}
    queues = find_members(queues_of(records_by_key.values()), client.rows) if required.queues else {}
    members = {user_id for user_ids in queues.values() for user_id in user_ids}
    user_ids = _user_ids(records_by_key.values(), required) | members
    users_by_id = client.recent_users.find(user_ids, required, client.rows)
    batch = BatchRecords(
        records_by_key, users_by_id, client.gaps.texts, client.session.instance_url, required.domain_field, queues
    )
    return batch, client.gaps.lasting


def _with_followed(
    read: Callable[[Sequence[RecordQuery]], dict[str, list[Row]]],
    rows: dict[str, list[Row]],
    queries: Sequence[RecordQuery],
    lookups: Sequence[PersonLookup],
    required: RequiredRecords,
) -> dict[str, list[Row]]:
    """The rows, and those that they lead to: what records were merged into, and contacts that leads became."""
    for _ in range(MOST_FOLLOW_UPS):
        more = [query for query in follow_up_queries(lookups, rows, required) if query not in queries]
        followed = read(more) if more else {}
        if not any(followed.values()):
            break
        queries = [*queries, *more]
        rows = {kind: [*rows.get(kind, ()), *followed.get(kind, ())] for kind in {*rows, *followed}}
    return rows


def _accounts(people: Iterable[PersonRecords]) -> Iterator[Account]:
    for records in people:
        accounts = [contact.account for contact in records.contacts]
        yield from filter(None, [*accounts, records.past_account, records.current_account])


def _user_ids(people: Iterable[PersonRecords], required: RequiredRecords) -> set[str]:
    """Return the users that rules or lookup fields name, and owners if their manager or other address is required."""
    ids = set(required.user_ids)
    for records in people:
        ids |= set(_lookup_field_values(records, required.user_fields))
        if required.managers or required.email_field or required.slack_id_field:
            ids |= set(_owners(records))
    return ids


def _lookup_field_values(records: PersonRecords, names: frozenset[str]) -> Iterator[str]:
    """Yield the Salesforce ids in the lookup fields that rules name, such as `account.sdr__c`."""
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
        above = (record.parent, record.ultimate) if isinstance(record, Account) else ()
        yield from (account.owner.id for account in above if account and account.owner)


def _all_records(records: PersonRecords) -> Iterator[tuple[str, Contact | Lead | Account | Opportunity]]:
    yield from (("contact", contact) for contact in records.contacts)
    yield from (("opportunity", contact.open) for contact in records.contacts if contact.open)
    if records.lead:
        yield "lead", records.lead
    for account in _accounts([records]):
        yield "account", account
        yield from (("opportunity", deal) for deal in (account.open, account.last_won, account.last_lost) if deal)
