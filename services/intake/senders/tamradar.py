"""
TAMradar: findings of the radars for job changes, promotions and new hires, which are not signed. Pure.

https://tamradar.readme.io/reference/webhook-payload
"""

from __future__ import annotations

from services.intake.mapping.row_mapping import RowMapping
from services.intake.senders.proofs import API_KEY
from services.intake.senders.sender import Payload, Reading, Sender, name_of, part

_COMMON_PATHS = {
    "record_id": ["source_event_id"],
    "event_id": ["source_event_id"],
    "discovered_at": ["detected_at"],
    "content.change_type": ["change_type"],
    "data.radar_type": ["change_type"],
    "content.full_name": ["person.full_name"],
    "content.first_name": ["person.first_name"],
    "content.last_name": ["person.last_name"],
    "data.custom_fields.full_name": ["person.full_name"],
    "data.custom_fields.email": ["person.emails"],
    "content.profile_url": ["person.linkedin_url"],
    "content.linkedin_url": ["person.linkedin_url"],
    "data.custom_fields.contact_id": ["salesforce.contact_id"],
    "data.custom_fields": ["custom.custom_fields"],
}
_MOVES = RowMapping(
    _COMMON_PATHS
    | {
        f"content.{theirs}_role.{path}": [f"{ours}.{name}"]
        for theirs, ours in (("new", "current"), ("previous", "previous"))
        for path, name in (("title", "title"), ("company_name", "company.name"), ("company_domain", "company.domain"))
    }
    | {"content.new_role.start_date": ["occurred_on"], "content.previous_role.end_date": ["occurred_on"]}
)
_HIRES = RowMapping(
    _COMMON_PATHS
    | {
        "content.current_title": ["current.title"],
        "content.title": ["current.title"],
        "content.previous_title": ["previous.title"],
        "content.company_name": ["current.company.name"],
        "data.domain": ["current.company.domain"],
        "data.custom_fields.account_id": ["current.company.salesforce_id"],
        "content.promotion_date": ["occurred_on"],
        "content.start_date": ["occurred_on"],
    }
)
_RADARS = {"contact_job_changes": _MOVES, "promotions": _HIRES, "new_hires": _HIRES}


def read(payload: Payload) -> Reading:
    if payload.get("event_type", "radar_finding") != "radar_finding":
        return Reading(skipped=("the event is not a finding of a radar",))
    radar = part(payload, "data").get("radar_type")
    mapping = _RADARS.get(radar) if isinstance(radar, str) else None
    if mapping is None:
        return Reading(skipped=("the radar is not one for job changes",))
    job_change = mapping.read(payload, SENDER.name)
    person = job_change.setdefault("person", {})
    if not person.keys() & {"full_name", "first_name", "last_name"} and (name := name_of(person.get("linkedin_url"))):
        person["full_name"] = name  # this radar has no name, and the one in the address is better than refusing the row
    return Reading((job_change,))


SENDER = Sender(
    name="tamradar",
    label="TAMradar",
    proof=API_KEY,
    read=read,
    documents="https://tamradar.readme.io/reference/webhook-payload",
    steps=(
        "TAMradar does not sign. Have a tool that can set a header (Zapier, Make, n8n) receive its findings.",
        "Have that tool pass them on to {url} unchanged, with the header X-Api-Key and the value {secret}",
        "Create radars for contact_job_changes, promotions or new_hires. Attach full_name and email as custom fields.",
    ),
    sample={
        "event_id": "evt-1",
        "event_type": "radar_finding",
        "record_id": "rec-1",
        "discovered_at": "2026-11-02T19:03:43Z",
        "data": {"radar_type": "contact_job_changes", "domain": "initech.example"},
        "content": {
            "change_type": "new_company_role",
            "profile_url": "https://www.linkedin.com/in/ada-smith-75571",
            "new_role": {
                "title": "CRO",
                "company_name": "Globex",
                "company_domain": "globex.example",
                "start_date": "2026-11-01",
            },
            "previous_role": {"title": "VP Sales", "company_name": "Initech", "company_domain": "initech.example"},
        },
    },
)
