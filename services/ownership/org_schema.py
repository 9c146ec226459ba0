"""The parts of an org's schema that rules can name: fields, lookups to users, and team roles. Cached."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from domain.errors import PermanentError, TransientError
from services.ownership.rules.check import OrgField, OrgSchema
from services.salesforce.queries.describe import SalesforceDescribe
from services.salesforce.queries.objects import FieldInfo, ObjectInfo

CACHED_MS = 60 * 60 * 1000
"""A field that is hidden in the meantime is left out once a query fails because of it."""

_TEAMS = {"account": "AccountTeamMember", "opportunity": "OpportunityTeamMember"}
_NAMED = ("Contact", "Lead", "Account", "Opportunity", "User", *_TEAMS.values())


@dataclass(frozen=True)
class OrgSchemas:
    """The schema of each workspace's org, cached."""

    describe: SalesforceDescribe
    now: Callable[[], int]
    _cache: dict[tuple[str, str], tuple[int, ObjectInfo | None]] = field(default_factory=dict, init=False, repr=False)

    async def readable(self, workspace_id: str, sobjects: Collection[str]) -> dict[str, frozenset[str]]:
        """The fields that the app can read, in lower case, by sObject. What cannot be described now is left out."""
        readable: dict[str, frozenset[str]] = {}
        for sobject in sobjects:
            try:
                info = await self._object(workspace_id, sobject)
            except (PermanentError, TransientError):
                continue  # the query will report it
            readable[sobject] = frozenset(name.lower() for name in info.fields) if info else frozenset()
        return readable

    def labels(self, workspace_id: str, fields: Mapping[str, Collection[str]]) -> dict[str, str]:
        """The org's labels of these fields, as far as they are cached, under keys such as `account.sdr__c`."""
        return {name: _label(field) for name, field in self.described(workspace_id, fields).items()}

    def described(self, workspace_id: str, fields: Mapping[str, Collection[str]]) -> dict[str, FieldInfo]:
        """These fields, as far as they are cached, under keys such as `account.sdr__c`."""
        return {
            f"{sobject}.{name}".lower(): field
            for sobject, names in fields.items()
            if (cached := self._cache.get((workspace_id, sobject))) and (info := cached[1])
            for name in names
            if (field := info.field(name))
        }

    async def fetch(self, workspace_id: str, *, fresh: bool = False) -> OrgSchema | None:
        """
        Everything that rules can name. None means that no Salesforce is connected. `fresh` skips the cache.

        Raises PermanentError, TransientError.
        """
        if await self.describe.salesforce.sessions.connection_of(workspace_id) is None:
            return None
        if fresh:
            for sobject in _NAMED:
                self._cache.pop((workspace_id, sobject), None)
        described = await asyncio.gather(*(self._object(workspace_id, sobject) for sobject in _NAMED))
        infos = {name: info for name, info in zip(_NAMED, described, strict=True) if info is not None}
        return OrgSchema(
            objects=frozenset(name.lower() for name in infos),
            fields={
                f"{name}.{field.name}".lower(): OrgField(
                    f"{name}.{field.name}", _label(field), field.refers_to, field.type, field.values
                )
                for name, info in infos.items()
                for field in info.fields.values()
            },
            roles={kind: roles for kind, team in _TEAMS.items() if (roles := _roles(infos.get(team)))},
        )

    async def _object(self, workspace_id: str, sobject: str) -> ObjectInfo | None:
        cached = self._cache.get((workspace_id, sobject))
        if cached is None or cached[0] + CACHED_MS <= self.now():
            cached = (self.now(), await self.describe.object(workspace_id, sobject))
            self._cache[workspace_id, sobject] = cached
        return cached[1]


def _label(field: FieldInfo) -> str:
    """The label that Salesforce's pages show: "Created By" is "Created By ID" in its API."""
    return field.label.removesuffix(" ID") if field.refers_to else field.label


def _roles(team: ObjectInfo | None) -> frozenset[str]:
    role = team and team.field("TeamMemberRole")
    return frozenset(role.values) if role else frozenset()
