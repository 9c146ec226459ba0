"""The REST API over the records of the org, without HTTP: a request in, an answer out.

https://developer.salesforce.com/docs/platform/rest-api/guide/resources-list.html
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from sandbox.salesforce.errors import SalesforceError, malformed_query, not_found
from sandbox.salesforce.org import Org, Record
from sandbox.salesforce.schema import SObject, Value
from sandbox.salesforce.soql.parser import Query, parse
from sandbox.salesforce.soql.query import Row, Select

VERSIONS = [f"{number}.0" for number in range(31, 69)]
_PATH = re.compile(r"/services/data/v(\d+\.0)(?:/(.*?))?/?")
_MOST_IDS = 2_000


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: object = None

    @classmethod
    def of_url(cls, method: str, url: str, body: object = None) -> "Request":
        parts = urlsplit(url)
        return cls(method.upper(), parts.path, dict(parse_qsl(parts.query, keep_blank_values=True)), body)


@dataclass(frozen=True)
class Answer:
    status: int
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class RestApi:
    """`page_size` is how many rows a query answers at a time."""

    org: Org
    page_size: int = 2_000
    api_limit: int = 15_000
    api_used: int = 0
    _cursors: dict[str, list[Row]] = field(default_factory=dict)

    def answer(self, request: Request) -> Answer:
        """Raises SalesforceError."""
        match = _PATH.fullmatch(request.path)
        if match is None or match[1] not in VERSIONS:
            raise not_found()
        version, parts = match[1], [part for part in (match[2] or "").split("/") if part]
        route = parts[0] if parts else ""
        routes: dict[str, Callable[[Request, str, list[str]], Answer]] = {
            "": self._resources,
            "query": self._query,
            "queryAll": self._query,
            "sobjects": self._sobjects,
            "limits": self._limits,
            "composite": self._collection,
        }
        if route not in routes:
            raise not_found()
        return routes[route](request, version, parts[1:])

    def _resources(self, _: Request, version: str, __: list[str]) -> Answer:
        names = ("query", "queryAll", "sobjects", "limits", "composite")
        return Answer(200, {name: f"/services/data/v{version}/{name}" for name in names})

    def _limits(self, request: Request, _: str, __: list[str]) -> Answer:
        only(request, "GET")
        daily = {"Max": self.api_limit, "Remaining": max(0, self.api_limit - self.api_used)}
        return Answer(200, {"DailyApiRequests": daily})

    def _query(self, request: Request, version: str, rest: list[str]) -> Answer:
        only(request, "GET")
        if rest:
            return self._more(rest[0], version)
        if not request.params.get("q"):
            raise malformed_query("A query string has to be specified")
        select, query = Select(self.org, version), parse(request.params["q"])
        if not query.fields:
            return Answer(200, {"totalSize": select.count(query), "done": True, "records": []})
        return self._page(select.rows(query), 0, version)

    def _more(self, locator: str, version: str) -> Answer:
        cursor, _, start = locator.rpartition("-")
        if cursor not in self._cursors or not start.isdigit():
            raise SalesforceError(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._page(self._cursors[cursor], int(start), version, cursor)

    def _page(self, rows: list[Row], start: int, version: str, cursor: str | None = None) -> Answer:
        """Rows from `start`, and where the next ones are.

        https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/dome_query.htm
        """
        end = start + self.page_size
        page: Row = {"totalSize": len(rows), "done": end >= len(rows), "records": rows[start:end]}
        if end < len(rows):
            cursor = cursor or f"01gSb0{len(self._cursors):09}AAA"
            self._cursors[cursor] = rows
            page["nextRecordsUrl"] = f"/services/data/v{version}/query/{cursor}-{end}"
        return Answer(200, page)

    def _sobjects(self, request: Request, version: str, rest: list[str]) -> Answer:
        if not rest:
            only(request, "GET")
            described = [_summary(one, version) for one in self.org.sobjects()]
            return Answer(200, {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": described})
        sobject = self._resource(rest[0])
        match rest[1:]:
            case []:
                return self._create(request, sobject, version)
            case ["describe"]:
                only(request, "GET")
                return Answer(200, self._describe(sobject, version))
            case [record_id]:
                return self._record(request, sobject, record_id, version)
        raise not_found()

    def _resource(self, name: str) -> SObject:
        """An unknown sObject is a resource that does not exist, where a query would say INVALID_TYPE."""
        known = {one.name.lower(): one for one in self.org.sobjects()}.get(name.lower())
        if known is None:
            raise not_found()
        return known

    def _create(self, request: Request, sobject: SObject, version: str) -> Answer:
        only(request, "POST")
        record_id = self.org.add(sobject.name, **fields_of(request.body))
        location = f"/services/data/v{version}/sobjects/{sobject.name}/{record_id}"
        return Answer(201, {"id": record_id, "success": True, "errors": []}, {"Location": location})

    def _record(self, request: Request, sobject: SObject, record_id: str, version: str) -> Answer:
        record = self.org.find(record_id)
        if record is None or self.org.sobject_of(record_id) is not sobject:
            raise not_found("Provided external ID field does not exist or is not accessible: " + record_id)
        only(request, "GET", "PATCH", "DELETE")
        if request.method == "GET":
            names = [name for name in request.params.get("fields", "").split(",") if name]
            return Answer(200, self._read(sobject, record, names, version))
        if request.method == "PATCH":
            self.org.update(record_id, **fields_of(request.body))
        else:
            self.org.delete(record_id)
        return Answer(204)

    def _read(self, sobject: SObject, record: Record, names: list[str], version: str) -> Row:
        names = names or [one.name for one in self.org.readable_fields(sobject)]
        query = Query(sobject.name, tuple(names), None, (), None, 0)
        return Select(self.org, version).rows_of(sobject, [record], query)[0]

    def _collection(self, request: Request, version: str, rest: list[str]) -> Answer:
        """Records by their ids, in the order asked for; null for one that is unknown, unreadable or malformed.

        https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_sobjects_collections_retrieve_post.htm
        """
        if len(rest) != 2 or rest[0] != "sobjects":
            raise not_found()
        only(request, "GET", "POST")
        sobject = self._resource(rest[1])
        ids, names = _ids_and_fields(request)
        if len(ids) > _MOST_IDS:
            raise SalesforceError(400, "EXCEEDED_ID_LIMIT", f"cannot submit more than {_MOST_IDS} records")
        query = Query(sobject.name, tuple(names), None, (), None, 0)
        found = [self.org.find(one) if self.org.sobject_of(one) is sobject else None for one in ids]
        rows = iter(Select(self.org, version).rows_of(sobject, [one for one in found if one is not None], query))
        return Answer(200, [next(rows) if one is not None else None for one in found])

    def _describe(self, sobject: SObject, version: str) -> Row:
        fields = [
            {
                "name": one.name,
                "label": one.label or one.name,
                "type": one.type,
                "custom": one.name.endswith("__c"),
                "nillable": one.name not in sobject.required and one.type != "boolean",
                "referenceTo": list(one.refers_to),
                "relationshipName": one.relationship,
                "polymorphicForeignKey": one.is_polymorphic,
                "picklistValues": [{"value": value, "label": value, "active": True} for value in one.values],
            }
            for one in self.org.readable_fields(sobject)
        ]
        children = [
            {"childSObject": child.name, "field": one.name, "relationshipName": one.children}
            for child in self.org.sobjects()
            for one in child.fields
            if sobject.name in one.refers_to and one.children
        ]
        return {**_summary(sobject, version), "fields": fields, "childRelationships": children}


def only(request: Request, *methods: str) -> None:
    if request.method not in methods:
        raise SalesforceError(
            405,
            "METHOD_NOT_ALLOWED",
            f"HTTP Method '{request.method}' not allowed. Allowed are {','.join(methods)}",
        )


def fields_of(body: object) -> dict[str, Value]:
    if not isinstance(body, dict):
        raise SalesforceError(400, "JSON_PARSER_ERROR", "The HTTP entity body is required, and has to be an object")
    return {str(name): value for name, value in body.items() if name != "attributes"}


def _ids_and_fields(request: Request) -> tuple[list[str], list[str]]:
    asked: Mapping[str, object]
    if request.method == "GET":
        asked = {name: text.split(",") for name, text in request.params.items()}
    else:
        asked = request.body if isinstance(request.body, dict) else {}
    ids, names = asked.get("ids"), asked.get("fields")
    if not isinstance(ids, list) or not isinstance(names, list) or not ids or not names:
        raise SalesforceError(400, "MISSING_ARGUMENT", "The ids and fields parameters are required")
    return [str(one) for one in ids], [str(one) for one in names]


def _summary(sobject: SObject, version: str) -> Row:
    return {
        "name": sobject.name,
        "label": sobject.name,
        "keyPrefix": sobject.prefix,
        "custom": sobject.name.endswith("__c"),
        "queryable": True,
        "urls": {"sobject": f"/services/data/v{version}/sobjects/{sobject.name}"},
    }
