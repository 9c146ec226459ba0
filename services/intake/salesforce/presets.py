"""What of an org could be a job change: sources proposed from its describe, ready to be previewed and edited. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from services.salesforce.queries.objects import FieldInfo, ObjectInfo

USERGEMS = "UserGems__"
"""The namespace of UserGems' managed package, whose object has one record a job change."""

_PAST = {"past", "previous", "prior", "former", "old", "left"}
_CURRENT = {"new", "current", "now", "joined"}
_NO_OWNERS = {"owner", "createdby", "lastmodifiedby", "created", "modified", "master"}


@dataclass(frozen=True)
class Proposal:
    """A source as it could be; *definition* is the JSON that an admin may edit."""

    name: str
    sobject: str
    label: str
    definition: dict[str, Any]


def proposals(described: ObjectInfo) -> list[Proposal]:
    """What to make of this object: for people two kinds of job change, for anything else one record each."""
    if described.name not in {"Contact", "Lead"}:
        return [_record_each(described)]
    return [*_joined(described), *_left(described)]


def _record_each(described: ObjectInfo) -> Proposal:
    guessed = dict(_guesses(described, people_of=described.fields.values()))
    if "person.full_name" not in guessed.values() and described.field("Name"):
        guessed["Name"] = "person.full_name"
    guessed["CreatedDate"] = "detected_at"
    signal = {"signal": "contact_tracking"}
    definition = {"map": guessed, "set": signal, "where": [], "event": ["Id"], "dated_by": "CreatedDate"}
    return Proposal(described.name, described.name, described.label, definition)


def _joined(described: ObjectInfo) -> Iterator[Proposal]:
    """A person who came from a past account: UserGems and others make a new contact or lead, and say where from."""
    past = [each for each in described.fields.values() if _side(each) == "previous" and each.type == "reference"]
    if not past:
        return
    paths = _person(described, "current") | {
        path: name
        for path, name in _guesses(described, people_of=())
        if name.startswith("previous.") or name in {"relationship", "persona"}
    }
    account = next((each for each in past if "Account" in each.refers_to), past[0])
    definition = {
        "map": paths,
        "set": {"signal": "contact_tracking", "change_type": "new_company"},
        "where": [[account.name, "is set", ""]],
        "event": ["Id"],
        "dated_by": "CreatedDate",
    }
    label = f"{described.label}s who came from a past account"
    yield Proposal(f"{described.name}:joined", described.name, label, definition)


def _left(described: ObjectInfo) -> Iterator[Proposal]:
    """A person marked as no longer at the company; the date makes the next time another job change."""
    marks = [each for each in described.fields.values() if _words(each) >= {"no", "longer"}]
    if not marks:
        return
    mark = next((each for each in marks if each.type in {"date", "datetime"}), marks[0])
    has_date = mark.type in {"date", "datetime"}
    paths = _person(described, "previous") | ({mark.name: "occurred_on"} if has_date else {})
    definition = {
        "map": paths,
        "set": {"signal": "contact_tracking", "change_type": "departure"},
        "where": [[mark.name, "is set", ""] if has_date or mark.type != "boolean" else [mark.name, "=", True]],
        "event": ["Id", mark.name] if has_date else ["Id"],
        "dated_by": mark.name if has_date else None,
    }
    yield Proposal(
        f"{described.name}:left", described.name, f"{described.label}s no longer at their company", definition
    )


def _person(described: ObjectInfo, side: str) -> dict[str, str]:
    """Of a contact or lead itself, with its company on this side."""
    record = {"Contact": "salesforce.contact_id", "Lead": "salesforce.lead_id"}[described.name]
    paths = {"Id": record, "Name": "person.full_name", "Email": "person.emails", "Title": f"{side}.title"}
    if described.name == "Contact":
        paths |= {"AccountId": f"{side}.company.salesforce_id", "Account.Name": f"{side}.company.name"}
        paths["Account.Website"] = f"{side}.company.domain"
    else:
        paths |= {"Company": f"{side}.company.name", "Website": f"{side}.company.domain"}
    paths |= {
        each.name: "person.linkedin_url" for each in described.fields.values() if "linkedin" in _joined_words(each)
    }
    return {path: name for path, name in paths.items() if described.field(path) or "." in path}


def _guesses(described: ObjectInfo, *, people_of: Iterable[FieldInfo]) -> Iterator[tuple[str, str]]:
    """Path and field of all that says what it is. *people_of*: the fields in which a person may be referred to."""
    people = set(people_of)
    # What is past comes first: the contact that is known is the one from before.
    for each in sorted(described.fields.values(), key=lambda field: _side(field) != "previous"):
        if _words(each) & _NO_OWNERS or each.name in {"Id", "Name", "SystemModstamp"}:
            continue
        if each.type == "reference":
            yield from _reference(each, is_person=each in people)
        elif name := _text(each):
            yield each.name, name


def _reference(field: FieldInfo, *, is_person: bool) -> Iterator[tuple[str, str]]:
    way, side = field.relationship, _side(field) or "current"
    if "Account" in field.refers_to and way:
        yield field.name, f"{side}.company.salesforce_id"
        yield f"{way}.Name", f"{side}.company.name"
        yield f"{way}.Website", f"{side}.company.domain"
    elif "Opportunity" in field.refers_to:
        yield field.name, "salesforce.opportunity_id"
    elif field.refers_to in {("Contact",), ("Lead",)} and is_person and way:
        kind = field.refers_to[0]
        yield field.name, f"salesforce.{kind.lower()}_id"
        yield f"{way}.Name", "person.full_name"
        yield f"{way}.Email", "person.emails"
        yield f"{way}.Title", f"{side}.title"
        if kind == "Lead":
            yield f"{way}.Company", f"{side}.company.name"


_TELLING: Mapping[str, tuple[str, ...]] = {
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
    """What a field that is no reference tells, by its name and label; None: nothing that we know."""
    said = _joined_words(field)
    if field.type in {"boolean", "datetime"} or (field.type == "date") != any(
        word in said for word in _TELLING["occurred_on"]
    ):
        return None
    for name, tells in _TELLING.items():
        if any(word in said for word in tells):
            return name.replace("SIDE", _side(field) or "current")
    return None


def _side(field: FieldInfo) -> str | None:
    words = _words(field)
    if words & _PAST:
        return "previous"
    return "current" if words & _CURRENT else None


def _words(field: FieldInfo) -> set[str]:
    return set(_listed(field.name)) | set(_listed(field.label))


def _joined_words(field: FieldInfo) -> str:
    return "".join(_listed(field.name)) + " " + "".join(_listed(field.label))


def _listed(name: str) -> list[str]:
    """`UserGems__Past_AccountId__c` is past, account, id; the namespace is no word of it."""
    bare = re.sub(r"^\w+?__(?=\w+__c$)|__[cr]$", "", name)
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", bare)]
