"""The REST API without HTTP: resources of the org's records, queries and descriptions.

https://developer.salesforce.com/docs/platform/rest-api/guide/resources-list.html
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from sandbox.salesforce.errors import SalesforceError, malformed_id, malformed_query, not_found, query_timeout
from sandbox.salesforce.org import Org
from sandbox.salesforce.schema import SObject, Value
from sandbox.salesforce.soql.parser import Query, parse
from sandbox.salesforce.soql.query import Row, Select

VERSIONS = [f"{number}.0" for number in range(31, 69)]
_PATH = re.compile(r"/services/data/v(\d+\.0)(?:/(.*?))?/?")
_MAX_IDS = 2_000


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
    """`page_size` is the number of rows in a page of query results; `api_limit` is the daily limit of calls.

    Queries that contain one of the texts in `slow_queries` take too long. `refused_ids` are malformed, whatever they
    look like.
    """

    org: Org
    page_size: int = 2_000
    api_limit: int = 15_000
    api_used: int = 0
    slow_queries: set[str] = field(default_factory=set)
    refused_ids: set[str] = field(default_factory=set)
    names_refused_ids: bool = True
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
            "queryAll": self._query_all,
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
        allow_methods(request, "GET")
        daily = {"Max": self.api_limit, "Remaining": max(0, self.api_limit - self.api_used)}
        return Answer(200, {"DailyApiRequests": daily})

    def _query_all(self, request: Request, version: str, rest: list[str]) -> Answer:
        """A query that also returns records that were deleted by themselves or by a merge.

        https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_queryall.htm
        """
        return self._query(request, version, rest, with_deleted=True)

    def _query(self, request: Request, version: str, rest: list[str], *, with_deleted: bool = False) -> Answer:
        allow_methods(request, "GET")
        if rest:
            cursor, _, start = rest[0].rpartition("-")
            if cursor not in self._cursors or not start.isdigit():
                raise SalesforceError(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
            return self._page(self._cursors[cursor], int(start), version, cursor)
        if not request.params.get("q"):
            raise malformed_query("A query string has to be specified")
        if any(text in request.params["q"] for text in self.slow_queries):
            raise query_timeout()
        for record_id in self.refused_ids:
            if record_id in request.params["q"]:
                raise malformed_id(record_id if self.names_refused_ids else "")
        select, query = Select(self.org, version, with_deleted), parse(request.params["q"])
        try:
            if not query.fields:
                return Answer(200, {"totalSize": select.count(query), "done": True, "records": []})
            return self._page(select.rows(query), 0, version)
        except SalesforceError as error:
            raise error.located(request.params["q"]) from None

    def _page(self, rows: list[Row], start: int, version: str, cursor: str | None = None) -> Answer:
        """The page of rows from `start`, with the URL of the next one.

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
            allow_methods(request, "GET")
            summaries = [_summary(sobject, version) for sobject in self.org.sobjects()]
            return Answer(200, {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": summaries})
        sobject = self._resource(rest[0])
        match rest[1:]:
            case []:
                allow_methods(request, "POST")
                record_id = self.org.add(sobject.name, **fields_of(request.body))
                location = f"/services/data/v{version}/sobjects/{sobject.name}/{record_id}"
                return Answer(201, {"id": record_id, "success": True, "errors": []}, {"Location": location})
            case ["describe"]:
                allow_methods(request, "GET")
                return Answer(200, self._describe(sobject, version))
            case [record_id]:
                return self._record(request, sobject, record_id, version)
        raise not_found()

    def _resource(self, name: str) -> SObject:
        """Raises SalesforceError NOT_FOUND for an unknown object, where a query raises INVALID_TYPE."""
        sobject = {sobject.name.lower(): sobject for sobject in self.org.sobjects()}.get(name.lower())
        if sobject is None:
            raise not_found()
        return sobject

    def _record(self, request: Request, sobject: SObject, record_id: str, version: str) -> Answer:
        record = self.org.find(record_id)
        if record is None or self.org.sobject_of(record_id) is not sobject:
            raise not_found("Provided external ID field does not exist or is not accessible: " + record_id)
        allow_methods(request, "GET", "PATCH", "DELETE")
        if request.method == "GET":
            names = [name for name in request.params.get("fields", "").split(",") if name]
            names = names or [field.name for field in self.org.readable_fields(sobject)]
            query = Query(sobject.name, tuple(names), None, (), None, 0)
            return Answer(200, Select(self.org, version).rows_of(sobject, [record], query)[0])
        if request.method == "PATCH":
            self.org.update(record_id, **fields_of(request.body))
        else:
            self.org.delete(record_id)
        return Answer(204)

    def _collection(self, request: Request, version: str, rest: list[str]) -> Answer:
        """Records in the order of the requested ids, with null for unknown, hidden and malformed ids.

        https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_sobjects_collections_retrieve_post.htm
        """
        if len(rest) != 2 or rest[0] != "sobjects":
            raise not_found()
        allow_methods(request, "GET", "POST")
        sobject = self._resource(rest[1])
        ids, names = _ids_and_fields(request)
        if len(ids) > _MAX_IDS:
            raise SalesforceError(400, "EXCEEDED_ID_LIMIT", f"cannot submit more than {_MAX_IDS} records")
        query = Query(sobject.name, tuple(names), None, (), None, 0)
        records = [self.org.find(record_id) if self.org.sobject_of(record_id) is sobject else None for record_id in ids]
        existing = [record for record in records if record is not None]
        rows = iter(Select(self.org, version).rows_of(sobject, existing, query))
        return Answer(200, [None if record is None else next(rows) for record in records])

    def _describe(self, sobject: SObject, version: str) -> Row:
        fields = [
            {
                "name": field.name,
                "label": field.label or field.name,
                "type": field.type,
                "custom": field.name.endswith("__c"),
                "nillable": field.is_nillable and field.name not in sobject.required and field.type != "boolean",
                "filterable": field.is_filterable,
                "sortable": field.is_sortable,
                "permissionable": field.can_be_hidden,
                "encrypted": field.is_encrypted,
                "referenceTo": list(field.refers_to),
                "relationshipName": field.relationship,
                "polymorphicForeignKey": field.is_polymorphic,
                "picklistValues": [{"value": value, "label": value, "active": True} for value in field.values],
            }
            for field in self.org.readable_fields(sobject)
        ]
        children = [
            {"childSObject": child.name, "field": field.name, "relationshipName": field.children}
            for child in self.org.sobjects()
            for field in child.fields
            if sobject.name in field.refers_to and field.children
        ]
        return {**_summary(sobject, version), "fields": fields, "childRelationships": children}


def allow_methods(request: Request, *methods: str) -> None:
    if request.method not in methods:
        raise SalesforceError(
            405,
            "METHOD_NOT_ALLOWED",
            f"HTTP Method '{request.method}' not allowed. Allowed are {','.join(methods)}",
        )


def fields_of(body: object) -> dict[str, Value]:
    if not isinstance(body, dict):
        raise SalesforceError(400, "JSON_PARSER_ERROR", "The HTTP entity body is required and must be an object")
    return {str(name): value for name, value in body.items() if name != "attributes"}


def _ids_and_fields(request: Request) -> tuple[list[str], list[str]]:
    params: Mapping[str, object]
    if request.method == "GET":
        params = {name: text.split(",") for name, text in request.params.items()}
    else:
        params = request.body if isinstance(request.body, dict) else {}
    ids, names = params.get("ids"), params.get("fields")
    if not isinstance(ids, list) or not isinstance(names, list) or not ids or not names:
        raise SalesforceError(400, "MISSING_ARGUMENT", "The ids and fields parameters are required")
    return [str(record_id) for record_id in ids], [str(name) for name in names]


def _summary(sobject: SObject, version: str) -> Row:
    return {
        "name": sobject.name,
        "label": sobject.label or sobject.name,
        "keyPrefix": sobject.prefix,
        "custom": sobject.name.endswith("__c"),
        "customSetting": sobject.is_custom_setting,
        "queryable": True,
        "urls": {"sobject": f"/services/data/v{version}/sobjects/{sobject.name}"},
    }
