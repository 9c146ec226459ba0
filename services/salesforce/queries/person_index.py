"""Finds the contacts and leads of a person among the rows of Salesforce, by id and by each key in order. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from domain.job_change.field_types import page_of
from domain.people import EMAIL, LINKEDIN, PersonKey
from services.salesforce.records import PersonLookup

Row = Mapping[str, object]
BY_ID = "Salesforce id"
MOST_MERGES = 5


@dataclass(frozen=True)
class Match:
    """A row and what it was found by, such as "email address"."""

    row: Row
    found_by: str


@dataclass(frozen=True)
class PersonIndex:
    """
    Rows by the first 15 characters of the id, and by each key.

    Rows with the same key are sorted, the last modified first. Deleted rows are found by their id only.
    """

    ids: Mapping[str, Row]
    values: Mapping[tuple[PersonKey, str], Sequence[Row]]
    keys: Sequence[PersonKey]

    @classmethod
    def of(cls, rows: Iterable[Row], keys: Sequence[PersonKey]) -> PersonIndex:
        ordered = sorted(rows, key=lambda row: (_text(row, "LastModifiedDate") or "", _text(row, "Id") or ""))
        ids = {(_text(row, "Id") or "")[:15]: row for row in ordered}
        values: dict[tuple[PersonKey, str], list[Row]] = defaultdict(list)
        for row in reversed(list(ids.values())):
            for key in keys if row.get("IsDeleted") is not True else ():
                if text := _text(row, key.field):
                    values[key, comparable(key.kind, text)].append(row)
        return cls(ids, values, keys)

    def by_id(self, record_id: str | None) -> Row | None:
        """The row with this id, or the one that it was merged into."""
        row = self.ids.get(record_id[:15]) if record_id else None
        for _ in range(MOST_MERGES):
            if row is None or row.get("IsDeleted") is not True:
                return row
            row = self.ids.get((_text(row, "MasterRecordId") or "")[:15])
        return None

    def matches(self, record_id: str | None, lookup: PersonLookup) -> Iterator[Match]:
        """Yield every row with the id or one of the keys once, the best match first."""
        first = self.by_id(record_id)
        yielded = {id(first)} if first is not None else set()
        if first is not None:
            is_same = record_id is not None and (_text(first, "Id") or "")[:15] == record_id[:15]
            yield Match(first, BY_ID if is_same else f"{BY_ID} of a record that was merged into it")
        for key in self.keys:
            for value in key_values(key.kind, lookup):
                for row in self.values.get((key, comparable(key.kind, value)), ()):
                    if id(row) not in yielded:
                        yielded.add(id(row))
                        yield Match(row, key.label)


@dataclass(frozen=True)
class PersonFinder:
    """The contacts and leads among the rows, and how they belong together."""

    contact_index: PersonIndex
    lead_index: PersonIndex

    @classmethod
    def of(cls, rows: Mapping[str, Iterable[Row]], keys: Sequence[PersonKey]) -> PersonFinder:
        by_object = {name: [key for key in keys if key.sobject == name] for name in ("Contact", "Lead")}
        return cls(*(PersonIndex.of(rows.get(name, ()), by_object[name]) for name in ("Contact", "Lead")))

    def contacts(self, lookup: PersonLookup) -> list[Match]:
        """Every contact of the person, the best match first: then those that a lead became, then the past one."""
        matches = list(self.contact_index.matches(lookup.contact_id, lookup))
        for lead in self.lead_index.matches(lookup.lead_id, lookup):
            row = self.contact_index.by_id(_text(lead.row, "ConvertedContactId"))
            matches += [Match(row, f"{lead.found_by} of a lead that was converted into it")] if row else []
        past = self.contact_index.by_id(lookup.past_contact_id)
        matches += [Match(past, "Salesforce id of the past contact")] if past else []
        first_matches: dict[int, Match] = {}
        for match in matches:
            first_matches.setdefault(id(match.row), match)
        return list(first_matches.values())

    def leads(self, lookup: PersonLookup) -> list[Match]:
        """Every lead of the person that is not converted, or has the id."""
        matches = self.lead_index.matches(lookup.lead_id, lookup)
        return [match for match in matches if match.row.get("IsConverted") is not True or match.found_by == BY_ID]

    def missing_contacts(self, lookups: Sequence[PersonLookup]) -> set[str]:
        """The ids of contacts that leads were converted into, or that others were merged into, and are not here yet."""
        leads = [lead for lookup in lookups for lead in self.lead_index.matches(lookup.lead_id, lookup)]
        converted = {_text(lead.row, "ConvertedContactId") for lead in leads}
        return _missing(self.contact_index, converted)

    def missing_leads(self) -> set[str]:
        """The ids of leads that others were merged into, and are not here yet."""
        return _missing(self.lead_index, set())


def _missing(index: PersonIndex, ids: set[str | None]) -> set[str]:
    merged = {_text(row, "MasterRecordId") for row in index.ids.values() if row.get("IsDeleted") is True}
    return {record_id for record_id in filter(None, ids | merged) if record_id[:15] not in index.ids}


def key_values(kind: str, lookup: PersonLookup) -> tuple[str, ...]:
    """What the job change has for keys of this kind."""
    if kind == EMAIL:
        return lookup.emails
    value = lookup.linkedin_url if kind == LINKEDIN else lookup.custom.get(kind)
    return (value,) if value else ()


def comparable(kind: str, text: str) -> str:
    """The form in which values are compared: without the host, locale, slash and query of a LinkedIn address."""
    plain = text.strip()
    return page_of(plain if "://" in plain else f"https://{plain}") if kind == LINKEDIN else plain.lower()


def linkedin_forms(page: str) -> list[str]:
    """The usual ways to enter a page such as `linkedin.com/in/ada`. Upper case does not matter to Salesforce."""
    hosts = (f"https://www.{page}", f"https://{page}", f"http://www.{page}", f"http://{page}", f"www.{page}", page)
    return [f"{form}{slash}" for form in hosts for slash in ("", "/")]


def _text(row: Row, name: str) -> str | None:
    value = next((value for field, value in row.items() if field.lower() == name.lower()), None)
    return value if isinstance(value, str) and value else None
