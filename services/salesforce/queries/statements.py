"""The SOQL queries that find the records of many people at once."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from domain.job_change.field_types import long_salesforce_id
from services.salesforce.queries.rows import OPPORTUNITIES, Row, people
from services.salesforce.records import NOTHING_REQUIRED, PersonLookup, RequiredRecords

__all__ = ["RecordQuery", "Row", "account_queries", "format_soql", "people", "person_queries", "user_queries"]

LONGEST_LIST = 10_000
"""
In bytes, of one IN list in a URL. A URI with its headers may be 16,384 bytes long:
https://developer.salesforce.com/docs/platform/salesforce-app-limits-cheatsheet
"""

MOST_ROWS = 2_000
"""For queries that are not by id: one page, however many records the org has."""

_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")
# The first three characters of an id say which object it belongs to: https://help.salesforce.com/s/articleView?id=000385203
_PREFIXES = {"Contact": "003", "Lead": "00Q", "Account": "001", "Opportunity": "006", "User": "005"}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")

# The objects that relationships lead to. An owner may be a queue, which has the type Name.
_ENTITIES = {"Owner": ("User", "Name", "Group"), "User": ("User",), "Manager": ("User",), "Parent": ("Account",)}
# Queries cannot do without these fields. If they are hidden, an admin has to grant access.
_ESSENTIAL = {"id", "name", "email", "ownerid", "accountid", "isactive", "userid", "teammemberrole"}
_OPTIONAL = {"Lead", "Opportunity", "AccountTeamMember", "OpportunityTeamMember"}

Hidden = frozenset[tuple[str, str]]
"""Fields that the connected user cannot read: pairs of object and field in lower case."""


def _owner(path: str = "") -> tuple[str, ...]:
    # Not `Owner.Type`: it exists only where an owner may be a queue, and the id tells the same.
    return tuple(f"{path}{name}" for name in ("OwnerId", "Owner.Name", "Owner.Email", "Owner.IsActive"))


_ACCOUNT = ("Name", "Website", *_owner())
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "Contact": (
        *("Id", "Name", "Email", "LastModifiedDate", *_owner(), "AccountId"),
        *(f"Account.{name}" for name in _ACCOUNT),
    ),
    "Lead": ("Id", "Name", "Email", "LastModifiedDate", "IsConverted", "Company", *_owner()),
    "Account": ("Id", *_ACCOUNT),
    "Opportunity": ("Id", "Name", *_owner()),
    "User": ("Id", "Name", "Email", "IsActive"),
}


@dataclass(frozen=True)
class RecordQuery:
    """
    A query for records.

    `kind` identifies its rows. `by` is the field that its condition uses; `by_id` means that it is the record's id. If
    `children` is not None, `fields` are those of a nested query for the opportunities of each account.
    """

    kind: str
    sobject: str
    fields: tuple[str, ...]
    where: str
    by: str
    by_id: bool = False
    children: str | None = None
    is_limited: bool = False

    @property
    def soql(self) -> str:
        """The query in SOQL. Its values are quoted and its names checked."""
        selected = ", ".join(self.fields)
        if self.children is not None:
            selected = f"Id, (SELECT {selected} FROM Opportunities {self.children})"  # noqa: S608
        limit = f" LIMIT {MOST_ROWS}" if self.is_limited else ""
        # Names are from this module or match `_NAME`; values are in `where`, quoted by format_soql.
        return f"SELECT {selected} FROM {self.sobject} WHERE {self.where}{limit}"  # noqa: S608

    @property
    def is_optional(self) -> bool:
        """Whether the org may lack the object, as not all use leads, opportunities or teams."""
        return self.sobject in _OPTIONAL or self.children is not None

    @property
    def is_extra(self) -> bool:
        """Whether only some rules need it, so that people can be looked up even if Salesforce refuses it."""
        return self.children is not None or self.is_limited

    @property
    def name(self) -> str:
        """What to list as unreadable if Salesforce refuses the query."""
        if self.children is not None:
            return "Opportunity"
        return f"{self.sobject}.{self.by}" if self.sobject == "Account" else self.sobject

    def can_drop(self, sobject: str, field: str) -> bool:
        """Whether the query uses the field and can be run without it."""
        return field.lower() not in _ESSENTIAL and self.without(frozenset({(sobject.lower(), field.lower())})) != self

    def without(self, hidden: Hidden) -> RecordQuery | None:
        """Return the query without hidden fields, or None if its condition uses one of them."""
        root = "Opportunity" if self.children is not None else self.sobject
        if (self.sobject.lower(), self.by.lower()) in hidden:
            return None
        kept = tuple(path for path in self.fields if not _is_hidden(path, root, hidden))
        return self if len(kept) == len(self.fields) else replace(self, fields=kept)


def _is_hidden(path: str, root: str, hidden: Hidden) -> bool:
    *steps, field = path.split(".")
    entities = _ENTITIES.get(steps[-1], (steps[-1],)) if steps else (root,)
    return any((entity.lower(), field.lower()) in hidden for entity in entities)


def person_queries(lookups: Sequence[PersonLookup], required: RequiredRecords = NOTHING_REQUIRED) -> list[RecordQuery]:
    """
    Return the first round of queries: contacts and leads by ids and email addresses, accounts of both companies.

    Texts that cannot be the id of such a record or an address are left out, since they would find nothing.
    """
    ids: Mapping[str, Iterable[str | None]] = {
        "Contact": (lookup.contact_id for lookup in lookups),
        "Lead": (lookup.lead_id for lookup in lookups),
        "Account": (
            account
            for lookup in lookups
            for account in (*lookup.account_ids, lookup.past.account_id, lookup.current.account_id)
        ),
        "Opportunity": (lookup.opportunity_id for lookup in lookups),
    }
    emails = sorted({email.lower() for lookup in lookups for email in lookup.emails if email.isprintable()})
    queries = [
        _by(sobject, "Id", values, required, by_id=True)
        for sobject, of_sobject in ids.items()
        for values in _lists(_ids(sobject, of_sobject))
    ]
    queries += [_by(sobject, "Email", values, required) for sobject in ("Contact", "Lead") for values in _lists(emails)]
    return queries + (list(_company_queries(lookups, required)) if required.companies else [])


def _company_queries(lookups: Sequence[PersonLookup], required: RequiredRecords) -> Iterator[RecordQuery]:
    """Yield queries for accounts of companies without an id, by domain and by name in the same round."""
    companies = [company for lookup in lookups for company in (lookup.past, lookup.current) if not company.account_id]
    domains = sorted({company.domain for company in companies if company.domain and company.domain.isprintable()})
    names = sorted({company.name for company in companies if company.name and company.name.isprintable()})
    for values in _lists(domains, around=40):
        patterns = [format_soql("Website LIKE '%{:like}%'", domain) for domain in values]
        yield replace(_by("Account", "Website", [], required), where=f"({' OR '.join(patterns)})", is_limited=True)
    for values in _lists(names):
        yield replace(_by("Account", "Name", values, required), is_limited=True)


def account_queries(account_ids: Collection[str], required: RequiredRecords) -> list[RecordQuery]:
    """Return the second round of queries: opportunities and teams of the accounts from the first round."""
    lists = list(_lists(_ids("Account", account_ids)))
    queries: list[RecordQuery] = []
    if required.opportunities:
        fields = ("Id", "Name", "CloseDate", *_owner(), *_named(required, "Opportunity"))
        queries += [
            RecordQuery(kind, "Account", fields, _in("Id", values), "Id", by_id=True, children=children)
            for kind, children in OPPORTUNITIES.items()
            for values in lists
        ]
    teams = (
        ("Account", "AccountId", required.account_roles),
        ("Opportunity", "Opportunity.AccountId", required.opportunity_roles),
    )
    queries += [_team_query(of, by, values, roles) for of, by, roles in teams if roles for values in lists]
    return queries


def _team_query(of: str, by: str, account_ids: list[str], roles: frozenset[str]) -> RecordQuery:
    sobject = f"{of}TeamMember"
    fields = (f"{of}Id", "UserId", "TeamMemberRole", "User.Name", "User.Email", "User.IsActive", "CreatedDate")
    where = f"{_in(by, account_ids)} AND {_in('TeamMemberRole', sorted(roles))}"
    return RecordQuery(sobject, sobject, fields, where, by, is_limited=True)


def user_queries(user_ids: Collection[str], required: RequiredRecords) -> list[RecordQuery]:
    """Return the third round of queries: users in lookup fields, and those whose manager or other address is needed."""
    fields = list(_FIELDS["User"])
    if required.managers:
        fields += [f"Manager.{name}" for name in ("Id", "Name", "Email", "IsActive")]
    if required.email_field and _NAME.fullmatch(required.email_field):
        fields += [f"{path}{required.email_field}" for path in (("", "Manager.") if required.managers else ("",))]
    selected = tuple(dict.fromkeys(fields))
    return [
        RecordQuery("User", "User", selected, _in("Id", values), "Id", by_id=True)
        for values in _lists(_ids("User", user_ids))
    ]


def _by(sobject: str, by: str, values: list[str], required: RequiredRecords, *, by_id: bool = False) -> RecordQuery:
    return RecordQuery(sobject, sobject, _selected(sobject, required), _in(by, values) if values else "", by, by_id)


def _selected(sobject: str, required: RequiredRecords) -> tuple[str, ...]:
    """Return the fields that are always read and those that rules name, which were checked before."""
    fields = [*_FIELDS[sobject], *_named(required, sobject)]
    accounts = {"Account": "", "Contact": "Account."}
    if sobject in accounts:
        path = accounts[sobject]
        fields += [f"{path}{name}" for name in _named(required, "Account")]
        if required.parents:
            fields += [f"{path}Parent.{name}" for name in ("Id", "Name", *_owner())]
    return tuple(dict.fromkeys(fields))


def _named(required: RequiredRecords, sobject: str) -> list[str]:
    return sorted(name for name in required.fields.get(sobject, ()) if _NAME.fullmatch(name))


def _ids(sobject: str, values: Iterable[str | None]) -> list[str]:
    return sorted(
        {
            long_salesforce_id(value)
            for value in values
            if (value is not None and value.startswith(_PREFIXES[sobject]) and _ID.fullmatch(value) is not None)
        }
    )


def _in(by: str, values: list[str]) -> str:
    return format_soql("{by:literal} IN {values}", by=by, values=values)


def _lists(values: list[str], around: int = 0) -> Iterator[list[str]]:
    """Split the values into lists that fit into a URL when encoded. `around` is the bytes added to each value."""
    batch: list[str] = []
    size = 0
    for value in values:
        length = len(quote(f"'{value}',")) + around
        if batch and size + length > LONGEST_LIST:
            yield batch
            batch, size = [], 0
        batch.append(value)
        size += length
    if batch:
        yield batch


def format_soql(query: str, *values: Any, **named: Any) -> str:
    """
    Return the query with each `{}` as a quoted value, `{:literal}` unchanged and `{:like}` as part of a pattern.

    Raises ValueError for a value that cannot be quoted.
    """
    # Imported only when needed: simple-salesforce takes memory that servers without Salesforce save.
    from simple_salesforce.format import format_soql as quoted  # noqa: PLC0415

    return str(quoted(query, *values, **named))
