"""
Explorium: a prospect changed company or role, known by Explorium's id of the prospect alone.

The fields are those of https://developers.explorium.ai/reference/prospects/events/types/recently_changed_company.
How a webhook proves itself could not be read, so a request needs one of the app's own keys. Pure.
"""

from __future__ import annotations

from services.intake.senders.proofs import API_KEY
from services.intake.senders.sender import Payload, Reading, Sender, without_empty

PERSON_FIELD = "explorium_prospect_id"
_SIGNS = frozenset({"current_company_name", "previous_company_name", "current_job_title", "previous_job_title"})


def read(payload: Payload) -> Reading:
    """Read the event, whether it is the payload or inside of one."""
    levels = [payload, *(inner for inner in payload.values() if isinstance(inner, dict))]
    event = next((level for level in levels if _SIGNS & level.keys()), None)
    if event is None:
        return Reading(skipped=("the event is no change of company or role",))
    person_id = next((level["prospect_id"] for level in levels if level.get("prospect_id")), None)
    external_id = str(person_id) if isinstance(person_id, str | int) else None
    previous, current = _job(event, "previous"), _job(event, "current")
    joined, left = current.get("company"), previous.get("company")
    change_type = "new_company" if joined else "departure"
    if joined and joined == left:
        change_type = "lateral"
    person = {name: event.get(name) for name in ("full_name", "linkedin_url")} | {"external_id": external_id}
    fields = {
        "source": SENDER.name,
        "source_event_id": event.get("event_id"),
        "signal": "contact_tracking",
        "change_type": change_type,
        "occurred_on": event.get("event_time"),
        "previous": previous,
        "current": current,
        "custom": without_empty({PERSON_FIELD: external_id}),
    }
    return Reading((without_empty(fields) | {"person": without_empty(person)},))


def _job(event: Payload, side: str) -> dict[str, object]:
    company = without_empty({"name": event.get(f"{side}_company_name")})
    return without_empty({"title": event.get(f"{side}_job_title"), "company": company})


SENDER = Sender(
    name="explorium",
    label="Explorium",
    proof=API_KEY,
    read=read,
    documents="https://developers.explorium.ai/reference/webhooks",
    steps=(
        "Have a tool that can set a header (Zapier, Make, n8n) receive Explorium's events, and pass them on to {url}",
        "Set the header X-Api-Key there to the value {secret}",
        (
            "In Salesforce, keep Explorium's prospect id in a field of Contact, and add the line"
            f" Contact.YOUR_FIELD__c = custom.{PERSON_FIELD} under Find people."
        ),
    ),
    sample={
        "event_name": "prospect_changed_company",
        "prospect_id": "p-1",
        "event_id": "evt_1",
        "event_time": "2026-11-01T00:00:00Z",
        "previous_company_name": "Initech",
        "previous_company_id": "c-1",
        "previous_job_title": "VP Sales",
        "current_company_name": "Globex",
        "current_company_id": "c-2",
        "current_job_title": "CRO",
    },
    person_field=PERSON_FIELD,
)
