"""The fields of Salesforce by which people are found: reading, proposing and changing them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from domain.audit import AuditEntry
from domain.people import DEFAULT_KEYS, EMAIL, LINKEDIN, PersonKey, parse_keys
from domain.rule_versions import ACTION
from services.ownership.org_schema import OrgSchemas
from services.ownership.rules.check import OrgField, OrgSchema
from store.database import Database
from store.ownership import owners

_OBJECTS = ("Contact", "Lead")


@dataclass(frozen=True)
class PersonKeys:
    """The caller checks permissions. `actor` is a Slack user id."""

    database: Database
    schemas: OrgSchemas
    now: Callable[[], int]

    async def read(self, workspace_id: str) -> tuple[PersonKey, ...]:
        return (await self.database.run(owners.matching, workspace_id)).person_keys

    async def proposed(self, workspace_id: str) -> list[PersonKey]:
        """
        Return fields of the org that look like a LinkedIn address or another email address, by name and label.

        Raises PermanentError, TransientError.
        """
        org = await self.schemas.fetch(workspace_id)
        in_use = await self.read(workspace_id)
        return [key for key in proposed_keys(org) if key not in (*in_use, *DEFAULT_KEYS)] if org else []

    async def save(self, workspace_id: str, actor: str, text: str) -> str | None:
        """Save one key per line; an empty text means the default. Return what is wrong, or None. Raises as above."""
        keys = parse_keys(text)
        if isinstance(keys, str):
            return keys
        org = await self.schemas.fetch(workspace_id, fresh=True)
        for key in keys:
            field = org.fields.get(f"{key.sobject}.{key.field}".lower()) if org else None
            if org is not None and field is None:
                return f"{key.sobject}.{key.field} does not exist in Salesforce, or the app may not read it."
        change = AuditEntry(self.now(), actor, f"{ACTION}: finding people changed", "; ".join(map(str, keys)))
        await self.database.run(owners.find_people_by, workspace_id, keys, change)
        return None


def proposed_keys(org: OrgSchema) -> list[PersonKey]:
    """The fields of Contact and Lead that can hold a person's LinkedIn or other email address, sorted by name."""
    keys: list[PersonKey] = []
    for field in sorted(org.fields.values(), key=lambda field: field.name):
        sobject, _, name = field.name.partition(".")
        kind = _kind(field) if sobject in _OBJECTS and name.endswith("__c") else None
        keys += [PersonKey(sobject, name, kind)] if kind else []
    return [key for key in keys if not isinstance(parse_keys(str(key)), str)]


def _kind(field: OrgField) -> str | None:
    words = f"{field.name} {field.label}".lower()
    if "linkedin" in words and not any(other in words for other in ("company", "account", "token", "id__c")):
        return LINKEDIN
    is_address = field.type == "email"
    return EMAIL if is_address else None
