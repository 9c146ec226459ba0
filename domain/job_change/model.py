"""What happened to a person's job: the event, how it is read and stored, and its key. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, date
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from domain.job_change.field_types import (
    Custom,
    Day,
    Domain,
    Email,
    Emails,
    Moment,
    SalesforceId,
    ShortText,
    Text,
    Url,
    long_salesforce_id,
    null_is,
    page_of,
    tidy,
)
from domain.job_change.validation import Fault, InvalidJobChangeError, fault_of

__all__ = [
    "ChangeType",
    "Company",
    "Fault",
    "InvalidJobChangeError",
    "Job",
    "JobChange",
    "Links",
    "Person",
    "SalesforceIds",
    "Signal",
    "long_salesforce_id",
]

MOST_FAULTS = 50
DEFAULT_SOURCE = "api"

TEST_SOURCE = "usergems-test"
"""The source of job changes that were made up to try the whole way."""


class Signal(StrEnum):
    """The stream a job change came on."""

    CONTACT_TRACKING = "contact_tracking"
    NEW_HIRES_PROMOTIONS = "new_hires_promotions"
    CUSTOM = "custom"


class ChangeType(StrEnum):
    """What kind of change it is."""

    NEW_COMPANY = "new_company"
    NEW_HIRE = "new_hire"
    PROMOTION = "promotion"
    LATERAL = "lateral"
    DEPARTURE = "departure"
    ADDITIONAL_ROLE = "additional_role"


class _Part(BaseModel):
    # Strict: "87" is not a score and 1 is not a name. Unknown fields never get here, see `_with_unknown_kept`.
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class Company(_Part):
    """A company as the sender knows it; at least one of name, domain and id is set, else it is None."""

    name: Text = None
    domain: Domain = None
    salesforce_id: SalesforceId = None

    @property
    def label(self) -> str:
        """What to call it."""
        return self.name or self.domain or "a company without a name"


def _known_company(company: Company | None) -> Company | None:
    return company if company and (company.name or company.domain or company.salesforce_id) else None


class Job(_Part):
    """A title at a company; either may be unknown."""

    title: Text = None
    company: Annotated[Company | None, AfterValidator(_known_company)] = None


class Person(_Part):
    """Who changed jobs."""

    full_name: Text = None
    first_name: Text = None
    last_name: Text = None
    linkedin_url: Url = None
    emails: Emails = []

    @property
    def name(self) -> str:
        """The full name, as told to people."""
        return self.full_name or f"{self.first_name} {self.last_name}"


class SalesforceIds(_Part):
    """Records the sender already knows."""

    contact_id: SalesforceId = None
    lead_id: SalesforceId = None
    opportunity_id: SalesforceId = None


class Links(_Part):
    """Where to read more."""

    source_url: Url = None


_NO_JOB, _NO_IDS, _NO_LINKS = Job(), SalesforceIds(), Links()


def _source(text: str) -> str:
    return tidy(text) or DEFAULT_SOURCE


class JobChange(_Part):
    """A person has a new job. Version 1 of the event that senders post."""

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
    custom: Custom = {}

    @model_validator(mode="after")
    def _complete(self) -> Self:
        missing = list(_missing(self))
        if missing:
            raise PydanticCustomError("incomplete", "is incomplete", {"missing": missing})
        return self

    @property
    def is_test(self) -> bool:
        """Made up by whoever wants to see the whole way: told to nobody but whom it names."""
        return self.source == TEST_SOURCE

    @classmethod
    def parse(cls, raw: object) -> JobChange:
        """Read one job change out of decoded JSON. Raises InvalidJobChangeError with every fault."""
        if not isinstance(raw, dict):
            raise InvalidJobChangeError([Fault("", "must be an object")])
        given = _with_unknown_kept(raw)
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise InvalidJobChangeError(_every_fault(given, error)) from None

    @classmethod
    def from_stored(cls, payload: str) -> JobChange:
        """Read back what `to_stored` wrote. Raises InvalidJobChangeError for anything else."""
        try:
            return cls.model_validate_json(payload)
        except ValidationError:
            raise InvalidJobChangeError([Fault("", "is not stored as this version stores it")]) from None

    @classmethod
    def if_readable(cls, payload: str | None) -> JobChange | None:
        """The same; None: it was erased, or this version cannot read it."""
        try:
            return cls.from_stored(payload or "")
        except InvalidJobChangeError:
            return None

    def to_stored(self) -> str:
        """As JSON, without what is not set."""
        return self.model_dump_json(exclude_none=True)

    def key(self, received_on: date) -> str:
        """
        What makes this the same job change when it is sent again; unique in a workspace.

        The sender's own event id where there is one, else a hash of what happened, to the month.
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
    return min(person.emails)


def _company_key(company: Company | None) -> str:
    if not company:
        return ""
    if company.salesforce_id:
        return company.salesforce_id[:15]
    return company.domain or (company.name or "").casefold()


def _digest(*parts: str) -> str:
    # Half of it is plenty, and the index of the keys is the largest there is.
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class _Missing:
    """A fault of what is not there, and the fields that could mend it."""

    fault: Fault
    fields: tuple[str, ...]


def _missing(change: JobChange) -> Iterator[_Missing]:
    person, ids = change.person, change.salesforce
    if not person.full_name and not (person.first_name and person.last_name):
        fault = Fault("person.full_name", "is required, or first_name and last_name")
        yield _Missing(fault, ("person.full_name", "person.first_name", "person.last_name"))
    if not (person.emails or person.linkedin_url or ids.contact_id or ids.lead_id):
        fault = Fault("person", "needs one of emails, linkedin_url, salesforce.contact_id, salesforce.lead_id")
        yield _Missing(fault, ("person.emails", "person.linkedin_url", "salesforce.contact_id", "salesforce.lead_id"))
    if change.change_type is ChangeType.DEPARTURE:
        if not change.previous.company:
            fault = Fault("previous.company", "is required for a departure")
            yield _Missing(fault, ("previous.company", "change_type"))
    elif not change.current.company:
        fault = Fault("current.company", f"is required for a {change.change_type}")
        yield _Missing(fault, ("current.company", "change_type"))


def _every_fault(given: Mapping[str, object], error: ValidationError) -> list[Fault]:
    """Not only what is malformed but also what is missing besides, so that the sender mends it in one go."""
    details = error.errors(include_url=False)
    if details[0]["type"] == "incomplete":
        return [missing.fault for missing in details[0]["ctx"]["missing"]]
    faults = list(dict.fromkeys(fault_of(detail) for detail in details))
    missing = _missing_besides(_without(given, [detail["loc"] for detail in details]))
    malformed = [fault.path for fault in faults]
    faults += [
        each.fault for each in missing if not any(_overlap(field, path) for field in each.fields for path in malformed)
    ]
    return faults[:MOST_FAULTS]


def _missing_besides(given: Mapping[str, object]) -> Sequence[_Missing]:
    try:
        JobChange.model_validate(given)
    except ValidationError as error:
        missing: Sequence[_Missing] = error.errors(include_url=False)[0].get("ctx", {}).get("missing", ())
        return missing
    return ()


def _without(given: Mapping[str, object], places: Sequence[tuple[int | str, ...]]) -> dict[str, object]:
    """A copy that leaves out what is malformed, with a stand-in for what is required."""
    rest: dict[str, Any] = deepcopy({name: value for name, value in given.items() if name != "custom"})
    for place in places:
        part = rest
        for step in map(str, place):
            if not isinstance(part.get(step), dict):
                part.pop(step, None)  # an item of a list takes its list with it
                break
            part = part[step]
    return {"signal": Signal.CUSTOM, "change_type": ChangeType.LATERAL, "person": {}} | rest


def _overlap(field: str, path: str) -> bool:
    return f"{field}.".startswith(f"{path}.") or f"{path}.".startswith(f"{field}.")


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


def _with_unknown_kept(raw: Mapping[str, object]) -> dict[str, object]:
    """Nothing a sender says is lost: fields we do not know move under `custom`, nested ones by their dotted path."""
    unknown: dict[str, object] = {}
    known = _split(raw, "", unknown)
    custom = known.get("custom")
    if unknown and (custom is None or isinstance(custom, dict)):
        kept = dict(custom or {})
        for name, value in unknown.items():
            free = name
            while free in kept:
                free += "_"
            kept[free] = value
        known["custom"] = kept
    return known


def _split(raw: Mapping[str, object], path: str, unknown: dict[str, object]) -> dict[str, object]:
    known = dict(raw)
    if not raw.keys() <= _FIELDS[path]:
        prefix = f"{path}." if path else ""
        unknown.update((f"{prefix}{name}", known.pop(name)) for name in raw if name not in _FIELDS[path])
    for name, inner in _INNER[path]:
        value = raw.get(name)
        if isinstance(value, dict):
            known[name] = _split(value, inner, unknown)
    return known
