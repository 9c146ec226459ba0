"""
Lusha: a promotion or a new company of a contact, who is known by Lusha's id alone.

The facts are in docs/senders.md. Lusha switches an address off after three answers that are not 2xx. Pure.
"""

from __future__ import annotations

from domain.workspace import SIGNING
from services.intake.senders.proofs import Credentials, Headers, Proof, TimedSignature, raw
from services.intake.senders.sender import Payload, Reading, Sender, part, without_empty

PERSON_FIELD = "lusha_person_id"
_CHANGE_TYPES = {"companychange": "new_company", "promotion": "promotion"}


def credentials(headers: Headers) -> Credentials:
    signature, timestamp = headers.get("X-Lusha-Signature"), headers.get("X-Lusha-Timestamp")
    if not (signature and timestamp):
        return Credentials()
    return Credentials(TimedSignature(raw(timestamp), (raw(signature).removeprefix(b"sha256="),)))


def read(payload: Payload) -> Reading:
    data, kind = part(payload, "data"), payload.get("type")
    change_type = _CHANGE_TYPES.get(kind.lower()) if isinstance(kind, str) else None
    if change_type is None:
        return Reading(skipped=("the signal is neither a promotion nor a change of company",))
    person_id = _id(data.get("personId")) or _id(payload.get("entityId"))
    previous = {"name": data.get("previousCompanyName"), "domain": data.get("previousDomain")}
    current = {"name": data.get("currentCompanyName"), "domain": data.get("currentDomain")}
    job_change = {
        "source": SENDER.name,
        "source_event_id": _id(payload.get("id")),
        "signal": "new_hires_promotions" if change_type == "promotion" else "contact_tracking",
        "change_type": change_type,
        "occurred_on": data.get("signalDate"),
        "person": without_empty({"external_id": person_id, "full_name": data.get("fullName")}),
        "previous": without_empty({"title": data.get("previousTitle"), "company": without_empty(previous)}),
        "current": without_empty({"title": data.get("currentTitle"), "company": without_empty(current)}),
        "custom": without_empty({PERSON_FIELD: person_id}),
    }
    return Reading((without_empty(job_change) | {"person": job_change["person"]},))


def acknowledge(payload: Payload, at: str) -> dict[str, object]:
    return {"received": True, "timestamp": at, "webhookId": _id(payload.get("id"))}


def _id(value: object) -> str | None:
    is_id = isinstance(value, str | int) and not isinstance(value, bool)
    return str(value) or None if is_id else None


SENDER = Sender(
    name="lusha",
    label="Lusha",
    proof=Proof(
        SIGNING, credentials, "signs each request with the secret that Lusha shows once", is_made_by_vendor=True
    ),
    read=read,
    documents="https://docs.lusha.com",
    steps=(
        "In Lusha's API, create a webhook secret, and enter it here. It is shown only once.",
        "Create a subscription to companyChange and promotion with the address {url}",
        (
            "In Salesforce, keep Lusha's person id in a field of Contact, and add the line"
            f" Contact.YOUR_FIELD__c = custom.{PERSON_FIELD} under Find people."
        ),
    ),
    sample={
        "id": "evt_1",
        "type": "companyChange",
        "entityType": "contact",
        "entityId": "123456",
        "data": {
            "personId": "123456",
            "currentCompanyName": "Globex",
            "currentDomain": "globex.example",
            "currentTitle": "CRO",
            "previousCompanyName": "Initech",
            "previousDomain": "initech.example",
            "signalDate": "2026-11-01",
        },
    },
    acknowledge=acknowledge,
    answers_challenge=True,
    switches_off=True,
    person_field=PERSON_FIELD,
)
