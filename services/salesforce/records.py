"""Salesforce records of a person: contact, lead, accounts, opportunities, teams, and their owners. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from domain.people import DEFAULT_KEYS, PersonKey
from domain.salesforce import CallsMade

Value = str | float | bool | None
OpenChoice = Literal["newest", "largest", "next_to_close"]
"""Which of several open opportunities is used."""

Fields = Mapping[str, Value]
"""The fields of a record that rules name, by API name in lower case. Fields that could not be read are missing."""

_EMPTY: Mapping[str, Value] = MappingProxyType({})


def _no_fields() -> Fields:
    return _EMPTY


@dataclass(frozen=True)
class SalesforceUser:
    """
    An owner, which is a user or a queue. A queue's email address is never that of a person.

    `alternate` is the address, and `slack_id` the Slack user, in further fields that the workspace has chosen.
    `manager` is None if there is none or it was not queried.
    """

    id: str
    name: str
    email: str | None
    is_active: bool
    kind: Literal["user", "queue"] = "user"
    alternate: str | None = None
    slack_id: str | None = None
    manager: SalesforceUser | None = None


@dataclass(frozen=True)
class Opportunity:
    """An opportunity. `team` has its members by role in lower case, oldest first. `closed_on` is an ISO date."""

    id: str
    name: str
    owner: SalesforceUser | None
    fields: Fields = field(default_factory=_no_fields)
    account_id: str | None = None
    closed_on: str | None = None
    team: Mapping[str, tuple[SalesforceUser, ...]] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Account:
    """
    An account. `domain` is the host of its website without `www.`.

    `parent` and `ultimate`, the top of the hierarchy, have only their name and owner. `open` is the open opportunity
    that the workspace has chosen; `last_won` and `last_lost` are those closed last. They are None if there is none or
    they were not queried.
    """

    id: str
    name: str
    domain: str | None
    owner: SalesforceUser | None
    fields: Fields = field(default_factory=_no_fields)
    parent: Account | None = None
    open: Opportunity | None = None
    ultimate: Account | None = None
    last_won: Opportunity | None = None
    last_lost: Opportunity | None = None
    team: Mapping[str, tuple[SalesforceUser, ...]] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Contact:
    """A contact. `owner` is None if the connected user cannot see it. `open` is an opportunity it has a role in."""

    id: str
    name: str
    email: str | None
    account: Account | None
    owner: SalesforceUser | None
    fields: Fields = field(default_factory=_no_fields)
    open: Opportunity | None = None


@dataclass(frozen=True)
class Lead:
    """A lead. `company` is a text, since a lead has no account."""

    id: str
    name: str
    email: str | None
    company: str | None
    owner: SalesforceUser | None
    fields: Fields = field(default_factory=_no_fields)


@dataclass(frozen=True)
class CompanyLookup:
    """A company to find an account for: by id, else by domain field, else by website, else by its exact name."""

    account_id: str | None = None
    domain: str | None = None
    name: str | None = None


NO_COMPANY = CompanyLookup()


@dataclass(frozen=True)
class PersonLookup:
    """
    What to look up for one job change. `key` identifies its answer.

    `linkedin_url` is in canonical form. `custom` has what the sender put into fields of its own, by names such as
    `custom.person_id`. `past_contact_id` is the person's contact at the company left.
    """

    key: str
    contact_id: str | None = None
    lead_id: str | None = None
    emails: tuple[str, ...] = ()
    linkedin_url: str | None = None
    custom: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    past_contact_id: str | None = None
    account_ids: tuple[str, ...] = ()
    opportunity_id: str | None = None
    past: CompanyLookup = NO_COMPANY
    current: CompanyLookup = NO_COMPANY


@dataclass(frozen=True)
class PersonRecords:
    """
    The records found for one lookup. `accounts` are by the ids in the lookup.

    `past_account` and `current_account` are those of the two companies, if rules need them. `contacts` has every
    contact with the id or a key of the person, including `contact`. `past_contact` is the one that the sender named as
    that of the company left. `found_by` and `lead_found_by` say by what the contact and the lead were found.
    """

    contact: Contact | None = None
    lead: Lead | None = None
    opportunity: Opportunity | None = None
    accounts: Mapping[str, Account] = field(default_factory=lambda: MappingProxyType({}))
    contacts: tuple[Contact, ...] = ()
    past_account: Account | None = None
    current_account: Account | None = None
    past_contact: Contact | None = None
    found_by: str | None = None
    lead_found_by: str | None = None


@dataclass(frozen=True)
class RequiredRecords:
    """
    What rules need from Salesforce beyond a person's contact, account and lead.

    `fields` has the API names that rules read, by object. `user_ids` are the users that rules name. `email_field` is a
    field of User with another email address, `slack_id_field` one with a Slack user id. `person_keys` are the fields by
    which people are found, in order; `domain_field` of Account has the domain of a company. `account_roles` and
    `opportunity_roles` are team roles as in the rules.
    """

    fields: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    companies: bool = False
    parents: bool = False
    opportunities: bool = False
    contact_opportunities: bool = False
    ultimate_parents: bool = False
    open_choice: OpenChoice = "newest"
    account_roles: frozenset[str] = frozenset()
    opportunity_roles: frozenset[str] = frozenset()
    user_fields: frozenset[str] = frozenset()
    managers: bool = False
    queues: bool = False
    user_ids: frozenset[str] = frozenset()
    email_field: str | None = None
    slack_id_field: str | None = None
    person_keys: tuple[PersonKey, ...] = DEFAULT_KEYS
    domain_field: str | None = None

    @property
    def users(self) -> bool:
        """Whether users must be queried by their ids."""
        named = self.user_fields or self.user_ids or self.email_field or self.slack_id_field
        return bool(named or self.managers or self.queues)


NOTHING_REQUIRED = RequiredRecords()


@dataclass(frozen=True)
class BatchRecords:
    """
    The records of a batch of lookups.

    `people` are by the keys of the lookups. `users` has the required ones by the first 15 characters of their ids.
    `queues` has the ids of the users in each queue that owns a lead, by the first 15 characters of its id.
    `unreadable` has what was left out, such as `account.sdr__c` in lower case, each with a sentence that says why.
    `base_url` is the address of the org, or None if nothing was queried. `domain_field` is that of the request.
    `calls` are for the caller to record, in the transaction that stores the decisions. None if none were made.
    """

    people: Mapping[str, PersonRecords]
    users: Mapping[str, SalesforceUser] = field(default_factory=lambda: MappingProxyType({}))
    unreadable: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    base_url: str | None = None
    domain_field: str | None = None
    queues: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    calls: CallsMade | None = None
