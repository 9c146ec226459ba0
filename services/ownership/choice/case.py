"""A job change with its Salesforce records: its sides, the records on each, and the segments of the account. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from domain.decision.reasons import Reason, ReasonCode
from domain.job_change.model import JobChange
from domain.job_change.parts import ChangeType, Company
from services.ownership.choice.field_tests import SegmentTests
from services.ownership.rules.owner_sources import Side
from services.ownership.rules.rule_set import Segment
from services.salesforce.records import (
    Account,
    CompanyLookup,
    Contact,
    Fields,
    Lead,
    Opportunity,
    PersonLookup,
    PersonRecords,
    RequiredRecords,
    SalesforceUser,
)

_STAYS = {ChangeType.PROMOTION, ChangeType.LATERAL}
_LEAVES = {ChangeType.NEW_COMPANY, ChangeType.DEPARTURE}


@dataclass(frozen=True)
class View:
    """
    The records on one side of a job change. `company` is the name to show for the account.

    `side` None has the records of the person on either side: the contact, its account, and the lead. Without such an
    account, it is the account whose id came with the job change.
    """

    side: Side | None
    person: str
    company: str
    contact: Contact | None = None
    lead: Lead | None = None
    account: Account | None = None

    def fields(self, sobject: str, opportunity: Opportunity | None) -> Fields | None:
        """The fields of the record of this kind. None means that there is no such record."""
        records: dict[str, Contact | Lead | Account | Opportunity | None] = {
            "Contact": self.contact,
            "Lead": self.lead,
            "Account": self.account,
            "Opportunity": opportunity,
        }
        record = records[sobject]
        return None if record is None else record.fields


@dataclass(frozen=True)
class Case:
    """
    What a decision is based on. `records` None means that Salesforce could not be asked; `trouble` says why.

    `users` is keyed by the first 15 characters of the id, and so is `queues`, with the ids of the users in each queue.
    `domain_field` is the field of Account by which companies were searched. `unreadable` holds the fields that the app
    cannot read, such as `account.sdr__c`; `labels` holds the org's names of fields, under the same keys.
    """

    change: JobChange
    records: PersonRecords | None
    users: Mapping[str, SalesforceUser] = field(default_factory=lambda: MappingProxyType({}))
    unreadable: frozenset[str] = frozenset()
    trouble: Reason | None = None
    domain_field: str | None = None
    queues: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    _views: dict[Side | None, View] = field(default_factory=dict, init=False, compare=False, repr=False)

    def view(self, side: Side | None) -> View:
        """The records on this side. They are selected once."""
        if side not in self._views:
            self._views[side] = _view(self.change, self.records, side)
        return self._views[side]

    def account_key(self, side: Side | None) -> str | None:
        """The key by which a sticky pool remembers the account: its id, else the company's domain or name."""
        view = self.view(side)
        if view.account:
            return view.account.id[:15]
        company = self.change.previous.company if side == "past" else self.change.current.company
        return (company.domain or (company.name or "").casefold() or None) if company else None

    def segments(self, side: Side | None, tests: SegmentTests) -> frozenset[Segment]:
        """The segments of the account on a side. Of an account that could not be looked up, none is known."""
        if self.records is None:
            return frozenset()
        account = self.view(side).account
        is_unknown = account is None and self._is_search_incomplete(side)
        return frozenset() if is_unknown else tests.segments_of(account)

    def _is_search_incomplete(self, side: Side | None) -> bool:
        company = self.change.previous.company if side == "past" else self.change.current.company
        if company is None or company.salesforce_id:
            return False
        searched = {"account.website": company.domain, "account.name": company.name}
        if self.domain_field:
            searched[f"account.{self.domain_field}".lower()] = company.domain
        return any(value and key in self.unreadable for key, value in searched.items())

    def unsearched_field(self, kind: str) -> str | None:
        """The address field by which contacts or leads (`kind`) could not be searched for the person, or None."""
        name = f"{kind.capitalize()}.Email"
        return name if self.change.person.emails and name.lower() in self.unreadable else None

    @property
    def no_records_reason(self) -> Reason:
        """Why there are no Salesforce records."""
        return self.trouble or ReasonCode.NOT_CONNECTED.of()


def sides_of(change: JobChange) -> tuple[Side, ...]:
    """
    The sides of a job change: the company left, the company joined, or both.

    A promotion has no past side, because nobody left. A departure has a current side if the next company is known.
    """
    past = change.change_type in _LEAVES or (
        change.change_type is ChangeType.NEW_HIRE and change.previous.company is not None
    )
    current = change.change_type is not ChangeType.DEPARTURE or change.current.company is not None
    sides: tuple[tuple[Side, bool], ...] = (("past", past), ("current", current))
    return tuple(side for side, holds in sides if holds)


def lookup_of(key: str, change: JobChange, required: RequiredRecords) -> PersonLookup:
    """
    What to look up in Salesforce for a job change.

    If rules require companies, the accounts of both are looked up by id, domain and name; otherwise only by id.
    """
    ids = change.salesforce
    kinds = {key.kind for key in required.person_keys}
    custom = {f"custom.{name}": value for name, value in change.custom.items() if f"custom.{name}" in kinds}
    return PersonLookup(
        key=key,
        contact_id=ids.contact_id,
        lead_id=ids.lead_id,
        emails=tuple(change.person.emails),
        linkedin_url=change.person.linkedin_url,
        custom={name: str(value) for name, value in custom.items() if isinstance(value, str | int) and value},
        past_contact_id=ids.past_contact_id,
        past=_company_lookup(change.previous.company, required),
        current=_company_lookup(change.current.company, required),
    )


def _company_lookup(company: Company | None, required: RequiredRecords) -> CompanyLookup:
    if company is None:
        return CompanyLookup()
    if not required.companies:
        return CompanyLookup(company.salesforce_id)
    return CompanyLookup(company.salesforce_id, company.domain, company.name)


def _view(change: JobChange, records: PersonRecords | None, side: Side | None) -> View:
    company = change.previous.company if side == "past" else change.current.company
    label = company.label if company else "the company"
    if records is None:
        return View(side, change.person.name, label)
    contact = _contact(change, records, side)
    account = _account(change, records, side)
    return View(side, change.person.name, account.name if account else label, contact, records.lead, account)


def _account(change: JobChange, records: PersonRecords, side: Side | None) -> Account | None:
    contact_account = records.contact.account if records.contact else None
    past, current = records.past_account, records.current_account
    if side is None:
        return contact_account or _account_named_by_source(change, records)
    if change.change_type in _STAYS:
        return current or contact_account
    if side == "current":
        return current
    if past is not None and _is_named(change.previous.company, past):
        return past
    has_moved = contact_account is not None and current is not None and contact_account.id == current.id
    return past if contact_account is None or has_moved else contact_account


def _account_named_by_source(change: JobChange, records: PersonRecords) -> Account | None:
    """The account of the previous company, else of the current one, if its id came with the job change."""
    past, current = records.past_account, records.current_account
    if past and change.change_type in _LEAVES and _is_named(change.previous.company, past):
        return past
    return current if current and _is_named(change.current.company, current) else None


def _is_named(company: Company | None, account: Account) -> bool:
    """Whether the job change came with this account's id, which takes precedence over the contact's account."""
    return bool(company and company.salesforce_id and company.salesforce_id[:15] == account.id[:15])


def _contact(change: JobChange, records: PersonRecords, side: Side | None) -> Contact | None:
    """The person's contact on this side: people can have one contact at each company."""
    if side is None or change.change_type in _STAYS:
        return records.contact
    current = records.current_account
    at_current = [
        contact for contact in records.contacts if current and contact.account and contact.account.id == current.id
    ]
    if side == "current":
        return records.contact if records.contact in at_current else next(iter(at_current), None)
    if records.past_contact is not None and records.past_contact not in at_current:
        return records.past_contact
    if records.contact in at_current:  # the contact at the company joined is never the one of the company left
        return next((contact for contact in records.contacts if contact not in at_current), None)
    return records.contact
