"""Senders of our own format, which sign as Standard Webhooks or send a key. Pure."""

from __future__ import annotations

from typing import Any

from services.intake.senders.proofs import API_KEY, STANDARD_WEBHOOKS
from services.intake.senders.sender import Payload, Reading, Sender

DOCUMENTS = "https://www.standardwebhooks.com"

SAMPLE: dict[str, Any] = {
    "source_event_id": "evt_1",
    "signal": "contact_tracking",
    "change_type": "new_company",
    "person": {"full_name": "Ada Smith", "emails": ["ada@initech.example"]},
    "previous": {"title": "VP Sales", "company": {"name": "Initech", "domain": "initech.example"}},
    "current": {"title": "CRO", "company": {"name": "Globex", "domain": "globex.example"}},
}


def read(payload: Payload) -> Reading:
    return Reading((dict(payload),))


WEBHOOK = Sender(
    name="webhook",
    label="Signed webhook",
    proof=STANDARD_WEBHOOKS,
    read=read,
    documents=DOCUMENTS,
    steps=(
        "Store the secret {secret} where your program finds it.",
        "Sign each request with a library of https://www.standardwebhooks.com.",
        "Post job changes in the app's own format to {url}",
    ),
    sample=SAMPLE,
)
API = Sender(
    name="api",
    label="API with a key",
    proof=API_KEY,
    read=read,
    documents=DOCUMENTS,
    steps=(
        "Store the key {secret} where your program finds it.",
        "Send it with each request, as the header X-Api-Key.",
        "Post job changes in the app's own format to {url}",
    ),
    sample=SAMPLE,
)
