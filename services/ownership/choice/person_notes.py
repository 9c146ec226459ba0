"""Notes for the trace on how the person was found in Salesforce, and why one of several contacts was used. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from domain.decision.reasons import Reason, ReasonCode
from services.ownership.choice.case import Case
from services.salesforce.records import Contact

MOST_NAMED = 5


def person_notes(case: Case) -> Iterator[Reason]:
    """Yield nothing if Salesforce has neither a contact nor a lead of the person."""
    records = case.records
    if records is None:
        return
    if records.contact and records.found_by:
        yield ReasonCode.CONTACT_FOUND.of(record=_named(records.contact), key=records.found_by)
    elif records.lead and records.lead_found_by:
        named = f"{records.lead.name} ({records.lead.id})"
        yield ReasonCode.LEAD_FOUND.of(record=named, key=records.lead_found_by)
    if records.contact and len(records.contacts) > 1:
        named = "; ".join(map(_named, records.contacts[:MOST_NAMED]))
        more = len(records.contacts) - MOST_NAMED
        text = f"{named}{f'; and {more} more' if more > 0 else ''}"
        yield ReasonCode.SEVERAL_CONTACTS.of(limit=len(records.contacts), records=text)
        yield _why(case, records.contact, records.found_by or "")


def _why(case: Case, contact: Contact, found_by: str) -> Reason:
    past, current = (case.view(side).contact for side in ("past", "current"))
    if past and current and past.id != current.id:
        return ReasonCode.CONTACT_OF_EACH_SIDE.of(record=_named(past), other=_named(current))
    named = {name[:15] for name in case.change.salesforce.model_dump().values() if isinstance(name, str)}
    if contact.id[:15] in named:
        return ReasonCode.CONTACT_BY_ID.of(record=_named(contact))
    return ReasonCode.CONTACT_MODIFIED_LAST.of(record=_named(contact), key=found_by)


def _named(contact: Contact) -> str:
    at = f" at {contact.account.name}" if contact.account else ""
    return f"{contact.name}{at} ({contact.id})"
