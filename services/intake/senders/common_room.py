"""
Common Room: a contact, or an activity with a member, after an organization change.

https://www.commonroom.io/docs/set-preferences/webhooks/. Pure.
"""

from __future__ import annotations

from services.intake.mapping.row_mapping import RowMapping
from services.intake.senders.proofs import secret_header
from services.intake.senders.sender import Payload, Reading, Sender, part

_MEMBER = RowMapping(
    {
        "fullName": ["person.full_name"],
        "firstName": ["person.first_name"],
        "lastName": ["person.last_name"],
        "linkedInUrl": ["person.linkedin_url"],
        "primaryEmail": ["person.emails"],
        "allEmails": ["person.emails"],  # among them the address of the company left, by which the contact is found
        "email": ["person.emails"],
        "emails": ["person.emails"],
        "title": ["current.title"],
        "organization.name": ["current.company.name"],
        "organization.domain": ["current.company.domain"],
        "organization.salesforceAccountId": ["current.company.salesforce_id"],
        "previousTitle": ["previous.title"],
        "previousOrganization.name": ["previous.company.name"],
        "previousOrganization.domain": ["previous.company.domain"],
        "organizationChangeDate": ["occurred_on"],
        "salesforceContactId": ["salesforce.contact_id"],
        "salesforceLeadId": ["salesforce.lead_id"],
        "commonRoomContactLink": ["links.source_url"],
    }
)


def read(payload: Payload) -> Reading:
    """Read the member, wherever it is in the payload."""
    inner = part(payload, "payload") or payload
    member = part(inner, "member") or part(inner, "contact") or inner
    if not (
        part(member, "previousOrganization") or member.get("previousTitle") or member.get("organizationChangeDate")
    ):
        return Reading(skipped=("the contact has no previous organization or title",))
    return Reading((_MEMBER.read({name: member[name] for name in member if name != "source"}, SENDER.name),))


SENDER = Sender(
    name="common_room",
    label="Common Room",
    proof=secret_header("x-commonroom-webhook-secret"),
    read=read,
    documents="https://www.commonroom.io/docs/set-preferences/webhooks/",
    steps=(
        "In Common Room, open Settings, Webhooks, and add a webhook with the payload of a contact.",
        "Enter the address {url} and the secret {secret}",
        "Add a workflow that sends contacts whose organization has changed to this webhook.",
    ),
    sample={
        "id": "evt_1",
        "payload": {
            "type": "contact",
            "fullName": "Ada Smith",
            "primaryEmail": "ada@globex.example",
            "allEmails": ["ada@globex.example", "ada@initech.example"],
            "linkedInUrl": "https://www.linkedin.com/in/ada",
            "title": "CRO",
            "organization": {"name": "Globex", "domain": "globex.example"},
            "previousTitle": "VP Sales",
            "previousOrganization": {"name": "Initech", "domain": "initech.example"},
            "organizationChangeDate": "2026-11-01T00:00:00.000Z",
        },
    },
)
