"""What Salesforce knows of a person: contact, lead, accounts, opportunities, teams, and who owns each. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

Value = str | float | bool | None
Fields = Mapping[str, Value]
"""Of a record, by their API names in lower case: those that rules name. One that could not be read is missing."""

_NOTHING: Mapping[str, Value] = MappingProxyType({})


def _no_fields() -> Fields:
    return _NOTHING


@dataclass(frozen=True)
class SalesforceUser:
    """
    An owner. A queue is nobody in particular; its e-mail is never a person's.

    *alternate*: the address in the field that the workspace chose beside `Email`. *manager* None: none, or not asked.
    """

    id: str
    name: str
    email: str | None
    is_active: bool
    kind: Literal["user", "queue"] = "user"
    alternate: str | None = None
    manager: SalesforceUser | None = None


@dataclass(frozen=True)
class Opportunity:
    """A deal. *team*: its members by their role in lower case, oldest first; *closed_on* as Salesforce writes days."""

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
    `domain` is the host of its website, without `www.`.

    *parent* has only what a chain may ask for: its name and its owner. *open*, *last_won*, *last_lost*: the open
    opportunity created last, and those closed last; None also where nobody asked.
    """

    id: str
    name: str
    domain: str | None
    owner: SalesforceUser | None
    fields: Fields = field(default_factory=_no_fields)
    parent: Account | None = None
    open: Opportunity | None = None
    last_won: Opportunity | None = None
    last_lost: Opportunity | None = None
    team: Mapping[str, tuple[SalesforceUser, ...]] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Contact:
    """`owner` None: Salesforce did not show us who it is."""

    id: str
    name: str
    email: str | None
    account: Account | None
    owner: SalesforceUser | None
    fields: Fields = field(default_factory=_no_fields)


@dataclass(frozen=True)
class Lead:
    """`company` is text: a lead has no account."""

    id: str
    name: str
    email: str | None
    company: str | None
    owner: SalesforceUser | None
    fields: Fields = field(default_factory=_no_fields)


@dataclass(frozen=True)
class CompanyLookup:
    """A company to find an account for: by id, else by domain, else by its exact name."""

    account_id: str | None = None
    domain: str | None = None
    name: str | None = None


NO_COMPANY = CompanyLookup()


@dataclass(frozen=True)
class PersonLookup:
    """What to look for, on behalf of one job change; `key` is how the answer is told apart."""

    key: str
    contact_id: str | None = None
    lead_id: str | None = None
    emails: tuple[str, ...] = ()
    account_ids: tuple[str, ...] = ()
    opportunity_id: str | None = None
    past: CompanyLookup = NO_COMPANY
    current: CompanyLookup = NO_COMPANY


@dataclass(frozen=True)
class PersonRecords:
    """
    What was found; `accounts` by the ids that were asked for.

    *past_account*, *current_account*: of the two companies, where rules ask for them. *contacts*: every contact with
    the id or an e-mail address of the person, *contact* among them.
    """

    contact: Contact | None = None
    lead: Lead | None = None
    opportunity: Opportunity | None = None
    accounts: Mapping[str, Account] = field(default_factory=lambda: MappingProxyType({}))
    contacts: tuple[Contact, ...] = ()
    past_account: Account | None = None
    current_account: Account | None = None


@dataclass(frozen=True)
class RequiredRecords:
    """
    What rules ask of Salesforce beyond a person's contact, account and lead.

    *fields*: by sObject the API names that rules read. *user_ids*: users that rules name. *email_field*: a field of
    User that holds another e-mail address. *account_roles*, *opportunity_roles*: of teams, as the rules write them.
    """

    fields: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    companies: bool = False
    parents: bool = False
    opportunities: bool = False
    account_roles: frozenset[str] = frozenset()
    opportunity_roles: frozenset[str] = frozenset()
    user_fields: frozenset[str] = frozenset()
    managers: bool = False
    user_ids: frozenset[str] = frozenset()
    email_field: str | None = None

    @property
    def users(self) -> bool:
        """Whether users must be asked for by their ids."""
        return bool(self.user_fields or self.managers or self.user_ids or self.email_field)


NOTHING_REQUIRED = RequiredRecords()


@dataclass(frozen=True)
class BatchRecords:
    """
    The answer for a batch.

    *people* by the keys of the lookups; *users* by the first 15 characters of their ids, as far as *needs* asked for
    them. *unreadable*: `Account.SDR__c` and the like, which rules name and we may not read, in lower case. *base_url*:
    where people open the records; None: there are none.
    """

    people: Mapping[str, PersonRecords]
    users: Mapping[str, SalesforceUser] = field(default_factory=lambda: MappingProxyType({}))
    unreadable: frozenset[str] = frozenset()
    base_url: str | None = None
