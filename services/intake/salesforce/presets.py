"""Proposes sources of job changes from an org's describe, which an admin can preview and edit. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from domain.salesforce import FIRST_MATCH
from services.salesforce.queries.objects import FieldInfo, ObjectInfo

USERGEMS = "UserGems__"
"""The namespace of UserGems' managed package, whose object has one record for each job change."""

_PAST = {"past", "previous", "prior", "former", "old", "left"}
_CURRENT = {"new", "current", "now", "joined"}
_LEFT = ({"no", "longer"}, {"not", "at", "company"}, {"job", "change", "detected"})
"""Words of fields that mark who left: those of UserGems and LinkedIn Sales Navigator, and Champify's date."""

_STAYS = {"ignore", "ignored", "no", "false", "current"}
_SYSTEM_WORDS = {"owner", "createdby", "lastmodifiedby", "created", "modified", "master"}


@dataclass(frozen=True)
class Proposal:
    """A proposed source. `definition` is the JSON that an admin may edit."""

    name: str
    sobject: str
    label: str
    definition: dict[str, Any]


def proposals(described: ObjectInfo) -> list[Proposal]:
    """Return proposals for an object: two kinds of job change for people, one per record for other objects."""
    if described.name in {"Contact", "Lead"}:
        return [*_joined(described), *_left(described)]
    guessed = dict(_guesses(described, people_of=described.fields.values()))
    if "person.full_name" not in guessed.values() and described.field("Name"):
        guessed["Name"] = "person.full_name"
    guessed["CreatedDate"] = "detected_at"
    signal = {"signal": "contact_tracking"}
    definition = {"map": guessed, "set": signal, "where": [], "event": ["Id"], "dated_by": "CreatedDate"}
    return [Proposal(described.name, described.name, described.label, definition)]


def _joined(described: ObjectInfo) -> Iterator[Proposal]:
    """Propose people with a past account: UserGems and others create a new contact or lead, or complete one."""
    past = [
        field
        for field in described.fields.values()
        if _side(field) == "previous" and {"Account", "Contact"} & set(field.refers_to)
    ]
    if not past:
        return
    paths = _person(described, "current") | {
        path: name
        for path, name in _guesses(described, people_of=())
        if name.startswith("previous.") or name in {"relationship", "persona", "dri_email"}
    }
    paths |= {field.name: "salesforce.past_contact_id" for field in past if field.refers_to == ("Contact",)}
    account = next((field for field in past if "Account" in field.refers_to), past[0])
    definition = {
        "map": paths,
        "set": {"signal": "contact_tracking", "change_type": "new_company"},
        "where": [[account.name, "is set", ""]],
        "event": ["Id", account.name],
        "dated_by": FIRST_MATCH,
    }
    label = f"{described.label}s from a past account"
    yield Proposal(f"{described.name}:joined", described.name, label, definition)


def _left(described: ObjectInfo) -> Iterator[Proposal]:
    """Propose people marked as no longer at the company. With a date, each new date is another job change."""
    marks = [field for field in described.fields.values() if any(_words(field) >= words for words in _LEFT)]
    if not marks:
        return
    mark = next((field for field in marks if field.type in {"date", "datetime"}), marks[0])
    has_date = mark.type in {"date", "datetime"}
    paths = _person(described, "previous") | ({mark.name: "occurred_on"} if has_date else {})
    definition = {
        "map": paths,
        "set": {"signal": "contact_tracking", "change_type": "departure"},
        "where": _is_marked(mark),
        "event": ["Id", mark.name] if has_date else ["Id"],
        "dated_by": mark.name if has_date else None,
    }
    yield Proposal(
        f"{described.name}:left", described.name, f"{described.label}s no longer at their company", definition
    )


def _is_marked(mark: FieldInfo) -> list[list[object]]:
    """Return the conditions that a mark is set. LinkedIn's picklist also has a value that says to ignore it."""
    if mark.type == "boolean":
        return [[mark.name, "=", True]]
    ignored = [value for value in mark.values if set(_split_words(value)) & _STAYS]
    meant = [value for value in mark.values if value not in ignored]
    if len(meant) == 1:
        return [[mark.name, "=", meant[0]]]
    conditions: list[list[object]] = [[mark.name, "is set", ""]]
    return conditions + [[mark.name, "!=", value] for value in ignored]


def _person(described: ObjectInfo, side: str) -> dict[str, str]:
    """Return the paths of a contact or lead itself, with its company on this side."""
    record = {"Contact": "salesforce.contact_id", "Lead": "salesforce.lead_id"}[described.name]
    paths = {"Id": record, "Name": "person.full_name", "Email": "person.emails", "Title": f"{side}.title"}
    if described.name == "Contact":
        paths |= {"AccountId": f"{side}.company.salesforce_id", "Account.Name": f"{side}.company.name"}
        paths["Account.Website"] = f"{side}.company.domain"
    else:
        paths |= {"Company": f"{side}.company.name", "Website": f"{side}.company.domain"}
    paths |= {
        field.name: "person.linkedin_url" for field in described.fields.values() if "linkedin" in _joined_words(field)
    }
    return {path: name for path, name in paths.items() if described.field(path) or "." in path}


def _guesses(described: ObjectInfo, *, people_of: Iterable[FieldInfo]) -> Iterator[tuple[str, str]]:
    """Yield paths with our field names, guessed from names and labels. `people_of` may refer to the person."""
    people = set(people_of)
    # Fields of the past side come first, since the existing contact is the one from before.
    for field in sorted(described.fields.values(), key=_place):
        if _words(field) & _SYSTEM_WORDS or field.name in {"Id", "Name", "SystemModstamp"}:
            continue
        if field.type == "reference":
            yield from _reference(field, is_person=field in people)
        elif name := _text(field):
            yield field.name, name


def _place(field: FieldInfo) -> bool:
    """False sorts first: fields of the past side, except for DRIs, of whom the current one comes first."""
    return (_side(field) == "previous") is ("dri" in _words(field))


def _reference(field: FieldInfo, *, is_person: bool) -> Iterator[tuple[str, str]]:
    relationship, side = field.relationship, _side(field) or "current"
    if "Account" in field.refers_to and relationship:
        yield field.name, f"{side}.company.salesforce_id"
        yield f"{relationship}.Name", f"{side}.company.name"
        yield f"{relationship}.Website", f"{side}.company.domain"
    elif "User" in field.refers_to and "dri" in _words(field) and relationship:
        yield f"{relationship}.Email", "dri_email"
    elif "Opportunity" in field.refers_to:
        yield field.name, "salesforce.opportunity_id"
    elif field.refers_to in {("Contact",), ("Lead",)} and is_person and relationship:
        kind = field.refers_to[0]
        yield field.name, f"salesforce.{kind.lower()}_id"
        yield f"{relationship}.Name", "person.full_name"
        yield f"{relationship}.Email", "person.emails"
        yield f"{relationship}.Title", f"{side}.title"
        if kind == "Lead":
            yield f"{relationship}.Company", f"{side}.company.name"


_KEYWORDS: Mapping[str, tuple[str, ...]] = {
    "person.linkedin_url": ("linkedin",),
    "person.emails": ("email",),
    "person.first_name": ("firstname",),
    "person.last_name": ("lastname",),
    "person.full_name": ("fullname", "personname", "contactname"),
    "change_type": ("changetype", "typeofchange", "eventtype", "jobchangetype"),
    "occurred_on": ("startdate", "changedate", "occurred", "startedon", "moveddate", "jobchangedate", "leftdate"),
    "relationship": ("relationship",),
    "persona": ("persona",),
    "score": ("score",),
    "SIDE.title": ("title", "position"),
    "SIDE.company.domain": ("domain", "website"),
    "SIDE.company.name": ("company", "account", "employer"),
}


def _text(field: FieldInfo) -> str | None:
    """Return our field name for a field that is no reference, by its name and label, or None if unknown."""
    words = _joined_words(field)
    if field.type in {"boolean", "datetime"} or (field.type == "date") != any(
        word in words for word in _KEYWORDS["occurred_on"]
    ):
        return None
    for name, keywords in _KEYWORDS.items():
        if any(word in words for word in keywords):
            return name.replace("SIDE", _side(field) or "current")
    return None


def _side(field: FieldInfo) -> str | None:
    words = _words(field)
    if words & _PAST:
        return "previous"
    return "current" if words & _CURRENT else None


def _words(field: FieldInfo) -> set[str]:
    return set(_split_words(field.name)) | set(_split_words(field.label))


def _joined_words(field: FieldInfo) -> str:
    return "".join(_split_words(field.name)) + " " + "".join(_split_words(field.label))


def _split_words(name: str) -> list[str]:
    """Split `UserGems__Past_AccountId__c` into past, account, id. The namespace is left out."""
    bare = re.sub(r"^\w+?__(?=\w+__c$)|__[cr]$", "", name)
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", bare)]
