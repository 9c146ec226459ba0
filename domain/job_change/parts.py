"""The parts of a job change: signal, change type, person, companies, jobs and Salesforce ids. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from domain.job_change.field_types import Domain, Emails, SalesforceId, Text, Url


class Signal(StrEnum):
    """The stream that a job change came on."""

    CONTACT_TRACKING = "contact_tracking"
    NEW_HIRES_PROMOTIONS = "new_hires_promotions"
    CUSTOM = "custom"


class ChangeType(StrEnum):
    """What kind of change it is."""

    NEW_COMPANY = "new_company"
    NEW_HIRE = "new_hire"
    PROMOTION = "promotion"
    LATERAL = "lateral"
    DEPARTURE = "departure"
    ADDITIONAL_ROLE = "additional_role"


class Part(BaseModel):
    """Base of the job change and of everything in it."""

    # Strict, so that "87" is not a score and 1 is not a name. Unknown fields are moved under `custom` before.
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class Company(Part):
    """A company as the sender names it. At least one of name, domain and id is set; otherwise the company is None."""

    name: Text = None
    domain: Domain = None
    salesforce_id: SalesforceId = None

    @property
    def label(self) -> str:
        return self.name or self.domain or "a company without a name"


def _known_company(company: Company | None) -> Company | None:
    return company if company and (company.name or company.domain or company.salesforce_id) else None


class Job(Part):
    """A title at a company. Either may be unknown."""

    title: Text = None
    company: Annotated[Company | None, AfterValidator(_known_company)] = None


class Person(Part):
    """Who changed jobs. `external_id` is the sender's own id of the person, for senders that know nothing else."""

    full_name: Text = None
    first_name: Text = None
    last_name: Text = None
    linkedin_url: Url = None
    emails: Emails = []
    external_id: Text = None

    @property
    def name(self) -> str:
        """The full name, as people read it."""
        if self.full_name or not (self.first_name and self.last_name):
            return self.full_name or f"Person {self.external_id}"
        return f"{self.first_name} {self.last_name}"


class SalesforceIds(Part):
    """Salesforce records that the sender already knows."""

    contact_id: SalesforceId = None
    past_contact_id: SalesforceId = None
    lead_id: SalesforceId = None
    opportunity_id: SalesforceId = None


class Links(Part):
    """Pages with more about the change."""

    source_url: Url = None
