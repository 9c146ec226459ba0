"""Which questions find the records of many people at once."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeGuard
from urllib.parse import quote

from domain.job_change.field_types import long_salesforce_id
from services.salesforce.queries.rows import OPPORTUNITIES, Row, people
from services.salesforce.records import NOTHING_REQUIRED, PersonLookup, RequiredRecords

__all__ = ["RecordQuery", "Row", "account_queries", "format_soql", "people", "person_queries", "user_queries"]

LONGEST_LIST = 10_000
"""
Bytes of one IN list in an URL. A URI with its headers may be 16,384 bytes long:
https://developer.salesforce.com/docs/platform/salesforce-app-limits-cheatsheet
"""

MOST_ROWS = 2_000
"""Of questions that are not about single records: one page, whatever is in the org."""

_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")
# The first three characters of an id say what it is of: https://help.salesforce.com/s/articleView?id=000385203
_PREFIXES = {"Contact": "003", "Lead": "00Q", "Account": "001", "Opportunity": "006", "User": "005"}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")

# What relationships lead to. An owner may be a queue, and is then of the kind Name.
_ENTITIES = {"Owner": ("User", "Name", "Group"), "User": ("User",), "Manager": ("User",), "Parent": ("Account",)}
# Without these there is nothing to go by: that they are hidden is for an admin to mend.
_ESSENTIAL = {"id", "name", "email", "ownerid", "accountid", "isactive", "userid", "teammemberrole"}
_OPTIONAL = {"Lead", "Opportunity", "AccountTeamMember", "OpportunityTeamMember"}

Hidden = frozenset[tuple[str, str]]
"""Fields that we may not read: the kind of record and the field, in lower case."""


def _owner(path: str = "") -> tuple[str, ...]:
    # `Owner.Type` is not among them: only where an owner may be a queue does it exist, and the id says the same.
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
    One query. *kind* tells its rows apart; *by* is the field it asks by, *by_id* when that is the record's id.

    *children*: the opportunities asked for of each account, a nested query with *fields* of its own.
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
        """The query. Values in it are quoted, names have been checked."""
        selected = ", ".join(self.fields)
        if self.children is not None:
            selected = f"Id, (SELECT {selected} FROM Opportunities {self.children})"  # noqa: S608
        limit = f" LIMIT {MOST_ROWS}" if self.is_limited else ""
        # Names come from here, or have passed `_NAME`; values are in *where*, which format_soql has quoted.
        return f"SELECT {selected} FROM {self.sobject} WHERE {self.where}{limit}"  # noqa: S608

    @property
    def is_optional(self) -> bool:
        """Whether an org may do without: not all use leads, opportunities or teams, or let us read them."""
        return self.sobject in _OPTIONAL or self.children is not None

    @property
    def is_extra(self) -> bool:
        """Whether only some rules ask for it: whatever Salesforce has against it, people are found without."""
        return self.children is not None or self.is_limited

    @property
    def name(self) -> str:
        """What cannot be read where it is refused."""
        if self.children is not None:
            return "Opportunity"
        return f"{self.sobject}.{self.by}" if self.sobject == "Account" else self.sobject

    def uses(self, sobject: str, field: str) -> bool:
        """Whether it can do without the field, and would be another question then."""
        return field.lower() not in _ESSENTIAL and self.without(frozenset({(sobject.lower(), field.lower())})) != self

    def without(self, hidden: Hidden) -> RecordQuery | None:
        """The same without fields that we may not read; None: it asks by one of them."""
        root = "Opportunity" if self.children is not None else self.sobject
        if (self.sobject.lower(), self.by.lower()) in hidden:
            return None
        kept = tuple(path for path in self.fields if not _is_hidden(path, root, hidden))
        return self if len(kept) == len(self.fields) else replace(self, fields=kept)


def _is_hidden(path: str, root: str, hidden: Hidden) -> bool:
    *steps, field = path.split(".")
    entities = _ENTITIES.get(steps[-1], (steps[-1],)) if steps else (root,)
    return any((entity.lower(), field.lower()) in hidden for entity in entities)


def person_queries(lookups: Sequence[PersonLookup], needs: RequiredRecords = NOTHING_REQUIRED) -> list[RecordQuery]:
    """
    The first round: contacts and leads by their ids and e-mail addresses, accounts of both companies.

    What is no id of such a record, or cannot be part of an address, is not asked about: it finds nothing.
    """
    ids: Mapping[str, Iterable[str | None]] = {
        "Contact": (one.contact_id for one in lookups),
        "Lead": (one.lead_id for one in lookups),
        "Account": (
            account for one in lookups for account in (*one.account_ids, one.past.account_id, one.current.account_id)
        ),
        "Opportunity": (one.opportunity_id for one in lookups),
    }
    emails = sorted({email.lower() for one in lookups for email in one.emails if email.isprintable()})
    asked = [
        _by(sobject, "Id", some, needs, by_id=True)
        for sobject, of_sobject in ids.items()
        for some in _lists(_ids(sobject, of_sobject))
    ]
    asked += [_by(sobject, "Email", some, needs) for sobject in ("Contact", "Lead") for some in _lists(emails)]
    return asked + (list(_of_companies(lookups, needs)) if needs.companies else [])


def _of_companies(lookups: Sequence[PersonLookup], needs: RequiredRecords) -> Iterator[RecordQuery]:
    """Accounts of companies without an id: by domain and by name at once, for one answer decides between them."""
    companies = [company for one in lookups for company in (one.past, one.current) if not company.account_id]
    domains = sorted({company.domain for company in companies if company.domain and company.domain.isprintable()})
    names = sorted({company.name for company in companies if company.name and company.name.isprintable()})
    for some in _lists(domains, around=40):
        patterns = [format_soql("Website LIKE '%{:like}%'", domain) for domain in some]
        yield replace(_by("Account", "Website", [], needs), where=f"({' OR '.join(patterns)})", is_limited=True)
    for some in _lists(names):
        yield replace(_by("Account", "Name", some, needs), is_limited=True)


def account_queries(account_ids: Collection[str], needs: RequiredRecords) -> list[RecordQuery]:
    """The second round: opportunities and teams of the accounts that the first has found."""
    lists = list(_lists(_ids("Account", account_ids)))
    asked: list[RecordQuery] = []
    if needs.opportunities:
        fields = ("Id", "Name", "CloseDate", *_owner(), *_named(needs, "Opportunity"))
        asked += [
            RecordQuery(kind, "Account", fields, _in("Id", some), "Id", by_id=True, children=children)
            for kind, children in OPPORTUNITIES.items()
            for some in lists
        ]
    teams = (
        ("Account", "AccountId", needs.account_roles),
        ("Opportunity", "Opportunity.AccountId", needs.opportunity_roles),
    )
    asked += [_of_teams(of, by, some, roles) for of, by, roles in teams if roles for some in lists]
    return asked


def _of_teams(of: str, by: str, account_ids: list[str], roles: frozenset[str]) -> RecordQuery:
    sobject = f"{of}TeamMember"
    fields = (f"{of}Id", "UserId", "TeamMemberRole", "User.Name", "User.Email", "User.IsActive", "CreatedDate")
    where = f"{_in(by, account_ids)} AND {_in('TeamMemberRole', sorted(roles))}"
    return RecordQuery(sobject, sobject, fields, where, by, is_limited=True)


def user_queries(user_ids: Collection[str], needs: RequiredRecords) -> list[RecordQuery]:
    """The third round: the users whom lookup fields name, or of whom more than their name and address is wanted."""
    fields = list(_FIELDS["User"])
    if needs.managers:
        fields += [f"Manager.{name}" for name in ("Id", "Name", "Email", "IsActive")]
    if needs.email_field and _NAME.fullmatch(needs.email_field):
        fields += [f"{path}{needs.email_field}" for path in (("", "Manager.") if needs.managers else ("",))]
    selected = tuple(dict.fromkeys(fields))
    return [
        RecordQuery("User", "User", selected, _in("Id", some), "Id", by_id=True)
        for some in _lists(_ids("User", user_ids))
    ]


def _by(sobject: str, by: str, values: list[str], needs: RequiredRecords, *, by_id: bool = False) -> RecordQuery:
    return RecordQuery(sobject, sobject, _selected(sobject, needs), _in(by, values) if values else "", by, by_id)


def _selected(sobject: str, needs: RequiredRecords) -> tuple[str, ...]:
    """What is always read and what rules name, which an allow-list has passed before."""
    fields = [*_FIELDS[sobject], *_named(needs, sobject)]
    accounts = {"Account": "", "Contact": "Account."}
    if sobject in accounts:
        path = accounts[sobject]
        fields += [f"{path}{name}" for name in _named(needs, "Account")]
        if needs.parents:
            fields += [f"{path}Parent.{name}" for name in ("Id", "Name", *_owner())]
    return tuple(dict.fromkeys(fields))


def _named(needs: RequiredRecords, sobject: str) -> list[str]:
    return sorted(name for name in needs.fields.get(sobject, ()) if _NAME.fullmatch(name))


def _ids(sobject: str, values: Iterable[str | None]) -> list[str]:
    return sorted({long_salesforce_id(one) for one in values if _is_id(one, _PREFIXES[sobject])})


def _is_id(value: str | None, prefix: str) -> TypeGuard[str]:
    return value is not None and value.startswith(prefix) and _ID.fullmatch(value) is not None


def _in(by: str, values: list[str]) -> str:
    return format_soql("{by:literal} IN {values}", by=by, values=values)


def _lists(values: list[str], around: int = 0) -> Iterator[list[str]]:
    """The values in lists that fit, encoded, into an URL; *around*: bytes that go with each."""
    some: list[str] = []
    size = 0
    for value in values:
        length = len(quote(f"'{value}',")) + around
        if some and size + length > LONGEST_LIST:
            yield some
            some, size = [], 0
        some.append(value)
        size += length
    if some:
        yield some


def format_soql(query: str, *values: Any, **named: Any) -> str:
    """
    The query with each `{}` as a quoted value, `{:literal}` as it is and `{:like}` inside a pattern.

    Raises ValueError for what cannot be quoted.
    """
    # It brings the whole of simple-salesforce, and memory that nobody needs who has connected no Salesforce.
    from simple_salesforce.format import format_soql as quoted  # noqa: PLC0415

    return str(quoted(query, *values, **named))
