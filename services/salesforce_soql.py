"""Which questions find the records of many people at once, and what the rows of the answers say. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard, TypeVar
from urllib.parse import quote, urlsplit

from simple_salesforce.format import format_soql

from services.job_changes import long_salesforce_id
from services.records import Account, Contact, Lead, Opportunity, PersonLookup, PersonRecords, SalesforceUser

Row = Mapping[str, object]
Made = TypeVar("Made")

LONGEST_LIST = 10_000
"""
Bytes of one IN list in an URL. A URI with its headers may be 16,384 bytes long:
https://developer.salesforce.com/docs/platform/salesforce-app-limits-cheatsheet
"""

_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")
# The first three characters of an id say what it is of: https://help.salesforce.com/s/articleView?id=000385203
_PREFIXES = {"Contact": "003", "Lead": "00Q", "Account": "001", "Opportunity": "006"}
_QUEUE_PREFIX = "00G"


def _owner(path: str = "") -> str:
    return ", ".join(f"{path}{name}" for name in ("OwnerId", "Owner.Name", "Owner.Email", "Owner.IsActive"))


# All that is ever read, so that no name in a query comes from outside. `Owner.Type` is not among them: only where an
# owner may be a queue does it exist, and the id says the same.
_FIELDS = {
    "Contact": f"Id, Name, Email, LastModifiedDate, {_owner()}, AccountId, Account.Name, Account.Website, "
    + _owner("Account."),
    "Lead": f"Id, Name, Email, LastModifiedDate, IsConverted, Company, {_owner()}",
    "Account": f"Id, Name, Website, {_owner()}",
    "Opportunity": f"Id, Name, {_owner()}",
}


@dataclass(frozen=True)
class Question:
    """One query; `by_id` when it asks for records by their ids."""

    sobject: str
    soql: str
    by_id: bool

    @property
    def is_optional(self) -> bool:
        """Whether an org may do without: not all use leads or opportunities, or let us read them."""
        return self.sobject in {"Lead", "Opportunity"}


def questions(lookups: Sequence[PersonLookup]) -> list[Question]:
    """
    As few queries as the lookups need, none with an empty list.

    What is no id, or no text, is not asked for: one bad value would have the whole query refused.
    """
    ids: dict[str, list[str | None]] = {
        "Contact": [one.contact_id for one in lookups],
        "Lead": [one.lead_id for one in lookups],
        "Account": [account_id for one in lookups for account_id in one.account_ids],
        "Opportunity": [one.opportunity_id for one in lookups],
    }
    emails = sorted({email.lower() for one in lookups for email in one.emails if email.isprintable()})
    asked = [
        Question(sobject, _query(sobject, "Id", some), by_id=True)
        for sobject, of_sobject in ids.items()
        for some in _lists(sorted({long_salesforce_id(one) for one in of_sobject if _is_id(one, _PREFIXES[sobject])}))
    ]
    asked += [
        Question(sobject, _query(sobject, "Email", some), by_id=False)
        for sobject in ("Contact", "Lead")
        for some in _lists(emails)
    ]
    return asked


def people(lookups: Sequence[PersonLookup], found: Mapping[str, Iterable[Row]]) -> dict[str, PersonRecords]:
    """
    The records of each lookup, by its key; *found* is rows by sObject, whatever they were asked by.

    A contact or lead is the one with the id, else the most recently modified one with one of the e-mail addresses,
    tried in their order; of two modified in the same moment the one with the greater id. A lead that was converted is
    found by its id only: what became of it is a contact.
    """
    rows = {sobject: [row for row in some if _text(row, "Id")] for sobject, some in found.items()}
    contacts, leads = _Index.of(rows.get("Contact", [])), _Index.of(rows.get("Lead", []))
    accounts, opportunities = _Index.of(rows.get("Account", [])), _Index.of(rows.get("Opportunity", []))
    return {
        one.key: PersonRecords(
            contact=_made(_contact, contacts.person(one.contact_id, one.emails)),
            lead=_made(_lead, leads.person(one.lead_id, one.emails)),
            opportunity=_made(_opportunity, opportunities.by_id(one.opportunity_id)),
            accounts={
                account_id: account
                for account_id in one.account_ids
                if (account := _made(_account, accounts.by_id(account_id)))
            },
        )
        for one in lookups
    }


@dataclass(frozen=True)
class _Index:
    """Rows by the 15 characters of the id that never vary in length, and by e-mail, the newest last."""

    ids: dict[str, Row]
    emails: dict[str, Row]

    @classmethod
    def of(cls, rows: Iterable[Row]) -> _Index:
        ordered = sorted(rows, key=lambda row: (_text(row, "LastModifiedDate") or "", _text(row, "Id") or ""))
        return cls(
            ids={(_text(row, "Id") or "")[:15]: row for row in ordered},
            emails={
                email.lower(): row
                for row in ordered
                if (email := _text(row, "Email")) and row.get("IsConverted") is not True
            },
        )

    def by_id(self, record_id: str | None) -> Row | None:
        return self.ids.get(record_id[:15]) if record_id else None

    def person(self, record_id: str | None, emails: Iterable[str]) -> Row | None:
        by_email = (self.emails.get(email.lower()) for email in emails)
        return self.by_id(record_id) or next((row for row in by_email if row is not None), None)


def _is_id(value: str | None, prefix: str) -> TypeGuard[str]:
    return value is not None and value.startswith(prefix) and _ID.fullmatch(value) is not None


def _query(sobject: str, by: str, values: list[str]) -> str:
    soql: str = format_soql(
        "SELECT {fields:literal} FROM {sobject:literal} WHERE {by:literal} IN {values}",
        fields=_FIELDS[sobject],
        sobject=sobject,
        by=by,
        values=values,
    )
    return soql


def _lists(values: list[str]) -> Iterator[list[str]]:
    """The values in lists that fit, encoded, into an URL."""
    some: list[str] = []
    size = 0
    for value in values:
        length = len(quote(f"'{value}',"))
        if some and size + length > LONGEST_LIST:
            yield some
            some, size = [], 0
        some.append(value)
        size += length
    if some:
        yield some


def _made(make: Callable[[Row], Made], row: Row | None) -> Made | None:
    return None if row is None else make(row)


def _contact(row: Row) -> Contact:
    account = _part(row, "Account")
    return Contact(
        id=_text(row, "Id") or "",
        name=_text(row, "Name") or "",
        email=_text(row, "Email"),
        account=_account({"Id": row.get("AccountId"), **account}) if account else None,
        owner=_user(row),
    )


def _lead(row: Row) -> Lead:
    return Lead(
        id=_text(row, "Id") or "",
        name=_text(row, "Name") or "",
        email=_text(row, "Email"),
        company=_text(row, "Company"),
        owner=_user(row),
    )


def _opportunity(row: Row) -> Opportunity:
    return Opportunity(id=_text(row, "Id") or "", name=_text(row, "Name") or "", owner=_user(row))


def _account(row: Row) -> Account:
    return Account(
        id=_text(row, "Id") or "",
        name=_text(row, "Name") or "",
        domain=_domain(_text(row, "Website")),
        owner=_user(row),
    )


def _user(row: Row) -> SalesforceUser | None:
    """The owner of a record; None when its user is not shown to us."""
    owner_id, owner = _text(row, "OwnerId"), _part(row, "Owner")
    if owner_id is None or owner is None:
        return None
    return SalesforceUser(
        id=owner_id,
        name=_text(owner, "Name") or owner_id,
        email=_text(owner, "Email"),
        is_active=owner.get("IsActive") is not False,
        kind="queue" if owner_id.startswith(_QUEUE_PREFIX) else "user",
    )


def _domain(website: str | None) -> str | None:
    if website is None:
        return None
    try:
        host = urlsplit(website if "//" in website else f"//{website}").hostname
    except ValueError:  # people type anything into that field
        return None
    return host.removeprefix("www.") if host else None


def _text(row: Row, name: str) -> str | None:
    value = row.get(name)
    return value if isinstance(value, str) and value else None


def _part(row: Row, name: str) -> Row | None:
    value = row.get(name)
    return value if isinstance(value, dict) else None
