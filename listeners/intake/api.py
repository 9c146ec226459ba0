"""The HTTP API for senders: they post job changes and read the state of one."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from pydantic_core import from_json

from domain.job_change.validation import Fault
from listeners.http.bodies import BodyTooLargeError, BytesInFlight, TooManyBytesError
from listeners.http.logs import REQUEST_ID
from listeners.http.metrics import Metrics
from listeners.intake import api_view, openapi
from listeners.intake.api_view import Accepted, Error, Receipt, Refused, Results, State
from services.intake.intake import MOST_IN_ONE_BATCH, Intake, Received
from services.intake.keys import Checked, IntakeKeys, KeyCheck
from services.intake.rate_limit import Allowance
from services.intake.senders import registry
from services.intake.senders.proofs import Credentials
from services.intake.signatures import FirstUses, Signature
from services.journal import RefusalLog, Repetitions
from store.database import DatabaseUnavailableError

JOB_CHANGES = "/v1/workspaces/{workspace_id}/job-changes"
JOB_CHANGE = JOB_CHANGES + "/{id}"

LARGEST_BODY = 1024 * 1024
LONGEST_CHALLENGE = 200
SLOWEST_BODY_SECONDS = 15
OUTAGE_SECONDS = 5
"""Sent as `Retry-After` while the database is unavailable."""

log = logging.getLogger(__name__)

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CLOSE = {"Connection": "close"}
_SOON = {"Retry-After": "1", **_CLOSE}


def routes(
    intake: Intake,
    keys: IntakeKeys,
    allowance: Allowance,
    metrics: Metrics,
    *,
    body_seconds: float = SLOWEST_BODY_SECONDS,
    bytes_in_flight: BytesInFlight | None = None,
) -> list[web.RouteDef]:
    """
    Return the routes of the API. Every answer is JSON; errors are `{"error": …, "errors": [{"path", "message"}]}`.

    `body_seconds` is how long a body may take to arrive.
    """
    refusals = RefusalLog("the intake", Repetitions(keys.now))
    api = _Api(intake, keys, allowance, metrics, body_seconds, bytes_in_flight or BytesInFlight(), refusals)
    return [
        web.post(JOB_CHANGES, api.counted(api.post)),
        web.get(JOB_CHANGES, api.counted(_answer_challenge), allow_head=False),
        web.get(JOB_CHANGE, api.counted(api.show), allow_head=False),
        web.route("*", JOB_CHANGES, api.counted(_only("POST"))),
        web.route("*", JOB_CHANGE, api.counted(_only("GET"))),
        web.get(openapi.PATH, openapi.show),
    ]


class _RefusedRequestError(Exception):
    """Raised to answer the request with an error."""

    def __init__(
        self, status: int, error: str, faults: Sequence[Fault] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(error)
        self.status = status
        self.headers = headers
        self.answer = Error(error=error, errors=api_view.faults_of(faults))


Handler = Callable[[web.Request], Awaitable[web.Response]]


@dataclass(frozen=True)
class _Authorized:
    """A genuine request. `sender` is the one that its address names, or else the one whose own key it used."""

    workspace_id: str
    body: bytes
    sender: str | None


@dataclass(frozen=True)
class _Api:
    intake: Intake
    keys: IntakeKeys
    allowance: Allowance
    metrics: Metrics
    body_seconds: float
    bytes_in_flight: BytesInFlight
    refusals: RefusalLog
    first_uses: FirstUses = field(default_factory=FirstUses)

    def counted(self, handler: Handler) -> Handler:
        """Wrap a handler so that refused requests are answered and counted."""

        async def answered(request: web.Request) -> web.Response:
            try:
                return await handler(request)
            except _RefusedRequestError as error:
                refused = error
            except DatabaseUnavailableError:  # logged once, when it begins
                headers = {"Retry-After": str(OUTAGE_SECONDS)}
                refused = _RefusedRequestError(
                    503, "The database is unavailable. Nothing was stored; send it again.", headers=headers
                )
            workspace_id = request.match_info.get("workspace_id", "")
            self.refusals.record(refused.status, workspace_id if self.keys.knows(workspace_id) else None)
            self.metrics.turned_away(refused.status)
            return _answer(refused.status, refused.answer, refused.headers)

        return answered

    async def post(self, request: web.Request) -> web.Response:
        authorized = await self._authorized(request, _source(request))
        self._limit_rate(authorized.workspace_id, 1, len(authorized.body))
        raw = _decoded(request, authorized.body)
        if isinstance(raw, dict) and "job_changes" in raw:
            return await self._post_batch(authorized, raw["job_changes"])
        if isinstance(raw, list):
            self._limit_rate(authorized.workspace_id, len(raw))
        size, request_id = len(authorized.body), REQUEST_ID.get()
        received = await self.intake.receive(authorized.workspace_id, raw, authorized.sender, size, request_id)
        return _answer_payload(received, authorized.sender, raw, self.keys.now())

    async def show(self, request: web.Request) -> web.Response:
        authorized = await self._authorized(request, None)
        self._limit_rate(authorized.workspace_id, 1)
        job_change_id = request.match_info["id"]
        job_change = None
        if _ID.fullmatch(job_change_id):
            job_change = await self.intake.find(authorized.workspace_id, job_change_id)
        if job_change is None or authorized.sender not in (None, job_change.source):  # a sender's own key shows its own
            raise _RefusedRequestError(404, "This workspace has no job change with this id.")
        return _answer(200, State.of(job_change))

    async def _authorized(self, request: web.Request, source: str | None) -> _Authorized:
        """
        Check the request, and read its body. The body is not parsed before this check.

        A GET has no body, so its path and query are signed: a signature is valid for one job change only.
        """
        workspace_id = request.match_info["workspace_id"]
        credentials = registry.credentials(request.headers, source)
        checked, body = Checked(KeyCheck.INVALID), b""
        if _ID.fullmatch(workspace_id):
            checked = await self.keys.check_head(workspace_id, credentials, source)
        if checked.result is not KeyCheck.INVALID:
            body = await self._body(request)
        if checked.result is KeyCheck.NEEDS_BODY:
            signed = body if request.method == "POST" else request.raw_path.encode("utf-8", "surrogateescape")
            checked = await self.keys.check_signature(workspace_id, credentials, signed, source)
            if checked.result is KeyCheck.INVALID and request.method != "POST":
                checked = await self._check_empty(request, workspace_id, credentials)
        if checked.result is KeyCheck.INVALID:
            text = (
                "Not authorized. Sign the request, or send a key of this workspace."
                " Admins create keys in the app's Home, under Senders."
            )
            raise _RefusedRequestError(401, text, headers={"WWW-Authenticate": "Bearer"})
        if checked.result is KeyCheck.UNINSTALLED:
            raise _no_such_workspace()
        return _Authorized(workspace_id, body, source or checked.sender)

    async def _check_empty(self, request: web.Request, workspace_id: str, credentials: Credentials) -> Checked:
        """Check the signature of a GET as version 0.2 described it: over an empty body, so it names no job change."""
        checked, signature = await self.keys.check_signature(workspace_id, credentials, b""), credentials.signature
        if checked.result is KeyCheck.INVALID or not isinstance(signature, Signature):
            return Checked(KeyCheck.INVALID)
        return checked if self.first_uses.is_first(signature, request.raw_path) else Checked(KeyCheck.INVALID)

    async def _body(self, request: web.Request) -> bytes:
        """Return the body as bytes, since the bytes are what is signed."""
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise _RefusedRequestError(415, "Content-Encoding is not supported. Send the body uncompressed.")
        if (request.content_length or 0) > LARGEST_BODY:
            raise _too_large()
        try:
            if request.content.is_eof():  # the whole body has arrived, as for nearly every request
                return request.content.read_nowait()
            async with asyncio.timeout(self.body_seconds):
                return await self.bytes_in_flight.read(request.content, LARGEST_BODY)
        except BodyTooLargeError:
            raise _too_large() from None
        except TooManyBytesError:
            raise _RefusedRequestError(503, "Too many large requests at once. Send it again.", headers=_SOON) from None
        except (HttpProcessingError, web.RequestPayloadError):
            raise _RefusedRequestError(400, "The body is malformed.") from None
        except ConnectionResetError:  # the sender is gone and will not read this answer
            raise _RefusedRequestError(400, "The body is incomplete.") from None
        except TimeoutError:
            raise _RefusedRequestError(408, "The body was not received in time.", headers=_CLOSE) from None

    def _limit_rate(self, workspace_id: str, job_changes: int, size: int = 0) -> None:
        wait = self.allowance.seconds_to_wait(workspace_id, job_changes, size)
        if wait is not None:
            raise _RefusedRequestError(429, "Too many job changes at once.", headers={"Retry-After": str(wait)})

    async def _post_batch(self, authorized: _Authorized, raws: object) -> web.Response:
        if not isinstance(raws, list):
            raise _RefusedRequestError(422, "The batch is not valid.", [Fault("job_changes", "must be a list")])
        if not 1 <= len(raws) <= MOST_IN_ONE_BATCH:
            fault = Fault("job_changes", f"must have 1 to {MOST_IN_ONE_BATCH:,} items")
            raise _RefusedRequestError(422, "The batch is not valid.", [fault])
        self._limit_rate(authorized.workspace_id, len(raws) - 1)
        size, request_id = len(authorized.body), REQUEST_ID.get()
        items = await self.intake.accept_all(authorized.workspace_id, raws, authorized.sender, size, request_id)
        _check_workspace(items)
        return _answer(202, Results(results=[api_view.results_of(item) for item in items]))


def _answer_payload(received: Received, name: str | None, payload: object, now: int) -> web.Response:
    """
    Answer one payload as its sender expects it.

    A vendor that stops sending after a few refusals is not refused what it cannot fix. Admins see it in Home.
    """
    _check_workspace([received])
    result, sender = api_view.results_of(received), registry.find(name) if name else None
    if isinstance(result, Refused) and not (sender and sender.switches_off):
        faults = [Fault(fault.path, fault.message) for fault in result.errors]
        raise _RefusedRequestError(422, "The job change is not valid.", faults)
    if sender and sender.acknowledge:
        at = datetime.fromtimestamp(now / 1_000, UTC).isoformat(timespec="milliseconds")
        return web.json_response(sender.acknowledge(payload if isinstance(payload, dict) else {}, at))
    return _answer(202 if isinstance(result, Accepted | Results) else 200, result)


def _check_workspace(items: Sequence[Received]) -> None:
    if any(result is None for received in items for result in received.results):
        raise _no_such_workspace()


async def _answer_challenge(request: web.Request) -> web.Response:
    """Answer a vendor that checks the address before it sends anything. Such a request has no proof."""
    source, challenge = _source(request), request.query.get("challenge", "")
    if source and registry.find(source).answers_challenge and 0 < len(challenge) <= LONGEST_CHALLENGE:
        return web.json_response({"challenge": challenge})
    raise _RefusedRequestError(405, "Method not allowed. Use POST.", headers={"Allow": "POST"})


def _only(method: str) -> Handler:
    async def refuse(_request: web.Request) -> web.Response:
        raise _RefusedRequestError(405, f"Method not allowed. Use {method}.", headers={"Allow": method})

    return refuse


def _no_such_workspace() -> _RefusedRequestError:
    return _RefusedRequestError(404, "This workspace does not exist or has removed the app.")


def _too_large() -> _RefusedRequestError:
    return _RefusedRequestError(413, "The body is larger than 1 MiB. Send smaller batches.")


def _source(request: web.Request) -> str | None:
    """Return `?source=`, for senders that cannot add their name to the body."""
    if not request.query_string:  # as in most requests; parsing an empty one takes a microsecond
        return None
    return registry.source_of({"source": request.query.get("source")})


def _decoded(request: web.Request, body: bytes) -> object:
    media_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise _RefusedRequestError(415, "The Content-Type must be application/json.")
    try:
        raw: object = from_json(body, allow_inf_nan=False, cache_strings="keys")
    except ValueError as error:
        raise _RefusedRequestError(400, f"The body is not JSON: {error}") from None
    return raw


def _answer(status: int, answer: api_view.Answer, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(
        body=answer.model_dump_json(
            exclude_none=isinstance(answer, Receipt)
        ).encode(),  # a str takes three times as long
        status=status,
        headers=headers,
        content_type="application/json",
    )
