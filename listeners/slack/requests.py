"""Slack's requests: verified and validated here, then handled by Bolt."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.signature import Clock, SignatureVerifier

from listeners.slack.payloads import is_well_formed
from services.journal import RefusalLog, Repetitions
from services.measures import UNMEASURED, Measures
from services.operations.doctor_slack import DOCTOR_USER_AGENT
from store.database import Database, DatabaseUnavailableError
from store.slack import inbound_health
from store.slack.inbound_health import EVENT, GENUINE, REFUSED

log = logging.getLogger(__name__)

_NOT_GENUINE = "The signature does not match, or the request is older than five minutes."
_SIGNATURE, _TIMESTAMP = re.compile(r"v0=[0-9a-f]{64}"), re.compile(r"[0-9]{1,12}")
_IDS = ("team_id", "enterprise_id", "user_id", "channel_id")

RECORDED_EVERY_MS = 60_000


@dataclass(frozen=True)
class InboundRecorder:
    """
    Records when requests arrived, since Slack cannot be asked whether it reaches the app.

    Each kind is recorded at most once a minute, because it delays every request.
    """

    database: Database
    now: Callable[[], int]
    _recorded_at: dict[str, int] = field(default_factory=dict, init=False, repr=False)

    async def record(self, kind: str) -> None:
        """`kind` is one of those in store/slack/inbound_health.py."""
        now = self.now()
        if now - self._recorded_at.get(kind, now - RECORDED_EVERY_MS) < RECORDED_EVERY_MS:
            return
        self._recorded_at[kind] = now
        with suppress(DatabaseUnavailableError):  # Slack must still be answered, and the doctor checks the database
            await self.database.run(inbound_health.record, kind, now)


@dataclass(frozen=True)
class SlackRequests:
    """
    Verifies and validates requests before Bolt handles them. `wall` is this machine's own clock, in milliseconds.

    Bolt and the listeners assume that requests are well-formed. Bolt would answer a timestamp that is not a number, or
    deeply nested JSON, with a 500.
    """

    bolt: AsyncApp
    verifier: SignatureVerifier
    recorder: InboundRecorder
    wall: Callable[[], int]
    refusals: RefusalLog
    measures: Measures = UNMEASURED

    @classmethod
    def of(
        cls,
        bolt: AsyncApp,
        signing_secret: str,
        recorder: InboundRecorder,
        wall: Callable[[], int],
        measures: Measures = UNMEASURED,
    ) -> SlackRequests:
        """Raises ValueError for an empty secret."""
        refusals = RefusalLog("Slack's endpoint", Repetitions(recorder.now))
        return cls(bolt, SignatureVerifier(signing_secret, _Clock(wall)), recorder, wall, refusals, measures)

    async def handle(self, request: web.Request, raw: bytes) -> web.Response:
        """
        Answer with 401 if Slack did not sign the request, 400 if Slack never sends such a body, or Bolt's answer.

        `raw` is the body; it has not been read if the headers do not look signed.
        """
        if not self.looks_signed(request.headers):
            return self._refuse(401, _NOT_GENUINE)
        is_from_doctor = request.headers.get("User-Agent") == DOCTOR_USER_AGENT
        if not self._is_genuine(raw, request.headers):
            if not is_from_doctor:
                await self.recorder.record(REFUSED)
            return self._refuse(401, _NOT_GENUINE)
        text = raw.decode()  # Slack signs UTF-8 only
        if not is_from_doctor:
            await self.recorder.record(EVENT if '"event_callback"' in text else GENUINE)
        answer = await answer_of(
            self.bolt, text, self.measures, query=request.query_string, headers=dict(request.headers)
        )
        if answer is None:
            return self._refuse(400, "The body is not a Slack payload.")
        if answer.status >= 400:
            self._count(answer.status)
        return await to_aiohttp_response(answer)

    def _refuse(self, status: int, error: str) -> web.Response:
        self._count(status)
        return web.json_response({"error": error}, status=status)

    def _count(self, status: int) -> None:
        self.refusals.record(status)
        self.measures.slack_refused(status)

    def _is_genuine(self, raw: bytes, headers: Mapping[str, str]) -> bool:
        # https://docs.slack.dev/authentication/verifying-requests-from-slack
        try:
            return self.verifier.is_valid(raw, headers["X-Slack-Request-Timestamp"], headers["X-Slack-Signature"])
        except UnicodeDecodeError:
            return False

    def looks_signed(self, headers: Mapping[str, str]) -> bool:
        """
        Whether the headers have the form and age of a signed request.

        If the signature of such a request does not match, our signing secret is probably wrong.
        """
        timestamp, signature = (headers.get(f"X-Slack-{name}", "") for name in ("Request-Timestamp", "Signature"))
        if not (_SIGNATURE.fullmatch(signature) and _TIMESTAMP.fullmatch(timestamp)):
            return False
        return abs(self.wall() / 1_000 - int(timestamp)) < 300


async def answer_of(
    bolt: AsyncApp, body: str | dict[str, Any], measures: Measures = UNMEASURED, **arguments: Any
) -> BoltResponse | None:
    """
    Return Bolt's answer, or None if Slack never sends such a body.

    `body` is the text of an HTTP request, or an object with `mode="socket_mode"`. `arguments` are those of
    AsyncBoltRequest.
    """
    try:
        request = AsyncBoltRequest(body=body, **arguments)
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError):
        # Bolt looks for ids in the body and fails on undocumented shapes.
        return None
    if not (is_well_formed(request.body) and _has_valid_ids(request.context)):
        return None
    event = request.body.get("event") or {}
    if "app_rate_limited" in {request.body.get("type"), event.get("type")}:
        # Not an event of the usual form: https://docs.slack.dev/reference/events/app_rate_limited
        log.warning("Slack has dropped events for a minute, because there were more than 30,000 in an hour")
        measures.events_limited()
        return BoltResponse(status=200)
    answer = await bolt.async_dispatch(request)
    if answer.status == 404 and request.body.get("type") == "event_callback":
        # No listener handles this event. Slack would repeat it, and count it as a failure.
        return BoltResponse(status=200)
    return answer


class _Clock(Clock):
    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now

    def now(self) -> float:
        return self._now() / 1000


def _has_valid_ids(context: Mapping[str, object]) -> bool:
    """Check the ids and the URL that Bolt found in the payload, before they are used in statements and calls."""
    url = context.get("response_url")
    return all(isinstance(context.get(name), str | None) for name in _IDS) and (
        url is None or (isinstance(url, str) and url.startswith(("https://", "http://")))
    )
