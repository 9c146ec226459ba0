"""What happened to a person's job: the event, its parsing, its faults and its key. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from services.errors import PermanentError

LONGEST_TEXT = 500
LONGEST_URL = 2_000
DEFAULT_SOURCE = "api"


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


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with what a sender sent; *path* is dotted, empty for the whole."""

    path: str
    message: str


class InvalidJobChangeError(PermanentError):
    """Only the sender can mend it."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(f"{fault.path or 'the job change'} {fault.message}" for fault in faults))
        self.faults = faults


def _tidy(text: str) -> str:
    # Control characters would break log lines, SOQL and PostgreSQL (NUL); nobody's name needs them.
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", " ", text).split())


def _blank_to_none(value: object) -> object:
    return None if isinstance(value, str) and not _tidy(value) else value


def _email(text: str) -> str:
    if not re.fullmatch(r"[^\s@<>]+@[^\s@<>]+\.[^\s@<>]+", text):
        raise PydanticCustomError("email", "is not an e-mail address")
    return text.lower()


def _domain(text: str) -> str:
    bare = text.lower().removeprefix("https://").removeprefix("http://").split("/")[0].removeprefix("www.")
    if not re.fullmatch(r"[^\s@<>|]+\.[^\s@<>|]+", bare):
        raise PydanticCustomError("domain", "is not a domain such as globex.com")
    return bare


def _url(text: str) -> str:
    with_scheme = text if "://" in text or text.lower().startswith(("javascript:", "data:")) else f"https://{text}"
    try:
        parts = urlsplit(with_scheme)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname or re.search(r"[\s<>|\"]", with_scheme):
        raise PydanticCustomError("url", "is not an http(s) address")
    return with_scheme


def _salesforce_id(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9]{15}|[A-Za-z0-9]{18}", text):
        raise PydanticCustomError("salesforce_id", "is not a Salesforce id of 15 or 18 characters")
    return long_salesforce_id(text)


def long_salesforce_id(text: str) -> str:
    """
    The 18-character form of a 15- or 18-character id.

    The last three characters say which of the first fifteen are capitals, five to a character:
    https://help.salesforce.com/s/articleView?id=000383751
    """
    short = text[:15]
    chunks = (short[0:5], short[5:10], short[10:15])
    bits = (sum(1 << place for place, char in enumerate(chunk) if char.isupper()) for chunk in chunks)
    return short + "".join("ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[number] for number in bits)


def _only_text(value: object) -> object:
    if value is not None and not isinstance(value, str):
        raise PydanticCustomError("text", "must be text")
    return value


Text = Annotated[str, AfterValidator(_tidy), Field(max_length=LONGEST_TEXT)]
OptionalText = Annotated[Text | None, BeforeValidator(_blank_to_none)]
Email = Annotated[Text, AfterValidator(_email)]
OptionalEmail = Annotated[Email | None, BeforeValidator(_blank_to_none)]
Domain = Annotated[Text, AfterValidator(_domain)]
Url = Annotated[str, AfterValidator(_tidy), AfterValidator(_url), Field(max_length=LONGEST_URL)]
OptionalUrl = Annotated[Url | None, BeforeValidator(_blank_to_none)]
SalesforceId = Annotated[Text, AfterValidator(_salesforce_id)]
OptionalSalesforceId = Annotated[SalesforceId | None, BeforeValidator(_blank_to_none)]


class _Part(BaseModel):
    # Strict: "87" is not a score and 1 is not a name. Unknown fields never get here, see `_keep_unknown`.
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class Company(_Part):
    """A company as the sender knows it; at least one of name, domain and id is set, else it is None."""

    name: OptionalText = None
    domain: Annotated[Domain | None, BeforeValidator(_blank_to_none)] = None
    salesforce_id: OptionalSalesforceId = None

    @property
    def label(self) -> str:
        """What to call it."""
        return self.name or self.domain or "a company without a name"


class Job(_Part):
    """A title at a company; either may be unknown."""

    title: OptionalText = None
    company: Company | None = None

    @model_validator(mode="after")
    def _no_empty_company(self) -> Self:
        if self.company and not (self.company.name or self.company.domain or self.company.salesforce_id):
            return self.model_copy(update={"company": None})
        return self


class Person(_Part):
    """Who changed jobs."""

    full_name: OptionalText = None
    first_name: OptionalText = None
    last_name: OptionalText = None
    linkedin_url: OptionalUrl = None
    emails: Annotated[list[Email], Field(max_length=20)] = []

    @property
    def name(self) -> str:
        """The full name, as told to people."""
        return self.full_name or f"{self.first_name} {self.last_name}"


class SalesforceIds(_Part):
    """Records the sender already knows."""

    contact_id: OptionalSalesforceId = None
    lead_id: OptionalSalesforceId = None
    opportunity_id: OptionalSalesforceId = None


class Links(_Part):
    """Where to read more."""

    source_url: OptionalUrl = None


class JobChange(_Part):
    """A person has a new job. Version 1 of the event that senders post."""

    source: Annotated[Text, Field(min_length=1)] = DEFAULT_SOURCE
    source_event_id: OptionalText = None
    signal: Annotated[Signal, Field(strict=False), BeforeValidator(_only_text)]
    change_type: Annotated[ChangeType, Field(strict=False), BeforeValidator(_only_text)]
    occurred_on: Annotated[date | None, Field(strict=False), BeforeValidator(_only_text)] = None
    detected_at: Annotated[AwareDatetime | None, Field(strict=False), BeforeValidator(_only_text)] = None
    person: Person
    previous: Job = Job()
    current: Job = Job()
    relationship: OptionalText = None
    persona: OptionalText = None
    score: Annotated[float | None, Field(allow_inf_nan=False)] = None
    salesforce: SalesforceIds = SalesforceIds()
    dri_email: OptionalEmail = None
    links: Links = Links()
    custom: dict[str, JsonValue] = {}

    @model_validator(mode="after")
    def _complete(self) -> Self:
        missing = list(_missing(self))
        if missing:
            raise PydanticCustomError("incomplete", "{faults}", {"faults": missing})
        return self

    @classmethod
    def parse(cls, raw: object) -> JobChange:
        """Read one job change out of decoded JSON. Raises InvalidJobChangeError with every fault."""
        if not isinstance(raw, dict):
            raise InvalidJobChangeError([Fault("", "must be an object")])
        try:
            return cls.model_validate(_keep_unknown(raw))
        except ValidationError as error:
            raise InvalidJobChangeError([fault for detail in error.errors() for fault in _faults(detail)]) from None

    def key(self, received_on: date) -> str:
        """
        What makes this the same job change when it is sent again; unique in a workspace.

        The sender's own event id where there is one, else a hash of what happened, to the month.
        """
        if self.source_event_id:
            return f"event:{_digest(self.source, self.source_event_id)}"
        month = self.occurred_on or (self.detected_at.date() if self.detected_at else received_on)
        company = self.current.company
        return "facts:" + _digest(
            self.source,
            _person_key(self),
            self.change_type,
            (company.salesforce_id or company.domain or (company.name or "").casefold()) if company else "",
            (self.current.title or "").casefold(),
            f"{month:%Y-%m}",
        )


def _missing(change: JobChange) -> list[Fault]:
    faults = []
    person, ids = change.person, change.salesforce
    if not person.full_name and not (person.first_name and person.last_name):
        faults.append(Fault("person.full_name", "is required, or first_name and last_name"))
    if not (person.emails or person.linkedin_url or ids.contact_id or ids.lead_id):
        faults.append(Fault("person", "needs one of emails, linkedin_url, salesforce.contact_id, salesforce.lead_id"))
    if change.change_type is ChangeType.DEPARTURE:
        if not change.previous.company:
            faults.append(Fault("previous.company", "is required for a departure"))
    elif not change.current.company:
        faults.append(Fault("current.company", f"is required for a {change.change_type}"))
    return faults


def _faults(detail: ErrorDetails) -> list[Fault]:
    if detail["type"] == "incomplete":
        faults: list[Fault] = detail["ctx"]["faults"]
        return faults
    message = "is required" if detail["type"] == "missing" else detail["msg"]
    return [Fault(".".join(str(step) for step in detail["loc"]), message[:1].lower() + message[1:])]


def _keep_unknown(raw: Mapping[object, object]) -> dict[str, object]:
    """Nothing a sender says is lost: fields we do not know move under `custom`, nested ones by their dotted path."""
    unknown: dict[str, object] = {}
    known = _split(JobChange, raw, "", unknown)
    custom = known.get("custom")
    if unknown and (custom is None or isinstance(custom, dict)):
        known["custom"] = unknown | (custom or {})
    # An explicit null says the same as leaving the field out.
    return {name: value for name, value in known.items() if value is not None}


def _split(
    model: type[BaseModel], raw: Mapping[object, object], prefix: str, unknown: dict[str, object]
) -> dict[str, object]:
    known: dict[str, object] = {}
    for name, value in raw.items():
        field = model.model_fields.get(str(name))
        if field is None:
            unknown[f"{prefix}{name}"] = value
            continue
        part = _PARTS.get(f"{prefix}{name}")
        known[str(name)] = (
            _split(part, value, f"{prefix}{name}.", unknown) if part and isinstance(value, dict) else value
        )
    return known if not prefix else {name: value for name, value in known.items() if value is not None}


_PARTS: dict[str, type[BaseModel]] = {
    "person": Person,
    "previous": Job,
    "previous.company": Company,
    "current": Job,
    "current.company": Company,
    "salesforce": SalesforceIds,
    "links": Links,
}


def _person_key(change: JobChange) -> str:
    ids, person = change.salesforce, change.person
    if ids.contact_id or ids.lead_id:
        return str(ids.contact_id or ids.lead_id)
    if person.linkedin_url:
        parts = urlsplit(person.linkedin_url.lower())
        return f"{(parts.hostname or '').removeprefix('www.')}{parts.path.rstrip('/')}"
    return min(person.emails)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
