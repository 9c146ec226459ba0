"""Whose the rows of Salesforce's answers are: people with their records, accounts with their opportunities. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar
from urllib.parse import urlsplit

from services.salesforce.records import (
    Account,
    CompanyLookup,
    Contact,
    Fields,
    Lead,
    Opportunity,
    PersonLookup,
    PersonRecords,
    SalesforceUser,
)

Row = Mapping[str, object]

Made = TypeVar("Made")

_QUEUE_PREFIX = "00G"
_EXPECTED = frozenset({"attributes", "owner", "account", "parent"})

OPPORTUNITIES: Mapping[str, str] = {
    "open": "WHERE IsClosed = false ORDER BY CreatedDate DESC LIMIT 1",
    "last_won": "WHERE IsWon = true ORDER BY CloseDate DESC LIMIT 1",
    "last_lost": "WHERE IsClosed = true AND IsWon = false ORDER BY CloseDate DESC LIMIT 1",
}
"""Which opportunity of an account is meant; one each, so that an account with thousands costs no more."""


def people(lookups: Sequence[PersonLookup], found: Mapping[str, Iterable[Row]]) -> dict[str, PersonRecords]:
    """
    The records of each lookup, by its key; *found* is rows by the kind of question.

    A contact or lead is the one with the id, else the most recently modified one with one of the e-mail addresses,
    tried in their order; of two modified in the same moment the one with the greater id. A lead that was converted is
    found by its id only: what became of it is a contact. A company's account is the one with the id, else one with the
    host of its website, else one of exactly its name; of several the one with the smallest id, which is the oldest.
    """
    rows = {kind: [row for row in some if text_of(row, "Id")] for kind, some in found.items()}
    contacts, leads = _Index.of(rows.get("Contact", [])), _Index.of(rows.get("Lead", []))
    opportunities = _Index.of(rows.get("Opportunity", []))
    accounts = _Accounts.of(rows)
    return {
        one.key: PersonRecords(
            contact=_made(contact_of, contacts.person(one.contact_id, one.emails)),
            lead=_made(lead_of, leads.person(one.lead_id, one.emails)),
            opportunity=_made(opportunity_of, opportunities.by_id(one.opportunity_id)),
            accounts={account_id: account for account_id in one.account_ids if (account := accounts.by_id(account_id))},
            contacts=tuple(contact_of(row) for row in contacts.everybody(one.contact_id, one.emails)),
            past_account=accounts.of_company(one.past),
            current_account=accounts.of_company(one.current),
        )
        for one in lookups
    }


def users(rows: Iterable[Row], email_field: str | None) -> dict[str, SalesforceUser]:
    """Users with their managers, by the first 15 characters of their ids."""
    return {
        user_id[:15]: replace(person_of(user_id, row, email_field), manager=manager_of(row, email_field))
        for row in rows
        if (user_id := text_of(row, "Id"))
    }


def with_account_details(told: PersonRecords, details: AccountDetails) -> PersonRecords:
    """The same records, their accounts with opportunities and teams."""
    return replace(
        told,
        contact=details.of_contact(told.contact),
        contacts=tuple(filter(None, (details.of_contact(one) for one in told.contacts))),
        past_account=details.of_account(told.past_account),
        current_account=details.of_account(told.current_account),
    )


@dataclass(frozen=True)
class AccountDetails:
    """Opportunities and teams by the first 15 characters of the account's id."""

    opportunities: Mapping[str, Mapping[str, Opportunity]]
    teams: Mapping[str, Mapping[str, tuple[SalesforceUser, ...]]]

    @classmethod
    def of(cls, found: Mapping[str, Iterable[Row]]) -> AccountDetails:
        """From the rows of the second round."""
        deal_teams = _teams(found.get("OpportunityTeamMember", ()), "OpportunityId")
        opportunities: dict[str, dict[str, Opportunity]] = defaultdict(dict)
        for kind in OPPORTUNITIES:
            for row in found.get(kind, ()):
                child = next(_children(row), None)
                if child is not None:
                    made = opportunity_of(child)
                    key = (text_of(row, "Id") or "")[:15]
                    opportunities[key][kind] = replace(made, team=deal_teams.get(made.id[:15], {}))
        return cls(opportunities, _teams(found.get("AccountTeamMember", ()), "AccountId"))

    def of_account(self, account: Account | None) -> Account | None:
        """The account with its open and closed deals, as far as they were asked for."""
        if account is None:
            return None
        key = account.id[:15]
        deals = self.opportunities.get(key, {})
        return replace(
            account,
            open=deals.get("open"),
            last_won=deals.get("last_won"),
            last_lost=deals.get("last_lost"),
            team=self.teams.get(key, {}),
        )

    def of_contact(self, contact: Contact | None) -> Contact | None:
        return contact and replace(contact, account=self.of_account(contact.account))


@dataclass(frozen=True)
class _Index:
    """Rows by the 15 characters of the id that never vary in length, and by e-mail, the newest first."""

    ids: dict[str, Row]
    emails: dict[str, list[Row]]

    @classmethod
    def of(cls, rows: Iterable[Row]) -> _Index:
        ordered = sorted(rows, key=lambda row: (text_of(row, "LastModifiedDate") or "", text_of(row, "Id") or ""))
        ids = {(text_of(row, "Id") or "")[:15]: row for row in ordered}
        emails: dict[str, list[Row]] = defaultdict(list)
        for row in reversed(list(ids.values())):
            if (email := text_of(row, "Email")) and row.get("IsConverted") is not True:
                emails[email.lower()].append(row)
        return cls(ids, emails)

    def by_id(self, record_id: str | None) -> Row | None:
        return self.ids.get(record_id[:15]) if record_id else None

    def person(self, record_id: str | None, emails: Iterable[str]) -> Row | None:
        return next(self.everybody(record_id, emails), None)

    def everybody(self, record_id: str | None, emails: Iterable[str]) -> Iterator[Row]:
        """Every row with the id or one of the addresses, once, the one that counts first."""
        first = self.by_id(record_id)
        seen = {id(first)} if first is not None else set()
        if first is not None:
            yield first
        for row in (row for email in emails for row in self.emails.get(email.lower(), ())):
            if id(row) not in seen:
                seen.add(id(row))
                yield row


@dataclass(frozen=True)
class _Accounts:
    ids: dict[str, Account]
    domains: dict[str, Account]
    names: dict[str, Account]

    @classmethod
    def of(cls, rows: Mapping[str, Iterable[Row]]) -> _Accounts:
        made = [account_of(row) for row in rows.get("Account", ())]
        ids = {account.id[:15]: account for account in sorted(made, key=lambda one: one.id, reverse=True)}
        oldest_last = list(ids.values())
        domains = {account.domain.lower(): account for account in oldest_last if account.domain}
        return cls(ids, domains, {account.name.casefold(): account for account in oldest_last})

    def by_id(self, account_id: str | None) -> Account | None:
        return self.ids.get(account_id[:15]) if account_id else None

    def of_company(self, company: CompanyLookup) -> Account | None:
        if company.account_id:
            return self.by_id(company.account_id)
        by_domain = self.domains.get(company.domain.lower()) if company.domain else None
        return by_domain or (self.names.get(company.name.casefold()) if company.name else None)


def _teams(rows: Iterable[Row], by: str) -> dict[str, dict[str, tuple[SalesforceUser, ...]]]:
    """Members by the id they are of and their role in lower case, those added first before the others."""
    teams: dict[str, dict[str, tuple[SalesforceUser, ...]]] = defaultdict(dict)
    for row in sorted(rows, key=lambda one: text_of(one, "CreatedDate") or ""):
        of, user_id, role = text_of(row, by), text_of(row, "UserId"), text_of(row, "TeamMemberRole")
        user = part_of(row, "User")
        if of and user_id and role and user:
            members = teams[of[:15]]
            members[role.casefold()] = (*members.get(role.casefold(), ()), person_of(user_id, user, None))
    return teams


def _children(row: Row) -> Iterator[Row]:
    told = part_of(row, "Opportunities")
    records = told.get("records") if told else None
    yield from (child for child in records if isinstance(child, dict)) if isinstance(records, list) else ()


def _made(make: Callable[[Row], Made], row: Row | None) -> Made | None:
    return None if row is None else make(row)


def contact_of(row: Row) -> Contact:
    """Fields that Salesforce hides are None, as are those it leaves out."""
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
    """With its parent, if the row has one."""
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
    """The record's own values, by name in lower case."""
    return {
        name.lower(): value
        for name, value in row.items()
        if value is None or (isinstance(value, str | float | int) and name.lower() not in _EXPECTED)
    }


def _user(row: Row) -> SalesforceUser | None:
    """The owner of a record; None when its user is not shown to us."""
    owner_id, owner = text_of(row, "OwnerId"), part_of(row, "Owner")
    return None if owner_id is None or owner is None else person_of(owner_id, owner, None)


def person_of(user_id: str, row: Row, email_field: str | None) -> SalesforceUser:
    """*row*: of the user, or what stands in its place where a queue owns; *email_field*: another address of theirs."""
    return SalesforceUser(
        id=user_id,
        name=text_of(row, "Name") or user_id,
        email=text_of(row, "Email"),
        is_active=row.get("IsActive") is not False,
        kind="queue" if user_id.startswith(_QUEUE_PREFIX) else "user",
        alternate=text_of(row, email_field) if email_field else None,
    )


def manager_of(row: Row, email_field: str | None) -> SalesforceUser | None:
    """None: the row has no manager, or hides them. *email_field*: looked at besides Email."""
    manager = part_of(row, "Manager")
    manager_id = text_of(manager, "Id") if manager else None
    return person_of(manager_id, manager, email_field) if manager and manager_id else None


def _domain(website: str | None) -> str | None:
    if website is None:
        return None
    try:
        host = urlsplit(website if "//" in website else f"//{website}").hostname
    except ValueError:  # people type anything into that field
        return None
    return host.removeprefix("www.") if host else None


def text_of(row: Row, name: str) -> str | None:
    """None also for what is no text, or empty."""
    value = row.get(name)
    return value if isinstance(value, str) and value else None


def part_of(row: Row, name: str) -> Row | None:
    """A record that came with another."""
    value = row.get(name)
    return value if isinstance(value, dict) else None
