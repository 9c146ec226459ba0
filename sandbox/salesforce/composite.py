"""Several requests in one: POST /composite.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_composite.htm
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from sandbox.salesforce.errors import SalesforceError
from sandbox.salesforce.rest import Answer, Request, RestApi

MOST_SUBREQUESTS = 25
MOST_QUERIES = 5  # queries and sObject collections together
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
    """One composite request: what its subrequests answered so far, by reference id."""

    api: RestApi
    answers: dict[str, Answer] = field(default_factory=dict)

    def answer(self, body: object) -> Answer:
        """200 with an answer for each subrequest. Raises SalesforceError when the whole is refused."""
        subrequests, all_or_none = _understood(body)
        before = self.api.org.snapshot() if all_or_none else None
        for one in subrequests:
            self.answers[one.reference_id] = self._one(one)
        failed = [one for one in self.answers.values() if one.status >= 400]
        if before is not None and failed:
            self.api.org.restore(before)
            self.answers = {name: one if one in failed else _ROLLED_BACK for name, one in self.answers.items()}
        return Answer(200, {"compositeResponse": [_told(name, one) for name, one in self.answers.items()]})

    def _one(self, subrequest: Subrequest) -> Answer:
        try:
            url = self._filled_in(subrequest.url)
            body = json.loads(self._filled_in(json.dumps(subrequest.body)))
            return self.api.answer(Request.of_url(subrequest.method, url, body))
        except SalesforceError as error:
            return Answer(error.status, error.body())

    def _filled_in(self, text: str) -> str:
        """`@{reference.field}` stands for what an earlier subrequest answered."""
        return _REFERENCE.sub(self._referred, text)

    def _referred(self, match: re.Match[str]) -> str:
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


def _understood(body: object) -> tuple[list[Subrequest], bool]:
    listed = body.get("compositeRequest") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(listed, list) or not listed:
        raise SalesforceError(400, "JSON_PARSER_ERROR", "compositeRequest is required, and has to be a list")
    if len(listed) > MOST_SUBREQUESTS:
        raise _too_many(f"{MOST_SUBREQUESTS} subrequests")
    subrequests = [_subrequest(one) for one in listed]
    if sum(bool(_QUERY.match(one.url)) for one in subrequests) > MOST_QUERIES:
        raise _too_many(f"{MOST_QUERIES} query or sObject Collections operations")
    if len({one.reference_id for one in subrequests}) < len(subrequests):
        raise SalesforceError(400, "INVALID_INPUT", "Duplicate referenceId in the composite request")
    return subrequests, body.get("allOrNone") is True


def _too_many(what: str) -> SalesforceError:
    return SalesforceError(400, "LIMIT_EXCEEDED", f"A composite request may contain up to {what}.")


def _subrequest(given: object) -> Subrequest:
    fields: Mapping[str, object] = given if isinstance(given, dict) else {}
    method, url, reference_id = fields.get("method"), fields.get("url"), fields.get("referenceId")
    if not isinstance(method, str) or not isinstance(url, str) or not isinstance(reference_id, str):
        raise SalesforceError(400, "JSON_PARSER_ERROR", "Each subrequest needs a method, a url and a referenceId")
    if not _REFERENCE_ID.fullmatch(reference_id):
        raise SalesforceError(400, "INVALID_INPUT", f"Illegal characters in the referenceId '{reference_id}'")
    return Subrequest(method, url, reference_id, fields.get("body"))


def _told(reference_id: str, answer: Answer) -> dict[str, object]:
    return {
        "body": answer.body,
        "httpHeaders": dict(answer.headers),
        "httpStatusCode": answer.status,
        "referenceId": reference_id,
    }
