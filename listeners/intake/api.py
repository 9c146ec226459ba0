"""A sender posts job changes, and asks what became of one."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from pydantic_core import from_json, to_json

from domain.job_change.validation import Fault, InvalidJobChangeError
from listeners.http.metrics import Metrics
from listeners.intake import openapi
from listeners.intake.api_view import shown
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
"""What `Retry-After` says while the database is away."""

log = logging.getLogger(__name__)

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def routes(
    intake: Intake,
    keys: IntakeKeys,
    allowance: RateLimiter,
    metrics: Metrics,
    *,
    body_seconds: float = SLOWEST_BODY_SECONDS,
) -> list[web.RouteDef]:
    """
    What senders may call. Every answer is JSON, every error `{"error": …, "errors": [{"path", "message"}]}`.

    *body_seconds*: how long a body may take to arrive.
    """
    door = _Door(intake, keys, allowance, metrics, body_seconds)
    return [
        web.post(JOB_CHANGES, door.counted(door.take)),
        web.get(JOB_CHANGE, door.counted(door.show), allow_head=False),
        web.route("*", JOB_CHANGES, door.counted(_only("POST"))),
        web.route("*", JOB_CHANGE, door.counted(_only("GET"))),
        web.get(openapi.PATH, openapi.show),
    ]


class _TurnedAwayError(Exception):
    """The request is answered with an error."""

    def __init__(
        self, status: int, error: str, faults: Sequence[Fault] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(error)
        self.status = status
        self.headers = headers
        self.data = {"error": error, "errors": [asdict(fault) for fault in faults]}


Handler = Callable[[web.Request], Awaitable[web.Response]]


@dataclass(frozen=True)
class _Door:
    intake: Intake
    keys: IntakeKeys
    allowance: RateLimiter
    metrics: Metrics
    body_seconds: float

    def counted(self, handler: Handler) -> Handler:
        """Answers what the handler turns away, and counts it."""

        async def answered(request: web.Request) -> web.Response:
            try:
                return await handler(request)
            except _TurnedAwayError as error:
                turned_away = error
            except DatabaseUnavailableError as error:
                log.warning("a sender was asked to come back: %s", error)
                headers = {"Retry-After": str(OUTAGE_SECONDS)}
                turned_away = _TurnedAwayError(503, "nothing was stored, please send it again", headers=headers)
            self.metrics.turned_away(turned_away.status)
            return _answer(turned_away.status, turned_away.data, turned_away.headers)

        return answered

    async def take(self, request: web.Request) -> web.Response:
        workspace_id, body = await self._genuine(request)
        self._charge(workspace_id, 1)
        raw = _decoded(request, body)
        if isinstance(raw, dict) and "job_changes" in raw:
            return await self._take_batch(workspace_id, raw["job_changes"], _sender(request))
        try:
            added = await self.intake.accept(workspace_id, raw, _sender(request))
        except InvalidJobChangeError as error:
            raise _TurnedAwayError(422, "the job change was refused", error.faults) from None
        result = self._result(added)
        return _answer(202 if result["status"] == "accepted" else 200, result)

    async def show(self, request: web.Request) -> web.Response:
        workspace_id, _ = await self._genuine(request)
        self._charge(workspace_id, 1)
        job_change_id = request.match_info["id"]
        found = await self.intake.find(workspace_id, job_change_id) if _ID.fullmatch(job_change_id) else None
        if found is None:
            raise _TurnedAwayError(404, "this workspace has no such job change")
        return _answer(200, shown(found))

    async def _genuine(self, request: web.Request) -> tuple[str, bytes]:
        """The workspace and the raw body, which nobody has looked into before this."""
        workspace_id = request.match_info["workspace_id"]
        body = await _body(request, self.body_seconds)
        standing = KeyCheck.INVALID
        if _ID.fullmatch(workspace_id):
            standing = await self.keys.check(workspace_id, _credentials(request), body)
        if standing is KeyCheck.INVALID:
            text = "not genuine: sign the request, or send a key of this workspace (App Home, Sending job changes)"
            raise _TurnedAwayError(401, text, headers={"WWW-Authenticate": "Bearer"})
        if standing is KeyCheck.UNINSTALLED:
            raise _nowhere()
        return workspace_id, body

    def _charge(self, workspace_id: str, job_changes: int) -> None:
        wait = self.allowance.wait_for(workspace_id, job_changes)
        if wait is not None:
            raise _TurnedAwayError(429, "too many job changes at once", headers={"Retry-After": str(wait)})

    async def _take_batch(self, workspace_id: str, raws: object, sender: str | None) -> web.Response:
        if not isinstance(raws, list):
            raise _TurnedAwayError(422, "the batch was refused", [Fault("job_changes", "must be a list")])
        if not 1 <= len(raws) <= MOST_IN_ONE_BATCH:
            fault = Fault("job_changes", f"must have from 1 to {MOST_IN_ONE_BATCH:,} items")
            raise _TurnedAwayError(422, "the batch was refused", [fault])
        self._charge(workspace_id, len(raws) - 1)
        answers = await self.intake.accept_all(workspace_id, raws, sender)
        return _answer(202, {"results": [self._result(answer) for answer in answers]})

    def _result(self, answer: Added | InvalidJobChangeError | None) -> dict[str, object]:
        if answer is None:
            raise _nowhere()
        if isinstance(answer, InvalidJobChangeError):
            return {"status": "refused", "errors": [asdict(fault) for fault in answer.faults]}
        status = "accepted" if answer.is_new else "duplicate"
        return {"id": answer.id, "status": status}


def _only(method: str) -> Handler:
    async def refuse(_request: web.Request) -> web.Response:
        raise _TurnedAwayError(405, f"only {method} is understood here", headers={"Allow": method})

    return refuse


def _nowhere() -> _TurnedAwayError:
    return _TurnedAwayError(404, "there is no such workspace: it has uninstalled the app")


async def _body(request: web.Request, seconds: float) -> bytes:
    """As it was sent: what is signed is bytes."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise _TurnedAwayError(415, "send the body as it is, without Content-Encoding")
    if (request.content_length or 0) > LARGEST_BODY:
        raise _too_large()
    try:
        if request.content.is_eof():  # all of it is here, which is so for nearly every request
            return request.content.read_nowait()
        async with asyncio.timeout(seconds):
            return await _streamed(request)
    except (HttpProcessingError, web.RequestPayloadError):
        raise _TurnedAwayError(400, "the body is malformed") from None
    except ConnectionResetError:  # nobody is there any more to read this
        raise _TurnedAwayError(400, "the body ended too early") from None
    except TimeoutError:
        raise _TurnedAwayError(408, "the body took too long", headers={"Connection": "close"}) from None


async def _streamed(request: web.Request) -> bytes:
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise _too_large()
    return bytes(body)


def _too_large() -> _TurnedAwayError:
    return _TurnedAwayError(413, "the body is larger than 1 MiB: send smaller batches")


def _sender(request: web.Request) -> str | None:
    """`?source=`: for senders who cannot write into the body who they are."""
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
    # aiohttp decodes headers this way; what is signed are the bytes that were sent.
    return header.encode("utf-8", "surrogateescape")


def _decoded(request: web.Request, body: bytes) -> object:
    media_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise _TurnedAwayError(415, "the Content-Type must be application/json")
    try:
        raw: object = from_json(body, allow_inf_nan=False, cache_strings="keys")
    except ValueError as error:
        raise _TurnedAwayError(400, f"the body is not JSON: {error}") from None
    return raw


def _answer(status: int, data: object, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(
        body=to_json(data), status=status, headers={"Content-Type": "application/json"} | dict(headers or {})
    )
