"""The rounds of queries for one batch: people, what their records lead to, accounts, queues and users."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from services.salesforce.queries.account_details import AccountDetails, with_account_details
from services.salesforce.queries.account_statements import account_queries, chosen_queries
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

if TYPE_CHECKING:
    from services.salesforce.queries.client import SalesforceClient

MOST_FOLLOW_UPS = 3
"""Rounds in which merged records and converted leads are followed. Most batches need none."""


def run_queries(
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


def queries_for_nobody(required: RequiredRecords) -> list[RecordQuery]:
    """Return every kind of query that these rules need, about nobody."""
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
    return [
        *person_queries([nobody], required),
        *account_queries([f"001{0:012}"], required, [f"003{0:012}"]),
        *chosen_queries([f"006{0:012}"], [], required),
        *(member_queries([f"00G{0:012}"]) if required.queues else ()),
        *(user_queries([f"005{0:012}"], required) if required.users else ()),
    ]


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
        for sobject, record in _all_records(records):
            for name, value in record.fields.items():
                if isinstance(value, str) and f"{sobject}.{name}" in required.user_fields:
                    ids.add(value)
        if required.managers or required.email_field or required.slack_id_field:
            ids |= set(_owners(records))
    return ids


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
