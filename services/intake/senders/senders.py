"""Senders whose rows need no mapping: flat rows of any tool, Common Room, TAMradar. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from domain.job_change.model import DEFAULT_SOURCE
from domain.job_change.validation import Fault, InvalidJobChangeError
from services.intake.senders.row_mapping import FIELDS, RowMapping, value_at

LONGEST_SOURCE = 100

_ALIASES = {
    "source_event_id": "event_id record_id row_id id",
    "signal": "signal_name",
    "change_type": "change type_of_change event_type event type job_change_type",
    "occurred_on": "occurred date change_date job_change_date start_date started_on started new_job_start_date",
    "detected_at": "detected discovered_at found_at timestamp",
    "person.full_name": "full_name name contact_name person_name contact",
    "person.first_name": "first_name firstname given_name",
    "person.last_name": "last_name lastname surname family_name",
    "person.linkedin_url": "linkedin_url linkedin linkedin_profile linkedin_profile_url profile_url",
    "person.emails": "email emails work_email email_address new_email new_work_email business_email"
    " previous_email old_email previous_work_email personal_email contact_email",
    "previous.title": "previous_title old_title past_title former_title previous_job_title old_job_title",
    "previous.company.name": "previous_company old_company past_company former_company previous_company_name"
    " old_company_name past_account previous_account previous_employer",
    "previous.company.domain": "previous_company_domain old_company_domain past_company_domain previous_domain"
    " previous_company_website old_domain",
    "previous.company.salesforce_id": "previous_account_id past_account_id old_account_id",
    "current.title": "current_title new_title title job_title new_job_title current_job_title position",
    "current.company.name": "current_company new_company company company_name new_company_name current_company_name"
    " organization new_account employer",
    "current.company.domain": "current_company_domain new_company_domain company_domain domain website"
    " company_website new_company_website new_domain",
    "current.company.salesforce_id": "current_account_id new_account_id account_id salesforce_account_id",
    "relationship": "relationship_type past_relationship",
    "persona": "buyer_persona",
    "score": "contact_score lead_score icp_score",
    "salesforce.contact_id": "contact_id salesforce_contact_id sfdc_contact_id past_contact_id",
    "salesforce.lead_id": "lead_id salesforce_lead_id sfdc_lead_id",
    "salesforce.opportunity_id": "opportunity_id salesforce_opportunity_id",
    "dri_email": "dri owner_email account_owner_email contact_owner_email",
    "links.source_url": "source_url url link",
}

FLAT = RowMapping({path: [name] for name in FIELDS for path in (name, *_ALIASES.get(name, "").split())})
"""One row per person: the columns of a spreadsheet or of a table in Clay, the fields of a Zap."""

_MEMBER = {
    "fullName": "person.full_name",
    "firstName": "person.first_name",
    "lastName": "person.last_name",
    "linkedInUrl": "person.linkedin_url",
    "primaryEmail": "person.emails",
    "email": "person.emails",
    "emails": "person.emails",
    "title": "current.title",
    "organization.name": "current.company.name",
    "organization.domain": "current.company.domain",
    "organization.salesforceAccountId": "current.company.salesforce_id",
    "previousTitle": "previous.title",
    "previousOrganization.name": "previous.company.name",
    "previousOrganization.domain": "previous.company.domain",
    "organizationChangeDate": "occurred_on",
    "salesforceContactId": "salesforce.contact_id",
    "salesforceLeadId": "salesforce.lead_id",
    "commonRoomContactLink": "links.source_url",
}
COMMON_ROOM = RowMapping(
    {
        f"{inside}{path}": [name]
        for inside in ("payload.member.", "payload.contact.", "member.", "contact.", "payload.", "")
        for path, name in _MEMBER.items()
    }
)
"""https://www.commonroom.io/docs/set-preferences/webhooks/"""

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
_TAMRADAR_MOVES = RowMapping(
    _COMMON_PATHS
    | {
        f"content.{theirs}_role.{path}": [f"{ours}.{name}"]
        for theirs, ours in (("new", "current"), ("previous", "previous"))
        for path, name in (("title", "title"), ("company_name", "company.name"), ("company_domain", "company.domain"))
    }
    | {"content.new_role.start_date": ["occurred_on"], "content.previous_role.end_date": ["occurred_on"]}
)
_TAMRADAR_HIRES = RowMapping(
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

FLAT_SOURCES = ("flat", "csv", "clay", "zapier", "make", "n8n", "sheet")


def read(raw: object, source: str | None = None, own: RowMapping | None = None) -> object:
    """
    Return what a sender sent in the format of JobChange.parse. Raises InvalidJobChangeError.

    `source` is the sender in the address that was posted to; if it is None, the row names it. `own` is the workspace's
    mapping for the sender. A job change in our own format is returned unchanged.
    """
    if not isinstance(raw, dict):
        return raw
    name = source or source_of(raw)
    if own is not None and (source is not None or not is_ours(raw)):
        return own.read(raw, name or DEFAULT_SOURCE)
    if is_ours(raw):
        return raw if source is None else {"source": source} | raw
    if name == "tamradar":
        return _tamradar(raw)
    if name == "common_room":
        return COMMON_ROOM.read(raw, name)
    return flat(raw, name) if name in FLAT_SOURCES else raw


def is_ours(raw: object) -> bool:
    """Whether it has our own format, or cannot be mapped at all."""
    return not isinstance(raw, dict) or "person" in raw


def flat(row: Mapping[str, object], source: str) -> dict[str, Any]:
    """Read a flat row whose columns have common names."""
    return FLAT.read({name: value for name, value in row.items() if name != "source"}, source)


def source_of(raw: object) -> str | None:
    """Return the sender that a row names, or None if it has no valid one."""
    name = raw.get("source") if isinstance(raw, dict) else None
    return name.strip() if isinstance(name, str) and 0 < len(name.strip()) <= LONGEST_SOURCE else None


def _tamradar(raw: Mapping[str, Any]) -> dict[str, Any]:
    """https://tamradar.readme.io/reference/webhook-payload"""
    kind = value_at(raw, "data.radar_type")
    if raw.get("event_type", "radar_finding") != "radar_finding":
        raise InvalidJobChangeError(
            [Fault("event_type", "must be radar_finding, since other events contain no job change")]
        )
    moves = {
        "contact_job_changes": _TAMRADAR_MOVES,
        "promotions": _TAMRADAR_HIRES,
        "new_hires": _TAMRADAR_HIRES,
    }
    if not isinstance(kind, str) or kind not in moves:
        raise InvalidJobChangeError([Fault("data.radar_type", "is not a radar for job changes")])
    job_change = moves[kind].read(raw, "tamradar")
    person = job_change.setdefault("person", {})
    if not person.keys() & {"full_name", "first_name", "last_name"} and (name := name_of(person.get("linkedin_url"))):
        person["full_name"] = name  # this radar has no name, and the one in the address is better than refusing the row
    return job_change


def name_of(profile: object) -> str | None:
    """Return the name in the address of a LinkedIn profile, such as /in/ada-smith-75571, or None."""
    slug = re.search(r"/in/([^/?#]+)", profile) if isinstance(profile, str) else None
    words = [word for word in slug[1].split("-") if word.isalpha()] if slug else []
    return " ".join(word.capitalize() for word in words) or None
