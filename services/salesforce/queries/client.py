"""simple-salesforce, as far as it can be trusted: a blocking client for one session, its errors translated."""

from __future__ import annotations

import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import requests
from requests.adapters import HTTPAdapter
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceError, SalesforceExpiredSession

from domain.errors import PermanentError, TransientError
from services.measures import UNMEASURED, Measures
from services.salesforce.moved_orgs import RedirectedError, SessionEndedError, UnreachableError
from services.salesforce.queries.statements import Hidden, RecordQuery, Row
from services.salesforce.refusals import MALFORMED_ID, NO_SUCH_TYPE, UnreadableFieldError, code_of, refusal
from services.salesforce.sessions import Session
from services.settings import is_loopback

Answer = TypeVar("Answer")

API_VERSION = "66.0"
"""The one that all is written for, and asked in first."""

QUERIES_A_CALL = 5
"""https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_composite.htm"""

MOST_PAGES = 20
"""Of 2,000 rows: no 200 people have more."""

# Seconds to connect, and between two bytes. A redirect would carry our session to somewhere else.
_HOW: dict[str, Any] = {"timeout": (5.0, 20.0), "allow_redirects": False}
_NO_SUCH_RESOURCE = {404, 405}
_NO_COMPOSITE = {*_NO_SUCH_RESOURCE, 501}
_NO_SUCH_VERSION = {404, 410}
_MOVED = {301, 302, 303, 307, 308}


@dataclass(frozen=True)
class _Answer:
    """What one query was answered; `body` is whatever came."""

    status: int
    body: object


@dataclass
class SalesforceClient:
    """
    For one session, one thread at a time.

    Only `restful` is used: the library's other ways repeat a refused session without end.
    """

    session: Session
    http: requests.Session
    salesforce: Salesforce
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _has_composite: bool = field(default=True, init=False)
    _asked_for_versions: bool = field(default=False, init=False)
    _calls: int = field(default=0, init=False)
    _hidden: Hidden = field(default=frozenset(), init=False)
    _named: dict[str, str] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.http.hooks["response"].append(self._count)

    @classmethod
    def of(cls, session: Session, measures: Measures = UNMEASURED) -> SalesforceClient:
        """For a session's own host. Plain http is spoken to this machine only."""
        http = MeasuredSession(measures)
        http.trust_env = False  # a .netrc would replace our Authorization header
        if session.instance_url.startswith("http://") and is_loopback(urlsplit(session.instance_url).hostname):
            http.mount("https://", _PlainHttp())
        return cls(session, http, _speaking(API_VERSION, session, http))

    @property
    def usage(self) -> tuple[int, int] | None:
        """API calls used and allowed in 24 hours, as of the last answer; None: not told."""
        usage = self.salesforce.api_usage.get("api-usage")
        return (usage.used, usage.total) if usage else None

    def calls_since(self) -> int:
        """How many API calls were answered since this was last asked."""
        calls, self._calls = self._calls, 0
        return calls

    def get(self, path: str, **params: str) -> Any:
        """
        What Salesforce answers for a resource below the version's own, as decoded JSON; None where there is none.

        Raises SessionEndedError, UnreachableError, PermanentError, TransientError.
        """
        with self._lock, _translated():
            try:
                return self._in_a_version(lambda: self.salesforce.restful(path, params=params, **_HOW))
            except SalesforceError as error:
                if error.status in _NO_SUCH_RESOURCE:
                    return None
                raise

    def rows(self, asked: Sequence[RecordQuery]) -> dict[str, list[Row]]:
        """
        The answers to all questions, as rows by their kind, five questions a call.

        A field that we may not read is left out from then on, and what is left asked again; `unreadable` names it.
        Raises SessionEndedError, UnreachableError, PermanentError, TransientError.
        """
        with self._lock, _translated():
            while True:
                try:
                    left = [kept for one in asked if (kept := one.without(self._hidden))]
                    return self._in_a_version(partial(self._all_rows, left))
                except UnreadableFieldError as error:
                    if not any(question.uses(error.sobject, error.field) for question in asked):
                        raise
                    self._hidden |= {(error.sobject.lower(), error.field.lower())}
                    self._named[f"{error.sobject}.{error.field}".lower()] = f"{error.sobject}.{error.field}"

    @property
    def unreadable(self) -> Mapping[str, str]:
        """Fields and kinds of records that we have not been let read in this session, by their names in lower case."""
        return dict(self._named)

    def _in_a_version(self, ask: Callable[[], Answer]) -> Answer:
        """Ask, once more in a version that the org has if it does not have ours: Salesforce retires old ones."""
        try:
            return ask()
        except SalesforceError as error:
            if error.status not in _NO_SUCH_VERSION or not self._takes_another_version():
                raise
        return ask()

    def _takes_another_version(self) -> bool:
        """Whether there is another one to speak; asked once a session, and only after something was not there."""
        if self._asked_for_versions:
            return False
        self._asked_for_versions = True
        told = self.http.get(f"{self.session.instance_url}/services/data", **_HOW)
        version = nearest_version(told.json()) if told.status_code == 200 else API_VERSION
        if version == API_VERSION:
            return False
        self.salesforce = _speaking(version, self.session, self.http)
        self._has_composite = True
        return True

    def _all_rows(self, asked: Sequence[RecordQuery]) -> dict[str, list[Row]]:
        found: dict[str, list[Row]] = defaultdict(list)
        for start in range(0, len(asked), QUERIES_A_CALL):
            some = asked[start : start + QUERIES_A_CALL]
            for question, answer in zip(some, self._answers(some), strict=True):
                found[question.kind] += self._rows(question, answer)
        return found

    def _count(self, *_: object, **__: object) -> None:
        self._calls += 1

    def _answers(self, asked: Sequence[RecordQuery]) -> Iterable[_Answer]:
        """One composite call; one call a question where there is no such resource, as behind some gateways."""
        if not self._has_composite:
            return [self._answer(question) for question in asked]
        try:
            return self._composite(asked)
        except SalesforceError as error:
            if not _refuses_composite(error):
                raise
        self._has_composite = False
        return [self._answer(question) for question in asked]

    def _composite(self, asked: Sequence[RecordQuery]) -> Iterable[_Answer]:
        """The queries travel in the body, where they may be longer than in an URL."""
        data = f"/services/data/v{self.salesforce.sf_version}/"
        subrequests = [
            {"method": "GET", "url": f"{data}query?q={quote(one.soql, safe='')}", "referenceId": f"q{number}"}
            for number, one in enumerate(asked)
        ]
        body = {"allOrNone": False, "compositeRequest": subrequests}
        told = self.salesforce.restful("composite", method="POST", json=body, **_HOW) or {}
        by_reference = {one["referenceId"]: one for one in told["compositeResponse"]}
        answers = [by_reference[f"q{number}"] for number in range(len(asked))]
        return [_Answer(int(one["httpStatusCode"]), one["body"]) for one in answers]

    def _answer(self, question: RecordQuery) -> _Answer:
        try:
            # Not the library's own paging: that goes wherever the answer points, and takes our session along.
            page = self.salesforce.restful("query", params={"q": question.soql}, **_HOW)
        except SalesforceError as error:
            if error.status != 400:
                raise
            return _Answer(400, error.content)
        return _Answer(200, page)

    def _rows(self, question: RecordQuery, answer: _Answer) -> Iterator[Row]:
        if answer.status != 200:
            if not _may_be_empty(question, code_of(answer.body)):
                error = refusal(answer.status, answer.body)
                if not (question.is_extra and isinstance(error, PermanentError)) or _can_do_without(question, error):
                    raise error
            if not question.by_id or question.is_extra:
                self._named[question.name.lower()] = question.name
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


class MeasuredSession(requests.Session):
    """For simple-salesforce."""

    def __init__(self, measures: Measures) -> None:
        super().__init__()
        self._measures = measures

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        began, status = time.perf_counter(), None
        try:
            response = super().send(request, **kwargs)
            status = response.status_code
        finally:
            seconds = time.perf_counter() - began
            self._measures.called("salesforce", _resource(urlsplit(request.url or "").path), status, seconds)
        return response


class _PlainHttp(HTTPAdapter):
    """simple-salesforce always says https; an org on this machine has no certificate."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        request.url = (request.url or "").replace("https://", "http://", 1)
        return super().send(request, *args, **kwargs)


def _speaking(version: str, session: Session, http: requests.Session) -> Salesforce:
    return Salesforce(
        session_id=session.access_token,
        instance_url=session.instance_url,
        version=version,
        session=http,
        object_pairs_hook=dict,
    )


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except SalesforceExpiredSession as error:
        raise SessionEndedError from error
    except SalesforceError as error:
        told = refusal(error.status, error.content)
        raise (RedirectedError(told) if error.status in _MOVED else told) from error
    except requests.ConnectionError as error:
        raise UnreachableError(f"Salesforce did not answer: {type(error).__name__}") from error
    except requests.RequestException as error:
        raise TransientError(f"Salesforce did not answer: {type(error).__name__}") from error
    except (KeyError, TypeError, ValueError) as error:  # an answer of another shape, to the library or to us
        raise TransientError("Salesforce's answer makes no sense") from error


def _refuses_composite(error: SalesforceError) -> bool:
    """Whether it is the resource that is not served; what is wrong with a query stands inside the answer."""
    is_refused = error.status == 400 and isinstance(refusal(400, error.content), PermanentError)
    return is_refused or error.status in _NO_COMPOSITE


def _can_do_without(question: RecordQuery, error: PermanentError) -> bool:
    """Whether the same question may be asked again without the field that was refused."""
    return isinstance(error, UnreadableFieldError) and question.uses(error.sobject, error.field)


def _may_be_empty(question: RecordQuery, code: str | None) -> bool:
    """An org may do without some kinds of records, and an id that is none finds nothing."""
    return (code == NO_SUCH_TYPE and question.is_optional) or (code == MALFORMED_ID and question.by_id)


def _records(page: Mapping[str, Any]) -> list[Row]:
    return [row for row in page["records"] if isinstance(row, dict)]


def nearest_version(told: object) -> str:
    """
    Of what an org lists under `/services/data`: the newest that is not newer than ours, else the oldest; else ours.

    https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/dome_versions.htm
    """
    listed = [one.get("version") for one in told if isinstance(one, dict)] if isinstance(told, list) else []
    versions = sorted((one for one in listed if isinstance(one, str) and re.fullmatch(r"\d+\.\d", one)), key=float)
    older = [one for one in versions if float(one) <= float(API_VERSION)]
    return (older[-1:] or versions[:1] or [API_VERSION])[0]


def _resource(path: str) -> str:
    """`query` of `/services/data/v66.0/query/01g…`: ids would make a series each."""
    return "".join(path.split("/")[4:5])
