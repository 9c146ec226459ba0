"""Turns the rows of Salesforce's answers into records, and assigns them to people and accounts. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from urllib.parse import urlsplit

from domain.people import DEFAULT_KEYS, PersonKey
from services.salesforce.queries.person_index import PersonFinder
from services.salesforce.records import (
    Account,
    CompanyLookup,
    Contact,
    Fields,
    Lead,
    OpenChoice,
    Opportunity,
    PersonLookup,
    PersonRecords,
    SalesforceUser,
)

Row = Mapping[str, object]

Made = TypeVar("Made")

OF_SANDBOX = ".invalid"
"""https://help.salesforce.com/s/articleView?id=platform.data_sandbox_create.htm"""

_QUEUE_PREFIX = "00G"
_EXPECTED = frozenset({"attributes", "owner", "account", "parent"})

OPPORTUNITIES = ("open", "last_won", "last_lost")
"""The opportunities that rules can use: one of each kind, so that accounts with thousands cost no more."""

_OPEN_FIRST: Mapping[OpenChoice, str] = {
    "newest": "CreatedDate DESC",
    "largest": "Amount DESC NULLS LAST",
    "next_to_close": "CloseDate ASC",
}


def opportunities_by(open_choice: OpenChoice) -> Mapping[str, str]:
    """Return the conditions and order of the opportunity of each kind. `open_choice` says which open one it is."""
    return {
        "open": f"WHERE IsClosed = false ORDER BY {_OPEN_FIRST[open_choice]} LIMIT 1",
        "last_won": "WHERE IsWon = true ORDER BY CloseDate DESC LIMIT 1",
        "last_lost": "WHERE IsClosed = true AND IsWon = false ORDER BY CloseDate DESC LIMIT 1",
    }


def people(
    lookups: Sequence[PersonLookup],
    answers: Mapping[str, Iterable[Row]],
    keys: Sequence[PersonKey] = DEFAULT_KEYS,
    domain_field: str | None = None,
) -> dict[str, PersonRecords]:
    """
    Return the records of each lookup by its key. `answers` has rows by the kind of their query.

    A contact or lead is the one with the id, else the most recently modified one with the first of `keys` that matches;
    of two modified at the same time, the one with the greater id. A contact that was merged is the one it was merged
    into. A converted lead is found by its id only, and stands for the contact that it became. A company's account is
    the one with the id, else one with its domain in `domain_field`, else one with the host of its website, else one
    with exactly its name; of several, the one with the smallest id, which is the oldest.
    """
    rows = {kind: [row for row in answer if text_of(row, "Id")] for kind, answer in answers.items()}
    finder = PersonFinder.of(rows, keys)
    opportunities = {(text_of(row, "Id") or "")[:15]: row for row in rows.get("Opportunity", [])}
    accounts = _Accounts.of(rows, domain_field)
    records_by_key: dict[str, PersonRecords] = {}
    for lookup in lookups:
        contacts, leads = finder.contacts(lookup), finder.leads(lookup)
        past_contact = finder.contact_index.by_id(lookup.past_contact_id)
        records_by_key[lookup.key] = PersonRecords(
            contact=contact_of(contacts[0].row) if contacts else None,
            lead=lead_of(leads[0].row) if leads else None,
            opportunity=_made(opportunity_of, opportunities.get((lookup.opportunity_id or "")[:15])),
            accounts={
                account_id: account for account_id in lookup.account_ids if (account := accounts.by_id(account_id))
            },
            contacts=tuple(contact_of(match.row) for match in contacts),
            past_account=accounts.of_company(lookup.past),
            current_account=accounts.of_company(lookup.current),
            past_contact=_made(contact_of, past_contact),
            found_by=contacts[0].found_by if contacts else None,
            lead_found_by=leads[0].found_by if leads else None,
        )
    return records_by_key


def users(rows: Iterable[Row], email_field: str | None, slack_id_field: str | None = None) -> dict[str, SalesforceUser]:
    """Return users with their managers, by the first 15 characters of their ids."""
    return {
        user_id[:15]: replace(
            person_of(user_id, row, email_field, slack_id_field), manager=_manager_of(row, email_field, slack_id_field)
        )
        for row in rows
        if (user_id := text_of(row, "Id"))
    }


@dataclass(frozen=True)
class _Accounts:
    ids: dict[str, Account]
    domains: dict[str, Account]
    websites: dict[str, Account]
    names: dict[str, Account]

    @classmethod
    def of(cls, rows: Mapping[str, Iterable[Row]], domain_field: str | None) -> _Accounts:
        accounts = [account_of(row) for row in rows.get("Account", ())]
        ids = {account.id[:15]: account for account in sorted(accounts, key=lambda account: account.id, reverse=True)}
        oldest_last = list(ids.values())
        named = {account.id: account.fields.get((domain_field or "").lower()) for account in oldest_last}
        return cls(
            ids,
            domains={str(named[account.id]).lower(): account for account in oldest_last if named[account.id]},
            websites={account.domain.lower(): account for account in oldest_last if account.domain},
            names={account.name.casefold(): account for account in oldest_last if account.name},
        )

    def by_id(self, account_id: str | None) -> Account | None:
        return self.ids.get(account_id[:15]) if account_id else None

    def of_company(self, company: CompanyLookup) -> Account | None:
        if company.account_id:
            return self.by_id(company.account_id)
        domain, name = (company.domain or "").lower(), (company.name or "").casefold()
        return self.domains.get(domain) or self.websites.get(domain) or self.names.get(name)


def _made(make: Callable[[Row], Made], row: Row | None) -> Made | None:
    return None if row is None else make(row)


def contact_of(row: Row) -> Contact:
    """Return the contact. Fields that Salesforce hides or leaves out are None."""
    account = part_of(row, "Account")
    return Contact(
        id=text_of(row, "Id") or "",
        name=text_of(row, "Name") or "",
        email=text_of(row, "Email"),
        account=account_of({"Id": row.get("AccountId"), **account}) if account else None,
        owner=_user(row),
        fields=_fields(row),
    )


def lead_of(row: Row) -> Lead:
    return Lead(
        id=text_of(row, "Id") or "",
        name=text_of(row, "Name") or "",
        email=text_of(row, "Email"),
        company=text_of(row, "Company"),
        owner=_user(row),
        fields=_fields(row),
    )


def opportunity_of(row: Row) -> Opportunity:
    return Opportunity(
        id=text_of(row, "Id") or "",
        name=text_of(row, "Name") or "",
        owner=_user(row),
        fields=_fields(row),
        closed_on=text_of(row, "CloseDate"),
    )


def account_of(row: Row) -> Account:
    """Return the account, with its parent if the row has one."""
    parent = part_of(row, "Parent")
    return Account(
        id=text_of(row, "Id") or "",
        name=text_of(row, "Name") or "",
        domain=_domain(text_of(row, "Website")),
        owner=_user(row),
        fields=_fields(row),
        parent=account_of(parent) if parent else None,
    )


def _fields(row: Row) -> Fields:
    """Return the record's own values by name in lower case."""
    return {
        name.lower(): value
        for name, value in row.items()
        if value is None or (isinstance(value, str | float | int) and name.lower() not in _EXPECTED)
    }


def _user(row: Row) -> SalesforceUser | None:
    """Return the owner of a record, or None if the user is hidden from us."""
    owner_id, owner = text_of(row, "OwnerId"), part_of(row, "Owner")
    return None if owner_id is None or owner is None else person_of(owner_id, owner)


def person_of(
    user_id: str, row: Row, email_field: str | None = None, slack_id_field: str | None = None
) -> SalesforceUser:
    """Return a user or queue from its row. The fields are further ones with an address or a Slack user id, if any."""
    return SalesforceUser(
        id=user_id,
        name=text_of(row, "Name") or user_id,
        email=text_of(row, "Email"),
        is_active=row.get("IsActive") is not False,
        kind="queue" if user_id.startswith(_QUEUE_PREFIX) else "user",
        alternate=text_of(row, email_field) if email_field else None,
        slack_id=text_of(row, slack_id_field) if slack_id_field else None,
    )


def _manager_of(row: Row, email_field: str | None, slack_id_field: str | None) -> SalesforceUser | None:
    """Return the manager, or None if the row has or shows none."""
    manager = part_of(row, "Manager")
    manager_id = text_of(manager, "Id") if manager else None
    return person_of(manager_id, manager, email_field, slack_id_field) if manager and manager_id else None


def _domain(website: str | None) -> str | None:
    if website is None:
        return None
    try:
        host = urlsplit(website if "//" in website else f"//{website}").hostname
    except ValueError:  # the field may contain any text
        return None
    return host.removeprefix("www.") if host else None


def text_of(row: Row, name: str) -> str | None:
    """Return the text, or None if it is missing, empty or not a text."""
    value = row.get(name)
    return value if isinstance(value, str) and value else None


def part_of(row: Row, name: str) -> Row | None:
    """Return a related record in the row, or None if there is none."""
    value = row.get(name)
    return value if isinstance(value, dict) else None


def real_addresses(row: Any) -> Any:
    """Return the row without the `.invalid` that Salesforce appends to the email address of every user in a sandbox."""
    if isinstance(row, dict):
        return {name: real_addresses(value) for name, value in row.items()}
    if isinstance(row, list):
        return [real_addresses(part) for part in row]
    is_address = isinstance(row, str) and "@" in row
    return row.removesuffix(OF_SANDBOX) if is_address else row
