"""What an org has that rules may name: fields, lookups to users, team roles; asked for rarely."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from domain.errors import PermanentError, TransientError
from services.ownership.rules.check import OrgField, OrgShape
from services.salesforce.queries.describe import SalesforceDescribe
from services.salesforce.queries.objects import ObjectInfo

BELIEVED_MS = 60 * 60 * 1000
"""A field that is hidden meanwhile is left out when a query says so."""

_TEAMS = {"account": "AccountTeamMember", "opportunity": "OpportunityTeamMember"}
_NAMED = ("Contact", "Lead", "Account", "Opportunity", "User", *_TEAMS.values())


@dataclass(frozen=True)
class OrgShapes:
    """What rules may name in each workspace's org, remembered for a while."""

    describe: SalesforceDescribe
    now: Callable[[], int]
    _known: dict[tuple[str, str], tuple[int, ObjectInfo | None]] = field(default_factory=dict, init=False, repr=False)

    async def readable(self, workspace_id: str, sobjects: Collection[str]) -> dict[str, frozenset[str]]:
        """
        The fields, in lower case, that we may read, by sObject; one that cannot be described now is missing.

        Raises WorkspaceGoneError.
        """
        found: dict[str, frozenset[str]] = {}
        for sobject in sobjects:
            try:
                info = await self._object(workspace_id, sobject)
            except (PermanentError, TransientError):
                continue  # then the query finds out, and says so
            found[sobject] = frozenset(name.lower() for name in info.fields) if info else frozenset()
        return found

    def labels(self, workspace_id: str, fields: Mapping[str, Collection[str]]) -> dict[str, str]:
        """What the org calls these fields by sObject, as far as it was asked lately; by `account.sdr__c`."""
        return {
            f"{sobject}.{name}".lower(): field.label
            for sobject, names in fields.items()
            if (known := self._known.get((workspace_id, sobject))) and (info := known[1])
            for name in names
            if (field := info.field(name))
        }

    async def shape(self, workspace_id: str, *, fresh: bool = False) -> OrgShape | None:
        """
        All that rules may name; None: no Salesforce is connected. *fresh*: asked for right now.

        Raises PermanentError and TransientError when Salesforce cannot say.
        """
        if await self.describe.salesforce.sessions.connection_of(workspace_id) is None:
            return None
        if fresh:
            for sobject in _NAMED:
                self._known.pop((workspace_id, sobject), None)
        infos = await asyncio.gather(*(self._object(workspace_id, sobject) for sobject in _NAMED))
        known = {name: info for name, info in zip(_NAMED, infos, strict=True) if info is not None}
        return OrgShape(
            objects=frozenset(name.lower() for name in known),
            fields={
                f"{name}.{one.name}".lower(): OrgField(f"{name}.{one.name}", one.label, one.refers_to)
                for name, info in known.items()
                for one in info.fields.values()
            },
            roles={kind: roles for kind, team in _TEAMS.items() if (roles := _roles(known.get(team)))},
        )

    async def _object(self, workspace_id: str, sobject: str) -> ObjectInfo | None:
        known = self._known.get((workspace_id, sobject))
        if known is None or known[0] + BELIEVED_MS < self.now():
            known = (self.now(), await self.describe.object(workspace_id, sobject))
            self._known[workspace_id, sobject] = known
        return known[1]


def _roles(team: ObjectInfo | None) -> frozenset[str]:
    role = team and team.field("TeamMemberRole")
    return frozenset(role.values) if role else frozenset()
