"""The SOQL queries that find the records of many people at once."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from domain.people import LINKEDIN, PersonKey
from services.salesforce.queries.person_index import PersonFinder, comparable, key_values, linkedin_forms
from services.salesforce.queries.rows import Row, people
from services.salesforce.queries.soql import format_soql, ids_of, url_encoded, url_lists
from services.salesforce.records import NOTHING_REQUIRED, PersonLookup, RequiredRecords

__all__ = [
    "RecordQuery",
    "Row",
    "follow_up_queries",
    "format_soql",
    "people",
    "person_queries",
    "url_encoded",
    "user_queries",
]

MOST_ROWS = 2_000
"""The limit where the number of rows does not depend on the job changes: one page, however large the org is."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")

# The objects that relationships lead to. An owner may be a queue, which has the type Name.
_ENTITIES = {"Owner": ("User", "Name", "Group"), "User": ("User",), "Manager": ("User",), "Parent": ("Account",)}
Hidden = frozenset[tuple[str, str]]
"""Fields that the connected user cannot read: pairs of object and field in lower case."""


# Without `Owner.Type`, which exists only where an owner may be a queue. The id shows that, too.
OWNER_FIELDS = ("OwnerId", "Owner.Name", "Owner.Email", "Owner.IsActive")


_ACCOUNT = ("Name", "Website", *OWNER_FIELDS)
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "Contact": (
        *("Id", "Name", "Email", "LastModifiedDate", *OWNER_FIELDS, "AccountId"),
        *(f"Account.{name}" for name in _ACCOUNT),
    ),
    "Lead": (
        "Id",
        "Name",
        "Email",
        "LastModifiedDate",
        "IsConverted",
        "ConvertedContactId",
        "Company",
        *OWNER_FIELDS,
    ),
    "Account": ("Id", *_ACCOUNT),
    "Opportunity": ("Id", "Name", *OWNER_FIELDS),
    "User": ("Id", "Name", "Email", "IsActive"),
}


@dataclass(frozen=True)
class RecordQuery:
    """
    A query for records.

    `kind` identifies its rows. `by` is the field that has to have one of `values`; `by_id` means that it is the id of
    the record. `condition` is a further condition. If `children` is not None, `fields` are those of a nested query for
    the opportunities of each account. `is_extra` means that only some rules need it, so that people can be looked up
    even if Salesforce refuses it or takes too long. `is_pattern` means that `by` has to contain one of `values`.
    `with_deleted` also returns records that were deleted, because they were merged into others.
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
    is_pattern: bool = False
    with_deleted: bool = False

    @property
    def soql(self) -> str:
        """The query in SOQL. Its values are quoted and its names checked."""
        selected = ", ".join(self.fields)
        if self.children is not None:
            selected = f"Id, (SELECT {selected} FROM Opportunities {self.children})"  # noqa: S608
        condition = f" AND {self.condition}" if self.condition else ""
        limit = f" LIMIT {MOST_ROWS}" if self.is_limited else ""
        if self.is_pattern:
            where = " OR ".join(format_soql("{:literal} LIKE '%{:like}%'", self.by, value) for value in self.values)
            where = f"({where})"
        else:
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
        by_key = self.sobject in {"Account", "Contact", "Lead"} and self.is_extra and self.children is None
        form = " in unusual forms" if self.is_pattern else ""
        return f"{self.sobject}.{self.by}{form}" if by_key else self.root

    @property
    def question(self) -> str:
        """What the query looks up, as the subject of a sentence."""
        by = self.by if self.by.endswith("__c") else self.by.lower()
        by += " in unusual forms" if self.is_pattern else ""
        return f"{self.sobject.lower()}s by {by}" if "." in self.name else f"{self.root} records"

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
        "Contact": (contact for lookup in lookups for contact in (lookup.contact_id, lookup.past_contact_id)),
        "Lead": (lookup.lead_id for lookup in lookups),
        "Account": (
            account
            for lookup in lookups
            for account in (*lookup.account_ids, lookup.past.account_id, lookup.current.account_id)
        ),
        "Opportunity": (lookup.opportunity_id for lookup in lookups),
    }
    queries = [
        _by(sobject, "Id", values, required, by_id=True)
        for sobject, of_sobject in ids.items()
        for values in url_lists(ids_of(sobject, of_sobject))
    ]
    queries += [query for key in required.person_keys for query in _key_queries(key, lookups, required)]
    return queries + (list(_company_queries(lookups, required)) if required.companies else [])


def _key_queries(key: PersonKey, lookups: Sequence[PersonLookup], required: RequiredRecords) -> Iterator[RecordQuery]:
    texts = {text for lookup in lookups for text in key_values(key.kind, lookup) if text.isprintable()}
    values = sorted({comparable(key.kind, text) for text in texts})
    if key.kind == LINKEDIN:
        values = [form for page in values for form in linkedin_forms(page)]
    for part in url_lists(values):
        yield replace(_by(key.sobject, key.field, part, required), is_extra=not key.is_standard)


def follow_up_queries(
    lookups: Sequence[PersonLookup], rows: Mapping[str, Iterable[Row]], required: RequiredRecords
) -> list[RecordQuery]:
    """
    Return queries for records that the first rows lead to: contacts of converted leads, and what was merged into what.

    Also for people who were not found and have a LinkedIn address: it may be entered in an unusual form.
    """
    finder = PersonFinder.of(rows, required.person_keys)
    missing = {"Contact": finder.missing_contacts(lookups), "Lead": finder.missing_leads()}
    queries = [
        _by(sobject, "Id", values, required, by_id=True)
        for sobject, ids in missing.items()
        for values in url_lists(ids_of(sobject, ids))
    ]
    unknown = [lookup for lookup in lookups if not finder.contacts(lookup) and not finder.leads(lookup)]
    pages = {comparable(LINKEDIN, lookup.linkedin_url) for lookup in unknown if lookup.linkedin_url}
    paths = sorted(f"/{page.partition('/')[2]}" for page in pages if page.partition("/")[2])
    for key in required.person_keys:
        if key.kind == LINKEDIN:
            parts = [replace(_by(key.sobject, key.field, part, required)) for part in url_lists(paths, around=40)]
            queries += [replace(part, is_extra=True, is_pattern=True) for part in parts]
    return queries


def _company_queries(lookups: Sequence[PersonLookup], required: RequiredRecords) -> Iterator[RecordQuery]:
    """
    Yield queries for accounts of companies without an id, by their domain, their website and their name.

    Only exact values are searched: a pattern such as `%x.com%` matches thousands of other sites, and makes Salesforce
    read every account.
    """
    companies = [company for lookup in lookups for company in (lookup.past, lookup.current) if not company.account_id]
    domains = sorted({company.domain for company in companies if company.domain and company.domain.isprintable()})
    names = sorted({company.name for company in companies if company.name and company.name.isprintable()})
    websites = [website for domain in domains for website in websites_of(domain)]
    searched = [("Website", websites), ("Name", names)]
    if required.domain_field and _NAME.fullmatch(required.domain_field):
        searched = [(required.domain_field, domains), *searched]
    for by, values in searched:
        for part in url_lists(values):
            yield replace(_by("Account", by, part, required), is_extra=True)


def websites_of(domain: str) -> list[str]:
    """Return the forms in which the website of a company is usually entered in Salesforce."""
    hosts = (domain, f"www.{domain}")
    return [f"{scheme}{host}{slash}" for scheme in ("", "http://", "https://") for host in hosts for slash in ("", "/")]


def user_queries(user_ids: Collection[str], required: RequiredRecords) -> list[RecordQuery]:
    """Return the third round of queries: users in lookup fields, and those whose manager or other address is needed."""
    selected = user_fields(required.email_field, required.slack_id_field, managers=required.managers)
    return [
        RecordQuery("User", "User", selected, "Id", tuple(values), by_id=True)
        for values in url_lists(ids_of("User", user_ids))
    ]


def user_fields(email_field: str | None, slack_id_field: str | None, *, managers: bool) -> tuple[str, ...]:
    """Return what is needed to match a user with a Slack member, and that user's manager if `managers`."""
    chosen = [name for name in (email_field, slack_id_field) if name and _NAME.fullmatch(name)]
    names = dict.fromkeys((*_FIELDS["User"], *chosen))
    return tuple(f"{path}{name}" for path in (("", "Manager.") if managers else ("",)) for name in names)


def _by(sobject: str, by: str, values: list[str], required: RequiredRecords, *, by_id: bool = False) -> RecordQuery:
    fields, with_deleted = _selected(sobject, required), by_id and sobject in {"Contact", "Lead"}
    if with_deleted:
        fields += ("IsDeleted", "MasterRecordId")
    return RecordQuery(sobject, sobject, fields, by, tuple(values), by_id=by_id, with_deleted=with_deleted)


def _selected(sobject: str, required: RequiredRecords) -> tuple[str, ...]:
    """Return the fields that are always read and those that rules name, which were checked before."""
    keys = [key.field for key in required.person_keys if key.sobject == sobject and not key.is_standard]
    if sobject == "Account" and required.domain_field and _NAME.fullmatch(required.domain_field):
        keys.append(required.domain_field)
    fields = [*_FIELDS[sobject], *keys, *named_fields(required, sobject)]
    accounts = {"Account": "", "Contact": "Account."}
    if sobject in accounts:
        path = accounts[sobject]
        fields += [f"{path}{name}" for name in named_fields(required, "Account")]
        if required.parents:
            fields += [f"{path}Parent.{name}" for name in ("Id", "Name", *OWNER_FIELDS)]
    return tuple(dict.fromkeys(fields))


def named_fields(required: RequiredRecords, sobject: str) -> list[str]:
    return sorted(name for name in required.fields.get(sobject, ()) if _NAME.fullmatch(name))
