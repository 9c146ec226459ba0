"""What an org is made of: its objects and their fields as we may see them, pages of records, and the org itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from domain.errors import PermanentError, TransientError
from services.salesforce.queries.lookup import Salesforce
from services.salesforce.queries.objects import FieldInfo, ObjectInfo
from services.salesforce.queries.statements import Row, format_soql
from store.salesforce import connections
from store.salesforce.connections import OrgDetails

if TYPE_CHECKING:
    from services.salesforce.queries.client import SalesforceClient

_OF_ANYBODY = {"id", "name", "email", "isactive", "firstname", "lastname", "title", "username", "type"}

NOT_CONNECTED = "Salesforce is not connected"
SENSELESS = "Salesforce's answer makes no sense"


@dataclass(frozen=True)
class Page:
    """Rows, and whether they are all that the query has."""

    rows: Sequence[Row]
    is_all: bool


@dataclass(frozen=True)
class SalesforceDescribe:
    """All raise PermanentError, also when no Salesforce is connected, and TransientError."""

    salesforce: Salesforce

    async def objects(self, workspace_id: str) -> dict[str, str]:
        """Labels of the objects that can be queried, by name."""
        told = await self._get(workspace_id, "sobjects/")
        listed = _named(told, "sobjects")
        return {str(one["name"]): str(one.get("label") or one["name"]) for one in listed if one.get("queryable")}

    async def object(self, workspace_id: str, name: str) -> ObjectInfo | None:
        """None: the org has no such object, or we may not see it."""
        if not name.replace("_", "").isalnum():
            return None
        told = await self._get(workspace_id, f"sobjects/{name}/describe")
        if told is None:
            return None
        if not isinstance(told, dict) or not isinstance(told.get("fields"), list):
            raise TransientError(SENSELESS)
        fields = [_field(one) for one in _named(told, "fields")]
        return ObjectInfo(
            str(told.get("name") or name), str(told.get("label") or name), {one.name: one for one in fields}
        )

    async def page(self, workspace_id: str, soql: str) -> Page:
        """The rows of one answer: at most 2,000, and fewer where records are long, whatever the query says."""
        told = await self._query(workspace_id, soql)
        page = Page(_list(told, "records"), is_all=told.get("done") is True)
        if not isinstance(told.get("records"), list) or not (page.rows or page.is_all):
            raise TransientError(SENSELESS)  # whoever reads on would get the same for ever
        return page

    async def unreadable(self, workspace_id: str, sobject: str, paths: Sequence[str]) -> dict[str, str]:
        """Of these paths those that we may not read, each with the reason; one call for each object on the way."""
        known: dict[str, ObjectInfo | None] = {}
        reasons = {path: await self._why_not(workspace_id, sobject, path, known) for path in paths}
        return {path: reason for path, reason in reasons.items() if reason is not None}

    async def _why_not(
        self, workspace_id: str, sobject: str, path: str, known: dict[str, ObjectInfo | None]
    ) -> str | None:
        *ways, name = path.split(".")
        for relationship in ways:
            described = await self._known(workspace_id, sobject, known)
            field = described.relationship_field(relationship) if described else None
            if field is None or not field.refers_to:
                return f"{sobject} has no relationship {relationship}, or we may not read it"
            if len(field.refers_to) > 1:  # https://developer.salesforce.com/docs/platform/object-reference (Name)
                return (
                    None
                    if name.lower() in _OF_ANYBODY
                    else f"{relationship} has no field {name} that all of its kinds share"
                )
            sobject = field.refers_to[0]
        described = await self._known(workspace_id, sobject, known)
        return None if described and described.field(name) else f"{sobject} has no field {name}, or we may not read it"

    async def _known(self, workspace_id: str, sobject: str, known: dict[str, ObjectInfo | None]) -> ObjectInfo | None:
        if sobject not in known:
            known[sobject] = await self.object(workspace_id, sobject)
        return known[sobject]

    async def count(self, workspace_id: str, soql: str) -> int:
        """Of a `SELECT COUNT() …`."""
        count = (await self._query(workspace_id, soql)).get("totalSize")
        if not isinstance(count, int):
            raise TransientError(SENSELESS)
        return count

    async def introduce(self, workspace_id: str) -> None:
        """Ask the org what it is called, and remember it for status and Home."""
        known = await self.salesforce.sessions.connection_of(workspace_id)
        organizations = await self._if_readable(
            workspace_id, "SELECT Name, OrganizationType, IsSandbox FROM Organization LIMIT 1"
        )
        users: Sequence[Row] = ()
        if known is not None and known.user_id is not None:
            soql = format_soql("SELECT Name, Username FROM User WHERE Id = {}", known.user_id)
            users = await self._if_readable(workspace_id, soql)
        org, user = next(iter(organizations), {}), next(iter(users), {})
        is_sandbox = org.get("IsSandbox")
        about = OrgDetails(
            org_name=_text(org.get("Name")),
            org_edition=_text(org.get("OrganizationType")),
            is_sandbox=is_sandbox if isinstance(is_sandbox, bool) else None,
            user_name=_text(user.get("Name")) or _text(user.get("Username")),
        )
        await self.salesforce.sessions.database.run(connections.describe, workspace_id, about)

    async def _if_readable(self, workspace_id: str, soql: str) -> Sequence[Row]:
        try:
            return (await self.page(workspace_id, soql)).rows
        except PermanentError:  # nothing depends on it
            return ()

    async def _query(self, workspace_id: str, soql: str) -> dict[str, Any]:
        told = await self._get(workspace_id, "query", q=soql)
        if told is None:
            raise PermanentError("Salesforce has no such resource as query, or a gateway does not let it through")
        if not isinstance(told, dict):
            raise TransientError(SENSELESS)
        return told

    async def _get(self, workspace_id: str, path: str, **params: str) -> Any:
        def work(client: SalesforceClient) -> tuple[Any]:
            return (client.get(path, **params),)

        told = await self.salesforce.read(workspace_id, work)
        if told is None:
            raise PermanentError(NOT_CONNECTED)
        return told[0]


def _field(told: Mapping[str, Any]) -> FieldInfo:
    refers_to = told.get("referenceTo")
    return FieldInfo(
        name=str(told["name"]),
        label=str(told.get("label") or told["name"]),
        type=str(told.get("type") or "string"),
        relationship=_text(told.get("relationshipName")),
        refers_to=tuple(map(str, refers_to)) if isinstance(refers_to, list) else (),
        values=tuple(
            str(one["value"])
            for one in _list(told, "picklistValues")
            if "value" in one and one.get("active") is not False
        ),
    )


def _named(told: object, name: str) -> list[dict[str, Any]]:
    return [one for one in _list(told, name) if one.get("name")]


def _list(told: object, name: str) -> list[dict[str, Any]]:
    listed = told.get(name) if isinstance(told, dict) else None
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
