"""POST /composite: several REST requests in one.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_composite.htm
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from sandbox.salesforce.errors import SalesforceError
from sandbox.salesforce.rest import Answer, Request, RestApi

MAX_SUBREQUESTS = 25
MAX_QUERIES = 5  # queries and sObject collections together
_QUERY = re.compile(r"/services/data/v\d+\.0/(?:query(?:All)?(?:/|\?|$)|composite/sobjects)")
_REFERENCE = re.compile(r"@\{(\w+)((?:\.\w+|\[\d+\])*)\}")
_REFERENCE_ID = re.compile(r"[A-Za-z0-9_]+")


@dataclass(frozen=True)
class Subrequest:
    method: str
    url: str
    reference_id: str
    body: object = None


@dataclass
class Composite:
    """Runs one composite request. `answers` holds the answers so far, by reference id."""

    api: RestApi
    answers: dict[str, Answer] = field(default_factory=dict)

    def answer(self, body: object) -> Answer:
        """200 with the answer of each subrequest. Raises SalesforceError if the request as a whole is invalid."""
        subrequests, all_or_none = _parse(body)
        snapshot = self.api.org.snapshot() if all_or_none else None
        for subrequest in subrequests:
            self.answers[subrequest.reference_id] = self._run(subrequest)
        failed = [answer for answer in self.answers.values() if answer.status >= 400]
        if snapshot is not None and failed:
            self.api.org.restore(snapshot)
            for reference_id, answer in self.answers.items():
                self.answers[reference_id] = answer if answer in failed else _ROLLED_BACK
        results = [
            {
                "body": answer.body,
                "httpHeaders": dict(answer.headers),
                "httpStatusCode": answer.status,
                "referenceId": reference_id,
            }
            for reference_id, answer in self.answers.items()
        ]
        return Answer(200, {"compositeResponse": results})

    def _run(self, subrequest: Subrequest) -> Answer:
        try:
            url = _REFERENCE.sub(self._resolve, subrequest.url)
            body = json.loads(_REFERENCE.sub(self._resolve, json.dumps(subrequest.body)))
            return self.api.answer(Request.of_url(subrequest.method, url, body))
        except SalesforceError as error:
            return Answer(error.status, error.body())

    def _resolve(self, match: re.Match[str]) -> str:
        """The value of `@{reference.field}` in the answer of an earlier subrequest."""
        value = self.answers[match[1]].body if match[1] in self.answers else None
        for name, index in re.findall(r"\.(\w+)|\[(\d+)\]", match[2]):
            if name and isinstance(value, dict):
                value = value.get(name)
            elif index and isinstance(value, list) and int(index) < len(value):
                value = value[int(index)]
            else:
                value = None
        if value is None or isinstance(value, dict | list):
            raise SalesforceError(
                400, "PROCESSING_HALTED", f"Invalid reference specified. No value for {match[0][2:-1]} found."
            )
        return str(value)


_ROLLED_BACK = Answer(
    400,
    SalesforceError(
        400,
        "PROCESSING_HALTED",
        "The transaction was rolled back since another operation in the same transaction failed.",
    ).body(),
)


def _parse(body: object) -> tuple[list[Subrequest], bool]:
    items = body.get("compositeRequest") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(items, list) or not items:
        raise SalesforceError(400, "JSON_PARSER_ERROR", "compositeRequest is required and must be a list")
    if len(items) > MAX_SUBREQUESTS:
        raise _too_many(f"{MAX_SUBREQUESTS} subrequests")
    subrequests = [_parse_subrequest(item) for item in items]
    if sum(bool(_QUERY.match(subrequest.url)) for subrequest in subrequests) > MAX_QUERIES:
        raise _too_many(f"{MAX_QUERIES} query or sObject Collections operations")
    if len({subrequest.reference_id for subrequest in subrequests}) < len(subrequests):
        raise SalesforceError(400, "INVALID_INPUT", "Duplicate referenceId in the composite request")
    return subrequests, body.get("allOrNone") is True


def _too_many(limit: str) -> SalesforceError:
    return SalesforceError(400, "LIMIT_EXCEEDED", f"A composite request may contain up to {limit}.")


def _parse_subrequest(item: object) -> Subrequest:
    fields: Mapping[str, object] = item if isinstance(item, dict) else {}
    method, url, reference_id = fields.get("method"), fields.get("url"), fields.get("referenceId")
    if not isinstance(method, str) or not isinstance(url, str) or not isinstance(reference_id, str):
        raise SalesforceError(400, "JSON_PARSER_ERROR", "Each subrequest needs a method, a url and a referenceId")
    if not _REFERENCE_ID.fullmatch(reference_id):
        raise SalesforceError(400, "INVALID_INPUT", f"Illegal characters in the referenceId '{reference_id}'")
    return Subrequest(method, url, reference_id, fields.get("body"))
