"""Tools that send flat rows, one for each person, whose columns were named by a user: Clay, Zapier, Make, n8n. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from services.intake.mapping.fields import FIELDS
from services.intake.mapping.row_mapping import RowMapping
from services.intake.senders.proofs import API_KEY
from services.intake.senders.sender import Payload, Reading, Sender

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

SAMPLE: dict[str, Any] = {
    "Full Name": "Ada Smith",
    "LinkedIn Profile": "https://www.linkedin.com/in/ada",
    "Work Email": "ada@initech.example",
    "Previous Company": "Initech",
    "New Company": "Globex",
    "Title": "CRO",
}


def read_row(row: Mapping[str, object], source: str) -> dict[str, Any]:
    """Read a flat row whose columns have common names."""
    return FLAT.read({name: value for name, value in row.items() if name != "source"}, source)


def _reader(name: str) -> Callable[[Payload], Reading]:
    return lambda row: Reading((read_row(row, name),))


def _tool(name: str, label: str, documents: str, *steps: str) -> Sender:
    first, second, third = steps
    return Sender(name, label, API_KEY, _reader(name), documents, (first, second, third), SAMPLE)


CLAY = _tool(
    "clay",
    "Clay",
    "https://university.clay.com/docs/http-api-integration-overview",
    "In Clay, add a column of the type HTTP API with the method POST.",
    "Enter the address {url} and the header X-Api-Key with the value {secret}",
    "List the columns as JSON in the body, with names such as Full Name, Work Email, New Company and Title.",
)
ZAPIER = _tool(
    "zapier",
    "Zapier",
    "https://help.zapier.com/hc/en-us/articles/8496326446989",
    "In Zapier, add the action Webhooks by Zapier, POST, with the payload type json.",
    "Enter the address {url} and the header X-Api-Key with the value {secret}",
    "Fill in the columns as Data, with names such as Full Name, Work Email, New Company and Title.",
)
MAKE = _tool(
    "make",
    "Make",
    "https://apps.make.com/http",
    "In Make, add the module HTTP, Make a request, with the method POST.",
    "Enter the address {url} and the header X-Api-Key with the value {secret}",
    "Choose the body type Raw and the content type JSON, and write the columns as a JSON object.",
)
N8N = _tool(
    "n8n",
    "n8n",
    "https://docs.n8n.io/integrations/builtin/core-nodes/n8n-nodes-base.httprequest/",
    "In n8n, add an HTTP Request node with the method POST.",
    "Enter the address {url} and the header X-Api-Key with the value {secret}",
    "Turn on Send Body as JSON, with names such as Full Name, Work Email, New Company and Title.",
)
TOOLS = (CLAY, ZAPIER, MAKE, N8N)
OTHER_NAMES = ("flat", "csv", "sheet")
"""Further names under which flat rows are read."""
