"""What Salesforce knows of a person: contact, lead, account, opportunity, and who owns each. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal


@dataclass(frozen=True)
class SalesforceUser:
    """An owner. A queue is nobody in particular; its e-mail is never a person's."""

    id: str
    name: str
    email: str | None
    is_active: bool
    kind: Literal["user", "queue"] = "user"


@dataclass(frozen=True)
class Account:
    """`domain` is the host of its website, without `www.`."""

    id: str
    name: str
    domain: str | None
    owner: SalesforceUser | None


@dataclass(frozen=True)
class Contact:
    """`owner` None: Salesforce did not show us who it is."""

    id: str
    name: str
    email: str | None
    account: Account | None
    owner: SalesforceUser | None


@dataclass(frozen=True)
class Lead:
    """`company` is text: a lead has no account."""

    id: str
    name: str
    email: str | None
    company: str | None
    owner: SalesforceUser | None


@dataclass(frozen=True)
class Opportunity:
    """A deal."""

    id: str
    name: str
    owner: SalesforceUser | None


@dataclass(frozen=True)
class PersonLookup:
    """What to look for, on behalf of one job change; `key` is how the answer is told apart."""

    key: str
    contact_id: str | None = None
    lead_id: str | None = None
    emails: tuple[str, ...] = ()
    account_ids: tuple[str, ...] = ()
    opportunity_id: str | None = None


@dataclass(frozen=True)
class PersonRecords:
    """What was found; `accounts` by the ids that were asked for."""

    contact: Contact | None = None
    lead: Lead | None = None
    opportunity: Opportunity | None = None
    accounts: Mapping[str, Account] = field(default_factory=lambda: MappingProxyType({}))
