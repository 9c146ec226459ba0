"""The fields of Salesforce by which people and their companies are found: reading, proposing and changing them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from domain.audit import AuditEntry
from domain.people import DEFAULT_KEYS, EMAIL, LINKEDIN, PersonKey, SearchFields, parse_keys
from domain.rule_versions import ACTION
from services.ownership.org_schema import OrgSchemas
from services.ownership.rules.check import OrgField, OrgSchema
from store.database import Database
from store.ownership import owners

_OBJECTS = ("Contact", "Lead")
_TEXTS = ("string", "url")


@dataclass(frozen=True)
class PersonKeys:
    """The caller checks permissions. `actor` is a Slack user id."""

    database: Database
    schemas: OrgSchemas
    now: Callable[[], int]

    async def read(self, workspace_id: str) -> SearchFields:
        matching = await self.database.run(owners.matching, workspace_id)
        return SearchFields(matching.person_keys, matching.domain_field)

    async def proposed(self, workspace_id: str) -> SearchFields:
        """
        Return fields of the org, not in use yet, that look like an address of a person or the domain of a company.

        Raises PermanentError, TransientError.
        """
        org, in_use = await self.schemas.fetch(workspace_id), await self.read(workspace_id)
        if org is None:
            return SearchFields((), None)
        keys = tuple(key for key in proposed_keys(org) if key not in (*in_use.keys, *DEFAULT_KEYS))
        return SearchFields(keys, None if in_use.domain_field else proposed_domain_field(org))

    async def save(self, workspace_id: str, actor: str, text: str, domain_field: str | None) -> dict[str, str]:
        """
        Save one key per line, and the domain field. An empty text means the default.

        Returns what is wrong, by `person_keys` and `domain_field`, and saves nothing then. Raises as above.
        """
        keys = parse_keys(text)
        if isinstance(keys, str):
            return {"person_keys": keys}
        org = await self.schemas.fetch(workspace_id, fresh=True)
        named = [("person_keys", f"{key.sobject}.{key.field}") for key in keys]
        named += [("domain_field", f"Account.{domain_field}")] if domain_field else []
        problems = {
            place: f"{name} does not exist in Salesforce, or the app may not read it."
            for place, name in reversed(named)
            if org is not None and name.lower() not in org.fields
        }
        if not problems:
            detail = "; ".join([*map(str, keys), *([f"Account.{domain_field} = domain"] if domain_field else [])])
            change = AuditEntry(self.now(), actor, f"{ACTION}: finding people changed", detail)
            await self.database.run(owners.find_records_by, workspace_id, keys, domain_field, change)
        return problems


def proposed_keys(org: OrgSchema) -> list[PersonKey]:
    """The fields of Contact and Lead that can hold a person's LinkedIn or other email address, sorted by name."""
    keys: list[PersonKey] = []
    for field in sorted(org.fields.values(), key=lambda field: field.name):
        sobject, _, name = field.name.partition(".")
        kind = _kind(field) if sobject in _OBJECTS and name.endswith("__c") else None
        keys += [PersonKey(sobject, name, kind)] if kind else []
    return [key for key in keys if not isinstance(parse_keys(str(key)), str)]


def proposed_domain_field(org: OrgSchema) -> str | None:
    """The first custom field of Account, by name, that can hold the domain of a company."""
    for field in sorted(org.fields.values(), key=lambda field: field.name):
        is_custom = field.name.startswith("Account.") and field.name.endswith("__c")
        if is_custom and field.type in _TEXTS and "domain" in f"{field.name} {field.label}".lower():
            return field.name.partition(".")[2]
    return None


def _kind(field: OrgField) -> str | None:
    words = f"{field.name} {field.label}".lower()
    if "linkedin" in words and not any(other in words for other in ("company", "account", "token", "id__c")):
        return LINKEDIN
    return EMAIL if field.type == "email" else None
