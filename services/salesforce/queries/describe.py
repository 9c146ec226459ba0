"""Describes an org: its objects and fields, pages of its records, and the org itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from domain.errors import PermanentError, TransientError
from services.salesforce.queries.lookup import Salesforce
from services.salesforce.queries.objects import FieldInfo, ObjectInfo
from services.salesforce.queries.statements import Row, format_soql
from store.salesforce import connections
from store.salesforce.connections import OrgDetails

if TYPE_CHECKING:
    from services.salesforce.queries.client import SalesforceClient

_SHARED_BY_ALL_OWNERS = {"id", "name", "email", "isactive", "firstname", "lastname", "title", "username", "type"}

ORGANIZATION = "SELECT Name, OrganizationType, IsSandbox FROM Organization LIMIT 1"
DESCRIBED_MS = 60 * 60_000

NOT_CONNECTED = "Salesforce is not connected"
INVALID_ANSWER = "Salesforce returned an invalid answer"


@dataclass(frozen=True)
class Page:
    """A page of rows. `is_all` means that the query has no further ones."""

    rows: Sequence[Row]
    is_all: bool


@dataclass(frozen=True)
class SalesforceDescribe:
    """Its methods raise TransientError, and PermanentError also if Salesforce is not connected."""

    salesforce: Salesforce
    _described: dict[tuple[str, str], tuple[int, ObjectInfo | None]] = field(
        default_factory=dict, init=False, repr=False
    )

    async def objects(self, workspace_id: str) -> dict[str, str]:
        """Return the labels of the objects that can be queried, by name, without custom settings."""
        listed = _named(await self._get(workspace_id, "sobjects/"), "sobjects")
        return {
            str(item["name"]): str(item.get("label") or item["name"])
            for item in listed
            if item.get("queryable") and not item.get("customSetting")
        }

    async def object(self, workspace_id: str, name: str) -> ObjectInfo | None:
        """Return the object, or None if it does not exist or the connected user cannot see it."""
        if not name.replace("_", "").isalnum():
            return None
        answer = await self._get(workspace_id, f"sobjects/{name}/describe")
        if answer is None:
            return None
        if not isinstance(answer, dict) or not isinstance(answer.get("fields"), list):
            raise TransientError(INVALID_ANSWER)
        fields = {info.name: info for info in map(_field, _named(answer, "fields"))}
        return ObjectInfo(str(answer.get("name") or name), str(answer.get("label") or name), fields)

    async def page(self, workspace_id: str, soql: str) -> Page:
        """Return the rows of one answer: at most 2,000, and fewer if the records are long."""
        answer = await self._query(workspace_id, soql)
        page = Page(_list(answer, "records"), is_all=answer.get("done") is True)
        if not isinstance(answer.get("records"), list) or not (page.rows or page.is_all):
            raise TransientError(INVALID_ANSWER)  # reading on would return the same page for ever
        return page

    async def unreadable(
        self, workspace_id: str, sobject: str, paths: Sequence[str], filtered: Collection[str] = ()
    ) -> dict[str, str]:
        """
        Return the paths that cannot be read, each with the reason. Makes one call for each object on the paths.

        The paths in `filtered` have conditions, so Salesforce must also be able to search them.
        """
        described: dict[str, ObjectInfo | None] = {}

        async def describe(name: str) -> ObjectInfo | None:
            if name not in described:
                described[name] = await self.object(workspace_id, name)
            return described[name]

        reasons: dict[str, str] = {}
        for path in paths:
            field = await _resolve(sobject, path, describe)
            if isinstance(field, str):
                reasons[path] = field
            elif field is not None and path in filtered and not field.is_filterable:
                reasons[path] = f"{path} of {sobject} cannot have a condition, for example because it is encrypted"
        return reasons

    async def types(self, workspace_id: str, sobject: str, paths: Iterable[str]) -> dict[str, str]:
        """Return the types of these paths, as far as they can be read. Describes are used for an hour."""
        now = self.salesforce.sessions.now()

        async def describe(name: str) -> ObjectInfo | None:
            described_at, info = self._described.get((workspace_id, name), (-DESCRIBED_MS, None))
            if described_at + DESCRIBED_MS <= now:
                info = await self.object(workspace_id, name)
                self._described[workspace_id, name] = now, info
            return info

        fields = {path: await _resolve(sobject, path, describe) for path in paths}
        return {path: field.type for path, field in fields.items() if isinstance(field, FieldInfo)}

    async def count(self, workspace_id: str, soql: str) -> int:
        """Return the result of a `SELECT COUNT() …`."""
        count = (await self._query(workspace_id, soql)).get("totalSize")
        if not isinstance(count, int):
            raise TransientError(INVALID_ANSWER)
        return count

    async def refresh_org_details(self, workspace_id: str) -> None:
        """Read the names of the org and its user, and store them for status and Home."""
        connection = await self.salesforce.sessions.connection_of(workspace_id)
        organizations = await self._if_readable(workspace_id, ORGANIZATION)
        users: Sequence[Row] = ()
        if connection is not None and connection.user_id is not None:
            users = await self._if_readable(workspace_id, user_of_session(connection.user_id))
        org, user = next(iter(organizations), {}), next(iter(users), {})
        is_sandbox = org.get("IsSandbox")
        details = OrgDetails(
            org_name=_text(org.get("Name")),
            org_edition=_text(org.get("OrganizationType")),
            is_sandbox=is_sandbox if isinstance(is_sandbox, bool) else None,
            user_name=_text(user.get("Name")) or _text(user.get("Username")),
        )
        await self.salesforce.sessions.database.run(connections.save_org_details, workspace_id, details)

    async def _if_readable(self, workspace_id: str, soql: str) -> Sequence[Row]:
        try:
            return (await self.page(workspace_id, soql)).rows
        except PermanentError:  # these are only shown to people
            return ()

    async def _query(self, workspace_id: str, soql: str) -> dict[str, Any]:
        answer = await self._get(workspace_id, "query", q=soql)
        if answer is None:
            raise PermanentError("The query resource of Salesforce is not available. A gateway may be blocking it")
        if not isinstance(answer, dict):
            raise TransientError(INVALID_ANSWER)
        return answer

    async def _get(self, workspace_id: str, path: str, **params: str) -> Any:
        def call(client: SalesforceClient) -> tuple[Any]:
            return (client.get(path, **params),)

        answer = await self.salesforce.read(workspace_id, call)
        if answer is None:
            raise PermanentError(NOT_CONNECTED)
        return answer[0]


async def _resolve(
    sobject: str, path: str, describe: Callable[[str], Awaitable[ObjectInfo | None]]
) -> FieldInfo | str | None:
    """Return the field at the end of a path, or why it cannot be read. None: a field that every owner has."""
    *relationships, name = path.split(".")
    for relationship in relationships:
        info = await describe(sobject)
        lookup = info.relationship_field(relationship) if info else None
        if lookup is None or not lookup.refers_to:
            return f"{sobject} has no relationship {relationship} that the connected user can read"
        if len(lookup.refers_to) > 1:  # https://developer.salesforce.com/docs/platform/object-reference (Name)
            is_shared = name.lower() in _SHARED_BY_ALL_OWNERS
            return None if is_shared else f"{name} is not a field of every object that {relationship} can refer to"
        sobject = lookup.refers_to[0]
    info = await describe(sobject)
    readable = info.field(name) if info else None
    return readable or f"{sobject} has no field {name} that the connected user can read"


def user_of_session(user_id: str) -> str:
    """Return the query for the name of the connected user."""
    return format_soql("SELECT Name, Username FROM User WHERE Id = {}", user_id)


def _field(described: Mapping[str, Any]) -> FieldInfo:
    refers_to = described.get("referenceTo")
    return FieldInfo(
        name=str(described["name"]),
        label=str(described.get("label") or described["name"]),
        type=str(described.get("type") or "string"),
        relationship=_text(described.get("relationshipName")),
        refers_to=tuple(map(str, refers_to)) if isinstance(refers_to, list) else (),
        values=tuple(
            str(option["value"])
            for option in _list(described, "picklistValues")
            if "value" in option and option.get("active") is not False
        ),
        is_filterable=described.get("filterable") is not False,
    )


def _named(answer: object, name: str) -> list[dict[str, Any]]:
    return [item for item in _list(answer, name) if item.get("name")]


def _list(answer: object, name: str) -> list[dict[str, Any]]:
    listed = answer.get(name) if isinstance(answer, dict) else None
    return [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
