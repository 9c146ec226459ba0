"""What Slack sends: genuine and readable, or answered here; the rest is Bolt's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.signature import Clock, SignatureVerifier

from services.operations.doctor_slack import DOCTOR
from services.slack.inbound_health import SlackSigns
from store.slack.inbound_health import EVENT, GENUINE, REFUSED

_SIGNATURE, _TIMESTAMP = re.compile(r"v0=[0-9a-f]{64}"), re.compile(r"[0-9]{1,12}")
_IDS = ("team_id", "enterprise_id", "user_id", "channel_id")


@dataclass(frozen=True)
class SlackRequests:
    """
    In front of Bolt, which takes for granted that a request is well-formed.

    A timestamp that is no number, or JSON that is nested too deep, raises there and would be answered with a 500.
    """

    bolt: AsyncApp
    verifier: SignatureVerifier
    signs: SlackSigns

    @classmethod
    def of(cls, bolt: AsyncApp, signing_secret: str, signs: SlackSigns) -> SlackRequests:
        """Raises ValueError for an empty secret."""
        return cls(bolt, SignatureVerifier(signing_secret, _Clock(signs.now)), signs)

    async def hear(self, request: web.Request) -> web.Response:
        """401: Slack did not sign it, 400: Slack never sends that; else what Bolt answers."""
        raw = await request.read()
        is_the_doctor = request.headers.get("User-Agent") == DOCTOR
        if not self._is_genuine(raw, request.headers):
            if self._could_be_genuine(request.headers) and not is_the_doctor:
                await self.signs.note(REFUSED)
            return _refusal(401, "the signature does not match, or is older than five minutes")
        text = raw.decode()  # the signature covers UTF-8 only
        if not is_the_doctor:
            await self.signs.note(EVENT if '"event_callback"' in text else GENUINE)
        answer = await answer_of(self.bolt, text, query=request.query_string, headers=dict(request.headers))
        if answer is None:
            return _refusal(400, "the body is none that Slack sends")
        return await to_aiohttp_response(answer)

    def _is_genuine(self, raw: bytes, headers: Mapping[str, str]) -> bool:
        """https://docs.slack.dev/authentication/verifying-requests-from-slack"""
        timestamp = headers.get("X-Slack-Request-Timestamp", "")
        signature = headers.get("X-Slack-Signature", "")
        if not (_TIMESTAMP.fullmatch(timestamp) and signature.isascii()):
            return False
        try:
            return self.verifier.is_valid(raw, timestamp, signature)
        except UnicodeDecodeError:
            return False

    def _could_be_genuine(self, headers: Mapping[str, str]) -> bool:
        """Whether it is signed as Slack signs, and now: what just anybody sends here is no sign of a wrong secret."""
        timestamp, signature = (headers.get(f"X-Slack-{name}", "") for name in ("Request-Timestamp", "Signature"))
        if not (_SIGNATURE.fullmatch(signature) and _TIMESTAMP.fullmatch(timestamp)):
            return False
        return abs(self.signs.now() / 1_000 - int(timestamp)) < 300


async def answer_of(bolt: AsyncApp, body: str | dict[str, Any], **how: Any) -> BoltResponse | None:
    """
    What Bolt answers to what Slack sent; None: Slack never sends that.

    *body*: text that came by HTTP, or with `mode="socket_mode"` an object; *how*: the rest of AsyncBoltRequest.
    """
    try:
        asked = AsyncBoltRequest(body=body, **how)
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError):
        # Bolt looks for ids in whatever it is given, and stumbles over what is of no documented shape.
        return None
    if not (_is_readable(asked.body) and _is_known(asked.context)):
        return None
    answer = await bolt.async_dispatch(asked)
    if answer.status == 404 and asked.body.get("type") == "event_callback":
        # An event that nobody listens to. Slack would repeat it, and count it as a failure.
        return BoltResponse(status=200)
    return answer


class _Clock(Clock):
    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now

    def now(self) -> float:
        return self._now() / 1000


def _is_readable(payload: Any) -> bool:
    """Whether Bolt can find its way through it: it takes these for granted without looking."""
    if not isinstance(payload, dict):
        return False
    texts = _are_texts(payload.get(name) for name in ("type", "callback_id", "command"))
    parts = all(isinstance(payload.get(name), dict | None) for name in ("event", "view", "message", "container"))
    actions = payload.get("actions", [{}])
    return texts and parts and _are_objects(actions) and _is_whole(payload)


def _is_whole(payload: dict[str, Any]) -> bool:
    kind = payload.get("type")
    if kind == "event_callback":
        return isinstance((payload.get("event") or {}).get("type"), str)
    if kind in {"view_submission", "view_closed"}:
        return isinstance((payload.get("view") or {}).get("callback_id"), str)
    if kind in {"block_actions", "interactive_message"}:
        return "actions" in payload
    return True


def _is_known(context: Mapping[str, object]) -> bool:
    """Whether what Bolt found in it are ids, and an address, as our statements and its answers take for granted."""
    url = context.get("response_url")
    return _are_texts(context.get(name) for name in _IDS) and (
        url is None or (isinstance(url, str) and url.startswith(("https://", "http://")))
    )


def _are_texts(values: Iterable[object]) -> bool:
    return all(isinstance(value, str | None) for value in values)


def _are_objects(items: object) -> bool:
    return isinstance(items, list) and bool(items) and all(isinstance(item, dict) for item in items)


def _refusal(status: int, why: str) -> web.Response:
    return web.json_response({"error": why}, status=status)
