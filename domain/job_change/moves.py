"""Recognizes one move of a person in the reports of different senders. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from domain.job_change.field_types import page_of
from domain.job_change.model import JobChange
from domain.job_change.parts import ChangeType, Company

MOST_EMAILS = 5
"""Email addresses of a person that are compared."""

_VERBS = {
    ChangeType.NEW_COMPANY: "joined",
    ChangeType.NEW_HIRE: "joined",
    ChangeType.DEPARTURE: "left",
    ChangeType.PROMOTION: "promoted",
}
"""Other changes are not merged: two of them at one company within a month are probably different ones."""

_LEGAL_FORMS = re.compile(r"\b(?:inc|llc|ltd|limited|corp|corporation|co|gmbh|ag|sa|plc|bv)\b")
_NOT_WORDS = re.compile(r"[^\w]+")
_LONGEST_FACT = 100


class MoveKeys(NamedTuple):
    """
    What two reports of one move have in common: one of the `people` and one of the `companies`.

    `people` are hashes of the identifiers of the person. `companies` are hashes of what the person did there (joined,
    left, was promoted) with each name of the company. Neither is empty.
    """

    people: Sequence[str]
    companies: Sequence[str]


def move_keys(change: JobChange) -> MoveKeys | None:
    """The keys of a move. None for a test, and for a job change that is never merged with another."""
    verb = _VERBS.get(change.change_type)
    if verb is None or change.is_test:
        return None
    company = change.previous.company if change.change_type is ChangeType.DEPARTURE else change.current.company
    people = list(dict.fromkeys(map(_hash, _person_keys(change))))
    companies = [_company_hash(verb, name) for name in _company_keys(company)]
    return MoveKeys(people, companies) if people and companies else None


@lru_cache(4_096)  # many job changes name the same companies
def plain_name(name: str) -> str:
    """A name without its legal form, punctuation and case, as names are compared."""
    words = _NOT_WORDS.sub(" ", name.casefold())
    return " ".join(_LEGAL_FORMS.sub(" ", words).split()) or words.strip()


def extra_facts(first: JobChange, second: JobChange) -> list[str]:
    """What the second report of a move says beyond the first one, as `field: value`."""
    reported = set(_facts(first))
    return [f"{name}: {value[:_LONGEST_FACT]}" for name, value in _facts(second) if (name, value) not in reported]


def _person_keys(change: JobChange) -> Iterator[str]:
    ids, person = change.salesforce, change.person
    yield from dict.fromkeys(
        f"id {record_id[:15]}" for record_id in (ids.contact_id, ids.past_contact_id, ids.lead_id) if record_id
    )
    if person.linkedin_url:
        yield page_of(person.linkedin_url)
    yield from person.emails[:MOST_EMAILS]


def _company_keys(company: Company | None) -> Iterator[str]:
    if company and company.domain:
        yield f"domain {company.domain}"
    if company and company.name and (name := plain_name(company.name)):
        yield f"name {name}"
    if company and company.salesforce_id and not (company.domain or company.name):
        yield f"id {company.salesforce_id[:15]}"


def _hash(*parts: str) -> str:
    return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=8).hexdigest()


_company_hash = lru_cache(4_096)(_hash)


def _facts(change: JobChange) -> Iterator[tuple[str, str]]:
    person = change.person
    yield from (
        (name, str(value))
        for name, value in (
            ("name", person.name),
            ("LinkedIn", page_of(person.linkedin_url) if person.linkedin_url else None),
            ("new title", change.current.title),
            ("new company", change.current.company and change.current.company.label),
            ("previous title", change.previous.title),
            ("previous company", change.previous.company and change.previous.company.label),
            ("date", change.occurred_on),
            ("relationship", change.relationship),
            ("persona", change.persona),
            ("score", change.score),
            ("Salesforce contact", change.salesforce.contact_id),
            ("Salesforce lead", change.salesforce.lead_id),
        )
        if value is not None
    )
    yield from (("email", email) for email in person.emails)
