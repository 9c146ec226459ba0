"""A job change with all that is known of it: its sides, the records on each, the segments they are in. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from domain.job_change.model import JobChange
from domain.job_change.parts import ChangeType, Company
from services.ownership.rules.owner_sources import Side
from services.ownership.rules.rule_set import FieldTest, Segment, Segments
from services.salesforce.records import (
    Account,
    CompanyLookup,
    Contact,
    Fields,
    Lead,
    Opportunity,
    PersonLookup,
    PersonRecords,
    SalesforceUser,
)

_STAYS = {ChangeType.PROMOTION, ChangeType.LATERAL}
_LEAVES = {ChangeType.NEW_COMPANY, ChangeType.DEPARTURE}
_NOT_CONNECTED = "Salesforce is not connected"


@dataclass(frozen=True)
class View:
    """
    The records on one side, or of the person whatever the side. *company*: what to call the account's company.

    *side* None: the person's contact, that contact's account, their lead. Where they have no account, it is the one of
    a company whose id the sender knew.
    """

    side: Side | None
    person: str
    company: str
    contact: Contact | None = None
    lead: Lead | None = None
    account: Account | None = None

    def fields(self, sobject: str, opportunity: Opportunity | None) -> Fields | None:
        """Of the record of this kind; None: there is none."""
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
    What a choice is made from. *records* None: no Salesforce could be asked, *trouble* says why.

    *users* by the first 15 characters of their ids; *unreadable*: fields we may not read, `account.sdr__c`; *labels*:
    what the org calls its fields, by the same names.
    """

    change: JobChange
    records: PersonRecords | None
    users: Mapping[str, SalesforceUser] = field(default_factory=lambda: MappingProxyType({}))
    unreadable: frozenset[str] = frozenset()
    trouble: str | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @cached_property
    def views(self) -> Mapping[Side | None, View]:
        return {side: _view(self.change, self.records, side) for side in (None, "past", "current")}

    def account_key(self, side: Side | None) -> str | None:
        """What stays with a member of a sticky pool: the account, or the company where there is none."""
        view = self.views[side]
        if view.account:
            return view.account.id[:15]
        company = self.change.previous.company if side == "past" else self.change.current.company
        return (company.domain or (company.name or "").casefold() or None) if company else None

    @property
    def no_records(self) -> str:
        """Why nothing of Salesforce's is known."""
        return self.trouble or _NOT_CONNECTED


def sides_of(change: JobChange) -> tuple[Side, ...]:
    """
    Which companies a job change concerns: the one left, the one joined, or the one where it happened.

    A promotion has no past side, nobody has left; a departure has a current one where the next company is known.
    """
    past = change.change_type in _LEAVES or (
        change.change_type is ChangeType.NEW_HIRE and change.previous.company is not None
    )
    current = change.change_type is not ChangeType.DEPARTURE or change.current.company is not None
    sides: tuple[tuple[Side, bool], ...] = (("past", past), ("current", current))
    return tuple(side for side, holds in sides if holds)


def lookup_of(key: str, change: JobChange, *, companies: bool) -> PersonLookup:
    """
    What to ask Salesforce about a job change.

    *companies*: also for the accounts of both companies, however they can be found; else for those only whose ids the
    sender knows.
    """
    ids = change.salesforce
    find = _company_lookup if companies else _named_company
    return PersonLookup(
        key=key,
        contact_id=ids.contact_id,
        lead_id=ids.lead_id,
        emails=tuple(change.person.emails),
        past=find(change.previous.company),
        current=find(change.current.company),
    )


def segments_of(account: Account | None, segments: Segments) -> frozenset[Segment]:
    """How this workspace sees the account; None: it is not in Salesforce."""
    if account is None:
        return frozenset({"none", "not_in_salesforce"})
    found: set[Segment] = set()
    if _holds(segments.customer, account.fields):
        found.add("customer")
    if _holds(segments.target, account.fields):
        found.add("target")
    if account.open:
        found.add("open_opportunity")
    elif account.last_lost and _closed(account.last_lost) >= _closed(account.last_won):
        found.add("closed_lost")
    return frozenset(found or {"none"})


def text_of(fields: Fields | None, name: str) -> str | None:
    """A field as it is compared, folded; None: there is no such record, or nothing in the field."""
    value = None if fields is None else fields.get(name.lower())
    if value is None or isinstance(value, bool):
        return None if value is None else str(value).casefold()
    return f"{value:g}" if isinstance(value, float) else str(value).casefold()


def _holds(test: FieldTest, fields: Fields) -> bool:
    text = text_of(fields, test.field.partition(".")[2])
    wanted = [one.casefold() for one in test.values]
    return text is not None and (any(one in text for one in wanted) if test.test == "contains" else text in wanted)


def _closed(opportunity: Opportunity | None) -> str:
    return (opportunity and opportunity.closed_on) or ""


def _company_lookup(company: Company | None) -> CompanyLookup:
    return CompanyLookup(company.salesforce_id, company.domain, company.name) if company else CompanyLookup()


def _named_company(company: Company | None) -> CompanyLookup:
    return CompanyLookup(company.salesforce_id) if company else CompanyLookup()


def _view(change: JobChange, records: PersonRecords | None, side: Side | None) -> View:
    company = change.previous.company if side == "past" else change.current.company
    view = View(side, change.person.name, company.label if company else "the company")
    if records is None:
        return view
    contact = _contact(change, records, side)
    account = _account(change, records, side)
    label = account.name if account else view.company
    return View(side, change.person.name, label, contact, records.lead, account)


def _account(change: JobChange, records: PersonRecords, side: Side | None) -> Account | None:
    own = records.contact.account if records.contact else None
    found, other = records.past_account, records.current_account
    if side is None:
        return own or _named_by_sender(change, records)
    if change.change_type in _STAYS:
        return other or own
    if side == "current":
        return other
    if found is not None and _names(change.previous.company, found):
        return found
    moved = own is not None and other is not None and own.id == other.id
    return found if own is None or moved else own


def _named_by_sender(change: JobChange, records: PersonRecords) -> Account | None:
    """The account of the company left, else of the one where the person is now, if its id came with the job change."""
    past, current = records.past_account, records.current_account
    if past and change.change_type in _LEAVES and _names(change.previous.company, past):
        return past
    return current if current and _names(change.current.company, current) else None


def _names(company: Company | None, account: Account) -> bool:
    """Whether the sender named this very record: then it counts before the contact's account."""
    return bool(company and company.salesforce_id and company.salesforce_id[:15] == account.id[:15])


def _contact(change: JobChange, records: PersonRecords, side: Side | None) -> Contact | None:
    """On the current side the person's contact there, which may be another record than the one of the company left."""
    if side is None or change.change_type in _STAYS:
        return records.contact
    current = records.current_account
    there = [one for one in records.contacts if current and one.account and one.account.id == current.id]
    if side == "current":
        return records.contact if records.contact in there else next(iter(there), None)
    if records.contact in there and change.salesforce.contact_id is None:
        return next((one for one in records.contacts if one not in there), records.contact)
    return records.contact
