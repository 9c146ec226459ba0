"""The job change: how it is parsed, stored and identified. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, date
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from domain.job_change.field_types import (
    Custom,
    Day,
    Email,
    Moment,
    ShortText,
    Text,
    null_is,
    page_of,
    tidy,
)
from domain.job_change.parts import ChangeType, Company, Job, Links, Part, Person, SalesforceIds, Signal
from domain.job_change.validation import Fault, InvalidJobChangeError, fault_of

MOST_FAULTS = 50
DEFAULT_SOURCE = "api"

TEST_SOURCE = "usergems-test"
"""The source of test job changes, which admins send to see the whole flow."""

_NO_JOB, _NO_IDS, _NO_LINKS = Job(), SalesforceIds(), Links()


def _source(text: str) -> str:
    return tidy(text) or DEFAULT_SOURCE


class JobChange(Part):
    """A person has a new job: version 1 of the event that senders post."""

    source: Annotated[ShortText, AfterValidator(_source), null_is(DEFAULT_SOURCE)] = DEFAULT_SOURCE
    source_event_id: Text = None
    signal: Annotated[Signal, Field(strict=False)]
    change_type: Annotated[ChangeType, Field(strict=False)]
    occurred_on: Day = None
    detected_at: Moment = None
    person: Person
    previous: Annotated[Job, null_is(_NO_JOB)] = _NO_JOB
    current: Annotated[Job, null_is(_NO_JOB)] = _NO_JOB
    relationship: Text = None
    persona: Text = None
    score: Annotated[float | None, Field(allow_inf_nan=False)] = None
    salesforce: Annotated[SalesforceIds, null_is(_NO_IDS)] = _NO_IDS
    dri_email: Email = None
    links: Annotated[Links, null_is(_NO_LINKS)] = _NO_LINKS
    custom: Custom = {}  # noqa: RUF012 - pydantic copies defaults

    @model_validator(mode="after")
    def _complete(self) -> Self:
        missing = list(_missing(self))
        if missing:
            raise PydanticCustomError("incomplete", "is incomplete", {"missing": missing})
        return self

    @property
    def is_test(self) -> bool:
        """Whether it is sample data. A test job change notifies only the person it names."""
        return self.source == TEST_SOURCE

    @classmethod
    def parse(cls, raw: object) -> JobChange:
        """Read one job change out of decoded JSON. Raises InvalidJobChangeError with all errors."""
        if not isinstance(raw, dict):
            raise InvalidJobChangeError([Fault("", "must be an object")])
        fields = _with_unknown_under_custom(raw)
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            raise InvalidJobChangeError(_all_faults(fields, error)) from None

    @classmethod
    def from_stored(cls, payload: str) -> JobChange:
        """Read back what `to_stored` wrote. Raises InvalidJobChangeError for anything else."""
        try:
            return cls.model_validate_json(payload)
        except ValidationError:
            raise InvalidJobChangeError([Fault("", "is not stored as this version stores it")]) from None

    @classmethod
    def if_readable(cls, payload: str | None) -> JobChange | None:
        """Like `from_stored`, but None when the payload was erased or this version cannot read it."""
        try:
            return cls.from_stored(payload or "")
        except InvalidJobChangeError:
            return None

    def to_stored(self) -> str:
        """JSON without the fields that are not set, since PostgreSQL logs it again with each update of its row."""
        return self.model_dump_json(exclude_unset=True, exclude_none=True)  # in half the time of `exclude_defaults`

    def key(self, received_on: date) -> str:
        """
        The key by which a repeated job change is recognized; it is unique in a workspace.

        It is the sender's own event id if there is one, otherwise a hash of source, person, change and month.
        """
        if self.source_event_id:
            return f"event:{_digest(self.source, self.source_event_id)}"
        month = self.occurred_on or (self.detected_at.astimezone(UTC).date() if self.detected_at else received_on)
        return "facts:" + _digest(
            self.source,
            _person_key(self),
            self.change_type,
            _company_key(self.current.company),
            (self.current.title or "").casefold(),
            month.isoformat()[:7],
        )


def _person_key(change: JobChange) -> str:
    ids, person = change.salesforce, change.person
    if record_id := ids.contact_id or ids.lead_id:
        return record_id[:15]
    if person.linkedin_url:
        return page_of(person.linkedin_url)
    return min(person.emails, default=None) or f"id:{person.external_id}"


def _company_key(company: Company | None) -> str:
    if not company:
        return ""
    if company.salesforce_id:
        return company.salesforce_id[:15]
    return company.domain or (company.name or "").casefold()


def _digest(*parts: str) -> str:
    # Half of a SHA-256 is enough, and the index of keys is the largest of all.
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class _Missing:
    """A missing value, and the fields that would supply it."""

    fault: Fault
    fields: tuple[str, ...]


_PERSON_KEYS = (
    *("person.emails", "person.linkedin_url", "salesforce.contact_id", "salesforce.lead_id"),
    "person.external_id",
)


def _missing(change: JobChange) -> Iterator[_Missing]:
    person, ids = change.person, change.salesforce
    has_name = person.full_name or (person.first_name and person.last_name)
    if not has_name and not person.external_id:
        fault = Fault("person.full_name", "is required, or first_name and last_name")
        yield _Missing(fault, ("person.full_name", "person.first_name", "person.last_name"))
    if not (person.emails or person.linkedin_url or person.external_id or ids.contact_id or ids.lead_id):
        fault = Fault("person", f"needs one of {', '.join(field.removeprefix('person.') for field in _PERSON_KEYS)}")
        yield _Missing(fault, _PERSON_KEYS)
    if change.change_type is ChangeType.DEPARTURE:
        if not change.previous.company:
            fault = Fault("previous.company", "is required for a departure")
            yield _Missing(fault, ("previous.company", "change_type"))
    elif not change.current.company:
        fault = Fault("current.company", f"is required for a {change.change_type}")
        yield _Missing(fault, ("current.company", "change_type"))


def _all_faults(given: Mapping[str, object], error: ValidationError) -> list[Fault]:
    """All malformed and all missing values, so that the sender can fix them in one go."""
    details = error.errors(include_url=False)
    if details[0]["type"] == "incomplete":
        return [missing.fault for missing in details[0]["ctx"]["missing"]]
    faults = list(dict.fromkeys(fault_of(detail) for detail in details))
    missing: Sequence[_Missing] = ()
    try:  # what is missing from the rest
        JobChange.model_validate(_without(given, [detail["loc"] for detail in details]))
    except ValidationError as other:
        missing = other.errors(include_url=False)[0].get("ctx", {}).get("missing", ())
    malformed = [fault.path for fault in faults]
    faults += [
        gap.fault
        for gap in missing
        if not any(
            (f"{field}.".startswith(f"{path}.") or f"{path}.".startswith(f"{field}."))
            for field in gap.fields
            for path in malformed
        )
    ]
    return faults[:MOST_FAULTS]


def _without(given: Mapping[str, object], places: Sequence[tuple[int | str, ...]]) -> dict[str, object]:
    """A copy without the malformed values, with placeholders for those that are required."""
    rest: dict[str, Any] = deepcopy({name: value for name, value in given.items() if name != "custom"})
    for place in places:
        part = rest
        for step in map(str, place):
            if not isinstance(part.get(step), dict):
                part.pop(step, None)  # a malformed item removes its whole list
                break
            part = part[step]
    return {"signal": Signal.CUSTOM, "change_type": ChangeType.LATERAL, "person": {}} | rest


_PARTS: Mapping[str, type[BaseModel]] = {
    "": JobChange,
    "person": Person,
    "previous": Job,
    "previous.company": Company,
    "current": Job,
    "current.company": Company,
    "salesforce": SalesforceIds,
    "links": Links,
}
_FIELDS = {path: frozenset(part.model_fields) for path, part in _PARTS.items()}
_INNER = {
    path: [(inner.removeprefix(f"{path}."), inner) for inner in _PARTS if inner and inner.rpartition(".")[0] == path]
    for path in _PARTS
}


def _with_unknown_under_custom(raw: Mapping[str, object]) -> Mapping[str, object]:
    """Move unknown fields under `custom`, nested ones by their dotted path, so that nothing from the sender is lost."""
    unknown: dict[str, object] = {}
    fields = _split(raw, "", unknown)
    custom = fields.get("custom")
    if unknown and (custom is None or isinstance(custom, dict)):
        kept = dict(custom or {})
        for name, value in unknown.items():
            free = name
            while free in kept:
                free += "_"
            kept[free] = value
        fields = {**fields, "custom": kept}
    return fields


def _split(raw: Mapping[str, object], path: str, unknown: dict[str, object]) -> Mapping[str, object]:
    """Return the known fields of a part, and add the others to `unknown`. A part without others is not copied."""
    fields = raw
    if not raw.keys() <= _FIELDS[path]:
        fields = {name: value for name, value in raw.items() if name in _FIELDS[path]}
        prefix = f"{path}." if path else ""
        unknown.update((f"{prefix}{name}", value) for name, value in raw.items() if name not in _FIELDS[path])
    for name, inner in _INNER[path]:
        value = raw.get(name)
        if isinstance(value, dict) and (known_fields := _split(value, inner, unknown)) is not value:
            fields = {**fields, name: known_fields}
    return fields
