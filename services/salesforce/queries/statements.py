"""The SOQL queries that find the records of many people at once."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote_plus

from domain.job_change.field_types import long_salesforce_id
from services.salesforce.queries.rows import OPPORTUNITIES, Row, people
from services.salesforce.records import NOTHING_REQUIRED, PersonLookup, RequiredRecords

__all__ = ["RecordQuery", "Row", "account_queries", "format_soql", "people", "person_queries", "user_queries"]

LONGEST_LIST = 12_000
"""
In bytes, of one IN list in a URL. A URI with its headers may be 16,384 bytes long:
https://developer.salesforce.com/docs/platform/salesforce-app-limits-cheatsheet
"""

_UNQUOTED = "':/,()=!*@"
"""The characters of queries that the query part of a URL may contain as they are: RFC 3986, section 3.4."""

MOST_ROWS = 2_000
"""For queries whose number of rows does not depend on the job changes: one page, however many records the org has."""

_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")
# The first three characters of an id say which object it belongs to: https://help.salesforce.com/s/articleView?id=000385203
_PREFIXES = {"Contact": "003", "Lead": "00Q", "Account": "001", "Opportunity": "006", "User": "005"}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")

# The objects that relationships lead to. An owner may be a queue, which has the type Name.
_ENTITIES = {"Owner": ("User", "Name", "Group"), "User": ("User",), "Manager": ("User",), "Parent": ("Account",)}
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

    `kind` identifies its rows. `by` is the field that has to have one of `values`; `by_id` means that it is the id of
    the record. `condition` is a further condition. If `children` is not None, `fields` are those of a nested query for
    the opportunities of each account. `is_extra` means that only some rules need it, so that people can be looked up
    even if Salesforce refuses it or takes too long.
    """

    kind: str
    sobject: str
    fields: tuple[str, ...]
    by: str
    values: tuple[str, ...]
    condition: str = ""
    by_id: bool = False
    children: str | None = None
    is_limited: bool = False
    is_extra: bool = False

    @property
    def soql(self) -> str:
        """The query in SOQL. Its values are quoted and its names checked."""
        selected = ", ".join(self.fields)
        if self.children is not None:
            selected = f"Id, (SELECT {selected} FROM Opportunities {self.children})"  # noqa: S608
        condition = f" AND {self.condition}" if self.condition else ""
        limit = f" LIMIT {MOST_ROWS}" if self.is_limited else ""
        where = format_soql("{by:literal} IN {values}", by=self.by, values=list(self.values))
        # Names are from this module or match `_NAME`; values are quoted by format_soql.
        return f"SELECT {selected} FROM {self.sobject} WHERE {where}{condition}{limit}"  # noqa: S608

    @property
    def root(self) -> str:
        """The object that the paths in `fields` start from."""
        return "Opportunity" if self.children is not None else self.sobject

    @property
    def is_optional(self) -> bool:
        """Whether the org may lack the object, as not all use leads, opportunities or teams."""
        return self.sobject != "Contact"

    @property
    def name(self) -> str:
        """What to list as unreadable if Salesforce refuses the query."""
        by_company = self.sobject == "Account" and self.is_extra and self.children is None
        return f"{self.sobject}.{self.by}" if by_company else self.root

    @property
    def question(self) -> str:
        """What the query looks up, as the subject of a sentence."""
        return f"accounts by {self.by.lower()}" if "." in self.name else f"{self.root} records"

    def without(self, hidden: Hidden) -> RecordQuery | None:
        """Return the query without hidden fields, or None if its condition uses one of them."""
        if _is_hidden(self.by, self.sobject, hidden):
            return None
        kept = tuple(path for path in self.fields if not _is_hidden(path, self.root, hidden))
        return self if len(kept) == len(self.fields) else replace(self, fields=kept)

    def without_value(self, value: str | None) -> list[RecordQuery]:
        """Return queries without a value that Salesforce refuses: two halves if it is not known which one it is."""
        others = tuple(other for other in self.values if other != value)
        if len(others) < len(self.values):
            return [replace(self, values=others)] if others else []
        half = len(others) // 2
        return [replace(self, values=part) for part in (others[:half], others[half:]) if half]


def lookup_field(relationship: str) -> str:
    """Return the field of a relationship: `ParentId` for `Parent`, `SDR__c` for `SDR__r`."""
    is_custom = relationship.lower().endswith("__r")
    return f"{relationship[:-1]}c" if is_custom else f"{relationship}Id"


def related_objects(relationship: str) -> tuple[str, ...]:
    """Return the objects that a relationship can lead to."""
    return _ENTITIES.get(relationship, (relationship,))


def _is_hidden(path: str, root: str, hidden: Hidden) -> bool:
    *steps, field = path.split(".")
    objects: tuple[str, ...] = (root,)
    for step in steps:
        if any((sobject.lower(), lookup_field(step).lower()) in hidden for sobject in objects):
            return True
        objects = related_objects(step)
    return any((sobject.lower(), field.lower()) in hidden for sobject in objects)


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
    """
    Yield queries for accounts of companies without an id, by their website and their name.

    Only exact values are searched: a pattern such as `%x.com%` matches thousands of other sites, and makes Salesforce
    read every account.
    """
    companies = [company for lookup in lookups for company in (lookup.past, lookup.current) if not company.account_id]
    domains = sorted({company.domain for company in companies if company.domain and company.domain.isprintable()})
    names = sorted({company.name for company in companies if company.name and company.name.isprintable()})
    websites = [website for domain in domains for website in websites_of(domain)]
    for by, values in (("Website", websites), ("Name", names)):
        for part in _lists(values):
            yield replace(_by("Account", by, part, required), is_extra=True)


def websites_of(domain: str) -> list[str]:
    """Return the forms in which the website of a company is usually entered in Salesforce."""
    hosts = (domain, f"www.{domain}")
    return [f"{scheme}{host}{slash}" for scheme in ("", "http://", "https://") for host in hosts for slash in ("", "/")]


def account_queries(account_ids: Collection[str], required: RequiredRecords) -> list[RecordQuery]:
    """Return the second round of queries: opportunities and teams of the accounts from the first round."""
    lists = list(_lists(_ids("Account", account_ids)))
    queries: list[RecordQuery] = []
    if required.opportunities:
        fields = ("Id", "Name", "CloseDate", *_owner(), *_named(required, "Opportunity"))
        queries += [
            RecordQuery(kind, "Account", fields, "Id", tuple(values), by_id=True, children=children, is_extra=True)
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
    condition = format_soql("TeamMemberRole IN {}", sorted(roles))
    return RecordQuery(
        sobject, sobject, fields, by, tuple(account_ids), condition=condition, is_limited=True, is_extra=True
    )


def user_queries(user_ids: Collection[str], required: RequiredRecords) -> list[RecordQuery]:
    """Return the third round of queries: users in lookup fields, and those whose manager or other address is needed."""
    fields = list(_FIELDS["User"])
    if required.managers:
        fields += [f"Manager.{name}" for name in ("Id", "Name", "Email", "IsActive")]
    if required.email_field and _NAME.fullmatch(required.email_field):
        fields += [f"{path}{required.email_field}" for path in (("", "Manager.") if required.managers else ("",))]
    selected = tuple(dict.fromkeys(fields))
    return [
        RecordQuery("User", "User", selected, "Id", tuple(values), by_id=True)
        for values in _lists(_ids("User", user_ids))
    ]


def _by(sobject: str, by: str, values: list[str], required: RequiredRecords, *, by_id: bool = False) -> RecordQuery:
    return RecordQuery(sobject, sobject, _selected(sobject, required), by, tuple(values), by_id=by_id)


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
    """Return the ids of this object with 18 characters. A malformed one would make Salesforce refuse all of them."""
    texts = {value for value in values if value and value.startswith(_PREFIXES[sobject]) and _ID.fullmatch(value)}
    ids = {long_salesforce_id(text) for text in texts}
    return sorted(text for text in ids if long_salesforce_id(text[:15]) == text)


def _lists(values: list[str]) -> Iterator[list[str]]:
    """Split the values into lists that fit into a URL when encoded."""
    batch: list[str] = []
    size = 0
    for value in values:
        length = len(url_encoded(f"'{value}',"))
        if batch and size + length > LONGEST_LIST:
            yield batch
            batch, size = [], 0
        batch.append(value)
        size += length
    if batch:
        yield batch


def url_encoded(soql: str) -> str:
    """Return the query as it is sent in a URL."""
    return quote_plus(soql, safe=_UNQUOTED)


def format_soql(query: str, *values: Any, **named: Any) -> str:
    """
    Return the query with each `{}` as a quoted value, `{:literal}` unchanged and `{:like}` as part of a pattern.

    Raises ValueError for a value that cannot be quoted.
    """
    # Imported only when needed: simple-salesforce takes memory that servers without Salesforce save.
    from simple_salesforce.format import format_soql as quoted  # noqa: PLC0415

    return str(quoted(query, *values, **named))
