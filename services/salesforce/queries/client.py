"""A blocking client for one session, built on simple-salesforce, with its errors translated to ours."""

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
from services.salesforce.queries.gaps import Gaps
from services.salesforce.queries.recent_users import RecentUsers
from services.salesforce.queries.rows import real_addresses
from services.salesforce.queries.statements import RecordQuery, Row, url_encoded
from services.salesforce.refusals import refusal
from services.salesforce.sessions import Session
from services.settings import DIRECT, Network, is_loopback

Answer = TypeVar("Answer")

API_VERSION = "66.0"
"""The version that this client is written for, and tries first."""

QUERIES_A_CALL = 5
"""https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_composite.htm"""

MOST_PAGES = 20
"""A page has 2,000 rows. 200 people never have more pages."""

# Seconds to connect, and between two bytes. A redirect would send our session to another host.
_REQUEST_OPTIONS: dict[str, Any] = {"timeout": (5.0, 20.0), "allow_redirects": False}
_NO_SUCH_RESOURCE = {404, 405}
_NO_COMPOSITE = {*_NO_SUCH_RESOURCE, 501}
_NO_SUCH_VERSION = {404, 410}
_REDIRECTS = {301, 302, 303, 307, 308}


@dataclass(frozen=True)
class _Answer:
    """The answer to one query. `body` is decoded JSON of any shape."""

    status: int
    body: object


@dataclass
class SalesforceClient:
    """
    A client for one session. It is used by one thread at a time.

    Only `restful` of the library is used: its other methods retry a refused session without end.
    """

    session: Session
    http: requests.Session
    salesforce: Salesforce
    gaps: Gaps
    recent_users: RecentUsers
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _has_composite: bool = field(default=True, init=False)
    _has_checked_versions: bool = field(default=False, init=False)
    _calls: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.http.hooks["response"].append(self._count)

    @classmethod
    def of(
        cls,
        session: Session,
        now: Callable[[], int],
        measures: Measures = UNMEASURED,
        network: Network = DIRECT,
    ) -> SalesforceClient:
        """Create a client for the session's host. Plain HTTP is used for this machine only."""
        http = MeasuredSession(measures)
        http.trust_env = False  # a .netrc file would replace our Authorization header
        http.verify = network.ca_file or True
        if proxy := network.proxy_for(session.instance_url):
            http.proxies = {"https": proxy}
        if session.instance_url.startswith("http://") and is_loopback(urlsplit(session.instance_url).hostname):
            http.mount("https://", _PlainHttp())
        return cls(session, http, _library_client(API_VERSION, session, http), Gaps(now), RecentUsers(now))

    @property
    def usage(self) -> tuple[int, int] | None:
        """API calls used and allowed in 24 hours, as of the last answer, or None if unknown."""
        usage = self.salesforce.api_usage.get("api-usage")
        return (usage.used, usage.total) if usage else None

    def take_call_count(self) -> int:
        """Return how many API calls were made since the last call of this method."""
        calls, self._calls = self._calls, 0
        return calls

    def get(self, path: str, **params: str) -> Any:
        """
        Return a resource below the version's own as decoded JSON, or None if it does not exist.

        Raises SessionEndedError, UnreachableError, PermanentError, TransientError.
        """
        with self._lock, _translated():
            try:
                answer = self._with_version_fallback(
                    lambda: self.salesforce.restful(path, params=params, **_REQUEST_OPTIONS)
                )
                return real_addresses(answer) if self.session.may_be_sandbox else answer
            except SalesforceError as error:
                if error.status in _NO_SUCH_RESOURCE:
                    return None
                raise

    def rows(self, queries: Sequence[RecordQuery]) -> dict[str, list[Row]]:
        """
        Run the queries, five per call, and return the rows by their query's kind.

        What cannot be read or searched is left out and listed in `gaps`, and the rest of the query is sent again.
        Queries that only some rules need are sent in calls of their own, so that a slow one does not delay the others.
        Raises SessionEndedError, UnreachableError, PermanentError, TransientError.
        """
        rows: dict[str, list[Row]] = defaultdict(list)
        with self._lock, _translated():
            for is_extra in (False, True):
                pending = [query for query in queries if query.is_extra is is_extra]
                pending = [readable for query in pending if (readable := self.gaps.readable(query))]
                while pending:
                    batch, pending = pending[:QUERIES_A_CALL], pending[QUERIES_A_CALL:]
                    pending += self._run(batch, rows)
        return rows

    def _run(self, batch: Sequence[RecordQuery], rows: dict[str, list[Row]]) -> list[RecordQuery]:
        """Add the rows of these queries. Return those that have to be sent again, without what was refused."""
        try:
            answers = self._with_version_fallback(partial(self._answers, batch))
        except requests.ReadTimeout:
            if not batch[0].is_extra:
                raise
            for query in batch:
                self.gaps.skip_slow(query)
            return []
        refused: list[RecordQuery] = []
        for query, answer in zip(batch, answers, strict=True):
            if answer.status == 200:
                added = self._all_pages(query, answer.body)
                rows[query.kind] += map(real_addresses, added) if self.session.may_be_sandbox else added
                self.gaps.answered(query)
            else:
                refused += self.gaps.after_refusal(query, answer.status, answer.body)
        return [readable for query in refused if (readable := self.gaps.readable(query))]

    def _with_version_fallback(self, call: Callable[[], Answer]) -> Answer:
        """Call again with a version that the org has if it does not have ours. Salesforce retires old versions."""
        try:
            return call()
        except SalesforceError as error:
            if error.status not in _NO_SUCH_VERSION or not self._switch_version():
                raise
        return call()

    def _switch_version(self) -> bool:
        """Switch to another version if the org has one. It is asked once per session, after a resource was missing."""
        if self._has_checked_versions:
            return False
        self._has_checked_versions = True
        response = self.http.get(f"{self.session.instance_url}/services/data", **_REQUEST_OPTIONS)
        version = nearest_version(response.json()) if response.status_code == 200 else API_VERSION
        if version == API_VERSION:
            return False
        self.salesforce = _library_client(version, self.session, self.http)
        self._has_composite = True
        return True

    def _count(self, *_: object, **__: object) -> None:
        self._calls += 1

    def _answers(self, queries: Sequence[RecordQuery]) -> Iterable[_Answer]:
        """Make one composite call, or one call per query where a gateway blocks that resource."""
        if not self._has_composite:
            return [self._answer(query) for query in queries]
        try:
            return self._composite(queries)
        except SalesforceError as error:
            # This is about the resource itself: errors of the queries are inside the answer.
            is_refused = error.status == 400 and isinstance(refusal(400, error.content), PermanentError)
            if not is_refused and error.status not in _NO_COMPOSITE:
                raise
        self._has_composite = False
        return [self._answer(query) for query in queries]

    def _composite(self, queries: Sequence[RecordQuery]) -> Iterable[_Answer]:
        """Send the queries in the body, where they may be longer than in a URL."""
        data = f"/services/data/v{self.salesforce.sf_version}/"
        subrequests = [
            {
                "method": "GET",
                "url": f"{data}{_resource(query)}",
                "referenceId": f"q{number}",
            }
            for number, query in enumerate(queries)
        ]
        body = {"allOrNone": False, "compositeRequest": subrequests}
        answer = self.salesforce.restful("composite", method="POST", json=body, **_REQUEST_OPTIONS) or {}
        by_reference = {part["referenceId"]: part for part in answer["compositeResponse"]}
        answers = [by_reference[f"q{number}"] for number in range(len(queries))]
        return [_Answer(int(part["httpStatusCode"]), part["body"]) for part in answers]

    def _answer(self, query: RecordQuery) -> _Answer:
        try:
            # The library's own paging is not used: it sends our session to whatever address the answer names.
            page = self.salesforce.restful(_resource(query), **_REQUEST_OPTIONS)
        except SalesforceError as error:
            if error.status != 400:
                raise
            return _Answer(400, error.content)
        return _Answer(200, page)

    def _all_pages(self, query: RecordQuery, body: object) -> Iterator[Row]:
        page: Mapping[str, Any] = body if isinstance(body, dict) else {}
        yield from _records(page)
        for _ in range(MOST_PAGES):
            if page["done"]:
                return
            more = str(page["nextRecordsUrl"]).rpartition("/")[2]
            page = self.salesforce.restful(f"query/{quote(more, safe='')}", **_REQUEST_OPTIONS) or {}
            yield from _records(page)
        if not query.is_extra:
            raise ValueError("too many pages")


class MeasuredSession(requests.Session):
    """A session for simple-salesforce that measures every call."""

    def __init__(self, measures: Measures) -> None:
        super().__init__()
        self._measures = measures

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        started, status = time.perf_counter(), None
        try:
            response = super().send(request, **kwargs)
            status = response.status_code
        finally:
            seconds = time.perf_counter() - started
            self._measures.called(
                "salesforce", "".join(urlsplit(request.url or "").path.split("/")[4:5]), status, seconds
            )
        return response


class _PlainHttp(HTTPAdapter):
    """simple-salesforce always uses https, but an org on this machine has no certificate."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        request.url = (request.url or "").replace("https://", "http://", 1)
        return super().send(request, *args, **kwargs)


def _library_client(version: str, session: Session, http: requests.Session) -> Salesforce:
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
        translated = refusal(error.status, error.content)
        raise (RedirectedError(translated) if error.status in _REDIRECTS else translated) from error
    except requests.ConnectionError as error:
        raise UnreachableError(f"Salesforce did not respond ({type(error).__name__})") from error
    except requests.RequestException as error:
        raise TransientError(f"Salesforce did not respond ({type(error).__name__})") from error
    except (KeyError, TypeError, ValueError) as error:  # the answer has another shape than the library or we expect
        raise TransientError("Salesforce returned an invalid answer") from error


def _resource(query: RecordQuery) -> str:
    """https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_queryall.htm"""
    return f"{'queryAll' if query.with_deleted else 'query'}?q={url_encoded(query.soql)}"


def _records(page: Mapping[str, Any]) -> list[Row]:
    return [row for row in page["records"] if isinstance(row, dict)]


def nearest_version(answer: object) -> str:
    """
    Return the newest version listed under `/services/data` that is not newer than ours, else the oldest, else ours.

    https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/dome_versions.htm
    """
    listed = [entry.get("version") for entry in answer if isinstance(entry, dict)] if isinstance(answer, list) else []
    versions = sorted((name for name in listed if isinstance(name, str) and re.fullmatch(r"\d+\.\d", name)), key=float)
    older = [name for name in versions if float(name) <= float(API_VERSION)]
    return (older[-1:] or versions[:1] or [API_VERSION])[0]
