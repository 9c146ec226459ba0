"""The HTTP API for senders: they post job changes and read the state of one."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from pydantic_core import from_json

from domain.job_change.validation import Fault, InvalidJobChangeError
from listeners.http.limits import BytesInFlight, TooManyBytesError
from listeners.http.metrics import Metrics
from listeners.intake import api_view, openapi
from listeners.intake.api_view import Accepted, Duplicate, Error, Refused, Results, State
from services.intake.intake import MOST_IN_ONE_BATCH, Intake
from services.intake.keys import Credentials, IntakeKeys, KeyCheck
from services.intake.rate_limit import RateLimiter
from services.intake.senders import senders
from services.intake.signatures import Signature
from store.database import DatabaseUnavailableError
from store.intake.job_changes import Added

JOB_CHANGES = "/v1/workspaces/{workspace_id}/job-changes"
JOB_CHANGE = JOB_CHANGES + "/{id}"

LARGEST_BODY = 1024 * 1024
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
    rate_limiter: RateLimiter,
    metrics: Metrics,
    *,
    body_seconds: float = SLOWEST_BODY_SECONDS,
    bytes_in_flight: BytesInFlight | None = None,
) -> list[web.RouteDef]:
    """
    Return the routes of the API. Every answer is JSON; errors are `{"error": …, "errors": [{"path", "message"}]}`.

    `body_seconds` is how long a body may take to arrive.
    """
    api = _Api(intake, keys, rate_limiter, metrics, body_seconds, bytes_in_flight or BytesInFlight())
    return [
        web.post(JOB_CHANGES, api.counted(api.post)),
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
        self.answer = Error(error=error, errors=_faults(faults))


Handler = Callable[[web.Request], Awaitable[web.Response]]


@dataclass(frozen=True)
class _Api:
    intake: Intake
    keys: IntakeKeys
    rate_limiter: RateLimiter
    metrics: Metrics
    body_seconds: float
    bytes_in_flight: BytesInFlight

    def counted(self, handler: Handler) -> Handler:
        """Wrap a handler so that refused requests are answered and counted."""

        async def answered(request: web.Request) -> web.Response:
            try:
                return await handler(request)
            except _RefusedRequestError as error:
                refused = error
            except DatabaseUnavailableError as error:
                log.warning("the database is unavailable, so a sender was asked to retry: %s", error)
                headers = {"Retry-After": str(OUTAGE_SECONDS)}
                refused = _RefusedRequestError(
                    503, "The database is unavailable. Nothing was stored; send it again.", headers=headers
                )
            self.metrics.turned_away(refused.status)
            return _answer(refused.status, refused.answer, refused.headers)

        return answered

    async def post(self, request: web.Request) -> web.Response:
        workspace_id, body = await self._authorized(request)
        self._limit_rate(workspace_id, 1)
        raw = _decoded(request, body)
        if isinstance(raw, dict) and "job_changes" in raw:
            return await self._post_batch(workspace_id, raw["job_changes"], _sender(request))
        try:
            added = await self.intake.accept(workspace_id, raw, _sender(request))
        except InvalidJobChangeError as error:
            raise _RefusedRequestError(422, "The job change is not valid.", error.faults) from None
        result = self._result(added)
        return _answer(202 if isinstance(result, Accepted) else 200, result)

    async def show(self, request: web.Request) -> web.Response:
        workspace_id, _ = await self._authorized(request)
        self._limit_rate(workspace_id, 1)
        job_change_id = request.match_info["id"]
        job_change = await self.intake.find(workspace_id, job_change_id) if _ID.fullmatch(job_change_id) else None
        if job_change is None:
            raise _RefusedRequestError(404, "This workspace has no job change with this id.")
        return _answer(200, State.of(job_change))

    async def _authorized(self, request: web.Request) -> tuple[str, bytes]:
        """Return the workspace and the raw body. The body is not parsed before this check."""
        workspace_id, credentials = request.match_info["workspace_id"], _credentials(request)
        result, body = KeyCheck.INVALID, b""
        if _ID.fullmatch(workspace_id):
            result = await self.keys.check_head(workspace_id, credentials)
        if result is not KeyCheck.INVALID:
            body = await self._body(request)
        if result is KeyCheck.NEEDS_BODY and credentials.signature:
            result = await self.keys.check_signature(workspace_id, credentials.signature, body)
        if result is KeyCheck.INVALID:
            text = (
                "Not authorized. Sign the request, or send a key of this workspace."
                " Admins create keys in the app's Home, under Sending job changes."
            )
            raise _RefusedRequestError(401, text, headers={"WWW-Authenticate": "Bearer"})
        if result is KeyCheck.UNINSTALLED:
            raise _no_such_workspace()
        return workspace_id, body

    async def _body(self, request: web.Request) -> bytes:
        """Return the body as bytes, since the bytes are what is signed."""
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise _RefusedRequestError(415, "Content-Encoding is not supported. Send the body uncompressed.")
        if (request.content_length or 0) > LARGEST_BODY:
            raise _too_large()
        try:
            if request.content.is_eof():  # the whole body has arrived, as for nearly every request
                return request.content.read_nowait()
            with self.bytes_in_flight.reserved(request.content_length or LARGEST_BODY):
                async with asyncio.timeout(self.body_seconds):
                    body = bytearray()
                    async for chunk in request.content.iter_any():
                        body += chunk
                        if len(body) > LARGEST_BODY:
                            raise _too_large()
                    return bytes(body)
        except TooManyBytesError:
            raise _RefusedRequestError(503, "Too many large requests at once. Send it again.", headers=_SOON) from None
        except (HttpProcessingError, web.RequestPayloadError):
            raise _RefusedRequestError(400, "The body is malformed.") from None
        except ConnectionResetError:  # the sender is gone and will not read this answer
            raise _RefusedRequestError(400, "The body is incomplete.") from None
        except TimeoutError:
            raise _RefusedRequestError(408, "The body was not received in time.", headers=_CLOSE) from None

    def _limit_rate(self, workspace_id: str, job_changes: int) -> None:
        wait = self.rate_limiter.seconds_to_wait(workspace_id, job_changes)
        if wait is not None:
            raise _RefusedRequestError(429, "Too many job changes at once.", headers={"Retry-After": str(wait)})

    async def _post_batch(self, workspace_id: str, raws: object, sender: str | None) -> web.Response:
        if not isinstance(raws, list):
            raise _RefusedRequestError(422, "The batch is not valid.", [Fault("job_changes", "must be a list")])
        if not 1 <= len(raws) <= MOST_IN_ONE_BATCH:
            fault = Fault("job_changes", f"must have 1 to {MOST_IN_ONE_BATCH:,} items")
            raise _RefusedRequestError(422, "The batch is not valid.", [fault])
        self._limit_rate(workspace_id, len(raws) - 1)
        answers = await self.intake.accept_all(workspace_id, raws, sender)
        return _answer(202, Results(results=[self._result(answer) for answer in answers]))

    def _result(self, answer: Added | InvalidJobChangeError | None) -> Accepted | Duplicate | Refused:
        if answer is None:
            raise _no_such_workspace()
        if isinstance(answer, InvalidJobChangeError):
            return Refused(errors=_faults(answer.faults))
        return Accepted(id=answer.id) if answer.is_new else Duplicate(id=answer.id)


def _faults(faults: Sequence[Fault]) -> list[api_view.Fault]:
    return [api_view.Fault(path=fault.path, message=fault.message) for fault in faults]


def _only(method: str) -> Handler:
    async def refuse(_request: web.Request) -> web.Response:
        raise _RefusedRequestError(405, f"Method not allowed. Use {method}.", headers={"Allow": method})

    return refuse


def _no_such_workspace() -> _RefusedRequestError:
    return _RefusedRequestError(404, "This workspace does not exist or has removed the app.")


def _too_large() -> _RefusedRequestError:
    return _RefusedRequestError(413, "The body is larger than 1 MiB. Send smaller batches.")


def _sender(request: web.Request) -> str | None:
    """Return `?source=`, for senders that cannot add their name to the body."""
    return senders.source_of({"source": request.query.get("source")})


def _credentials(request: web.Request) -> Credentials:
    headers = request.headers
    scheme, _, bearer = headers.get("Authorization", "").partition(" ")
    bearers = [headers.get("X-Api-Key", ""), bearer.strip() if scheme.lower() == "bearer" else ""]
    return Credentials(_signature(headers), tuple(_raw(key) for key in bearers if key))


def _signature(headers: Mapping[str, str]) -> Signature | None:
    signatures = headers.get("webhook-signature")
    message_id, timestamp = headers.get("webhook-id"), headers.get("webhook-timestamp")
    if not (signatures and message_id and timestamp):
        return None
    return Signature(_raw(message_id), _raw(timestamp), _raw(signatures))


def _raw(header: str) -> bytes:
    # The reverse of how aiohttp decodes headers: the signature covers the bytes that were sent.
    return header.encode("utf-8", "surrogateescape")


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
        body=answer.model_dump_json(), status=status, headers={"Content-Type": "application/json"} | dict(headers or {})
    )
