"""simple-salesforce, as far as it can be trusted: a blocking client for one session, its errors translated."""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from requests.adapters import HTTPAdapter
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceError, SalesforceExpiredSession

from services.errors import PermanentError, TransientError
from services.salesforce_auth import Session
from services.salesforce_soql import Question, Row
from services.settings import is_loopback

API_VERSION = "66.0"
QUERIES_A_CALL = 5
"""https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_composite.htm"""

MOST_PAGES = 20
"""Of 2,000 rows: no 200 people have more."""

LIMIT_RETRY_SECONDS = 15 * 60.0
"""The daily limit is a sliding one, and its refusal names no time to wait."""

_DATA = f"/services/data/v{API_VERSION}/"
# Seconds to connect, and between two bytes. A redirect would carry our session to somewhere else.
_HOW: dict[str, Any] = {"timeout": (5.0, 20.0), "allow_redirects": False}
_NO_SUCH_RESOURCE = {404, 405}

# https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/errorcodes.htm
_LIMIT = "REQUEST_LIMIT_EXCEEDED"
_PASSING = {
    "QUERY_TIMEOUT",
    "SERVER_UNAVAILABLE",
    "UNABLE_TO_LOCK_ROW",
    "REQUEST_RUNNING_TOO_LONG",
    "UNKNOWN_EXCEPTION",
}
_NO_SUCH_TYPE = "INVALID_TYPE"
_MALFORMED_ID = "INVALID_QUERY_FILTER_OPERATOR"


@dataclass(frozen=True)
class _Answer:
    """What one query was answered; `body` is whatever came."""

    status: int
    body: object


@dataclass
class SalesforceClient:
    """
    For one session, one thread at a time.

    Only `restful` and `query_all_iter` are used: the library's other ways repeat a refused session without end.
    """

    session: Session
    http: requests.Session
    salesforce: Salesforce
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _has_composite: bool = field(default=True, init=False)

    @classmethod
    def of(cls, session: Session) -> SalesforceClient:
        http = requests.Session()
        http.trust_env = False  # a .netrc would replace our Authorization header
        if session.instance_url.startswith("http://") and is_loopback(urlsplit(session.instance_url).hostname):
            http.mount("https://", _PlainHttp())
        salesforce = Salesforce(
            session_id=session.access_token,
            instance_url=session.instance_url,
            version=API_VERSION,
            session=http,
            object_pairs_hook=dict,
        )
        return cls(session, http, salesforce)

    @property
    def usage(self) -> tuple[int, int] | None:
        """API calls used and allowed in 24 hours, as of the last answer; None: not told."""
        usage = self.salesforce.api_usage.get("api-usage")
        return (usage.used, usage.total) if usage else None

    def rows(self, asked: Sequence[Question]) -> dict[str, list[Row]]:
        """
        The answers to all questions, as rows by sObject, five questions a call.

        Raises SalesforceExpiredSession, PermanentError, TransientError.
        """
        found: dict[str, list[Row]] = defaultdict(list)
        with self._lock, _translated():
            for start in range(0, len(asked), QUERIES_A_CALL):
                some = asked[start : start + QUERIES_A_CALL]
                for question, answer in zip(some, self._answers(some), strict=True):
                    found[question.sobject] += self._rows(question, answer)
        return found

    def _answers(self, asked: Sequence[Question]) -> Iterable[_Answer]:
        """One composite call; one call a question where there is no such resource, as behind some gateways."""
        if not self._has_composite:
            return [self._answer(question) for question in asked]
        try:
            return self._composite(asked)
        except SalesforceError as error:
            if error.status not in _NO_SUCH_RESOURCE:
                raise
        self._has_composite = False
        return [self._answer(question) for question in asked]

    def _composite(self, asked: Sequence[Question]) -> Iterable[_Answer]:
        """The queries travel in the body, where they may be longer than in an URL."""
        subrequests = [
            {"method": "GET", "url": f"{_DATA}query?q={quote(one.soql, safe='')}", "referenceId": f"q{number}"}
            for number, one in enumerate(asked)
        ]
        body = {"allOrNone": False, "compositeRequest": subrequests}
        told = self.salesforce.restful("composite", method="POST", json=body, **_HOW) or {}
        by_reference = {one["referenceId"]: one for one in told["compositeResponse"]}
        answers = [by_reference[f"q{number}"] for number in range(len(asked))]
        return [_Answer(int(one["httpStatusCode"]), one["body"]) for one in answers]

    def _answer(self, question: Question) -> _Answer:
        try:
            records = list(islice(self.salesforce.query_all_iter(question.soql, **_HOW), MOST_PAGES * 2_000))
        except SalesforceError as error:
            if error.status != 400:
                raise
            return _Answer(400, error.content)
        return _Answer(200, {"records": records, "done": True})

    def _rows(self, question: Question, answer: _Answer) -> Iterator[Row]:
        if answer.status != 200:
            if not _may_be_empty(question, _code(answer.body)):
                raise refusal(answer.status, answer.body)
            return
        page: Mapping[str, Any] = answer.body if isinstance(answer.body, dict) else {}
        yield from _records(page)
        for _ in range(MOST_PAGES):
            if page["done"]:
                return
            more = str(page["nextRecordsUrl"]).rpartition("/")[2]
            page = self.salesforce.restful(f"query/{quote(more, safe='')}", **_HOW) or {}
            yield from _records(page)
        raise ValueError("pages without end")


class _PlainHttp(HTTPAdapter):
    """simple-salesforce always says https; an org on this machine has no certificate."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        request.url = (request.url or "").replace("https://", "http://", 1)
        return super().send(request, *args, **kwargs)


def refusal(status: int, content: object) -> PermanentError | TransientError:
    """What a refusal of Salesforce's means for us; its text is told to admins and so names no record."""
    code = _code(content)
    if code == _LIMIT:
        return TransientError("the org's daily limit of API calls is reached", retry_after=LIMIT_RETRY_SECONDS)
    if status >= 500 or status == 429 or code in _PASSING:
        return TransientError(f"Salesforce answered {code or status}")
    if missing := _missing(content):
        return PermanentError(f"{missing}: let the user we connect as read it, in Salesforce's Setup")
    return PermanentError(f"Salesforce refuses our query: {code or status}")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except SalesforceExpiredSession:
        raise
    except SalesforceError as error:
        raise refusal(error.status, error.content) from error
    except requests.RequestException as error:
        raise TransientError(f"Salesforce did not answer: {type(error).__name__}") from error
    except (KeyError, TypeError, ValueError) as error:  # an answer of another shape, to the library or to us
        raise TransientError("Salesforce's answer makes no sense") from error


def _may_be_empty(question: Question, code: str | None) -> bool:
    """An org may do without some kinds of records, and an id that is none finds nothing."""
    return (code == _NO_SUCH_TYPE and question.is_optional) or (code == _MALFORMED_ID and question.by_id)


def _records(page: Mapping[str, Any]) -> list[Row]:
    return [row for row in page["records"] if isinstance(row, dict)]


def _error(content: object) -> Mapping[str, object]:
    """The first of the list of errors that Salesforce answers with; empty for anything else."""
    first = content[0] if isinstance(content, list) and content else None
    return first if isinstance(first, dict) else {}


def _code(content: object) -> str | None:
    code = _error(content).get("errorCode")
    return code if isinstance(code, str) else None


def _missing(content: object) -> str | None:
    """`No such column 'Website' on entity 'Account'`, of a longer message that quotes the whole query."""
    message = str(_error(content).get("message", ""))
    found = re.search(r"No such column '\w+' on entity '\w+'|sObject type '\w+' is not supported", message)
    return found[0] if found else None
