"""The door of the Web API: reads a call, lets it in or refuses it, breaks it when told to, and keeps a record."""

import asyncio
import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import web

from sandbox.slack.faults import Fault, Faults
from sandbox.slack.state import Json, Token
from sandbox.slack.web_api.calls import ApiError, AppEvent, Call, CallRecord
from sandbox.slack.web_api.limits import Limits
from sandbox.slack.web_api.methods import METHODS, Method
from sandbox.slack.world import World

_SECRETS = {"token", "client_secret"}


@dataclass
class Asked:
    """A request as it was read. `problem` is what Slack calls a body that it cannot read."""

    arguments: Json
    bearer: str = field(default="", repr=False)
    basic: tuple[str, str] | None = field(default=None, repr=False)
    problem: str | None = None


@dataclass
class Answer:
    """What goes back: a status, a JSON body and headers."""

    body: Json
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class WebApi:
    """Serves /api/METHOD. `latency` in seconds is added to each call; `tell` sends on the events a call caused.

    `more` are methods that are not about the world.
    """

    world: World
    limits: Limits
    faults: Faults
    tell: Callable[[list[AppEvent]], None]
    more: Mapping[str, Method] = field(default_factory=dict)
    latency: float = 0.0
    records: list[CallRecord] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        name = request.match_info["method"]
        asked = await read(request)
        token = self.world.tokens.get(asked.bearer)
        fault = self.faults.take(name, asked.arguments)
        if self.latency:
            await asyncio.sleep(self.latency)
        if fault is None:
            answer = self._perform(name, asked, token)
            body = json.dumps(answer.body, separators=(",", ":")).encode()
        else:
            answer, body = await self._break(fault, name, asked, token)
        if fault is not None and fault.drop and request.transport is not None:
            request.transport.abort()
            answer = Answer({"error": "dropped"}, 0)
        self._record(name, asked, token, answer)
        kind = "text/html" if body.startswith(b"<") else "application/json"
        return web.Response(body=body, status=answer.status or 200, headers=answer.headers, content_type=kind)

    async def _break(self, fault: Fault, name: str, asked: Asked, token: Token | None) -> tuple[Answer, bytes]:
        """The answer of a call that a fault hits, and the bytes of it."""
        lost = fault.replaces_answer or fault.drop == "before"
        answer = self._perform(name, asked, token) if fault.perform else None
        await asyncio.sleep(fault.delay)
        if answer is None and not lost:
            answer = self._perform(name, asked, token)
        if answer is None or fault.replaces_answer:
            headers = {"Retry-After": str(fault.retry_after)} if fault.retry_after is not None else {}
            answer = Answer({"ok": False, "error": fault.error or "internal_error"}, fault.status, headers)
        return answer, json.dumps(answer.body).encode() if fault.body is None else fault.body

    def _perform(self, name: str, asked: Asked, token: Token | None) -> Answer:
        method = METHODS.get(name) or self.more.get(name)
        headers: dict[str, str] = {}
        if token is not None and token.error is None:
            headers["x-oauth-scopes"] = ",".join(sorted(token.scopes))
        if method is not None and method.scopes:
            headers["x-accepted-oauth-scopes"] = ",".join(method.scopes)
        try:
            body = self._call(name, method, asked, token)
        except ApiError as refusal:
            answer = {"ok": False, "error": refusal.error, **refusal.extra}
            if refusal.retry_after is None:
                return Answer(answer, 200, headers)
            # "HTTP 429 Too Many Requests … a Retry-After header": https://docs.slack.dev/apis/web-api/rate-limits
            return Answer(answer, 429, headers | {"Retry-After": str(refusal.retry_after)})
        return Answer(body, 200, headers)

    def _call(self, name: str, method: Method | None, asked: Asked, token: Token | None) -> Json:
        if method is None:
            raise ApiError("unknown_method", req_method=name)
        if asked.problem:
            raise ApiError(asked.problem)
        call = Call(self.world, self.limits, asked.arguments, token, asked.basic, bearer=asked.bearer)
        if method.needs_token:
            _check_token(asked, token)
        workspace = token.home if token else ""
        wait = self.limits.wait(name, workspace, method.tier, self.world.now())
        if wait:
            raise ApiError("ratelimited", retry_after=wait)
        if method.scopes:
            call.need(*method.scopes)
        body = method.answer(call)
        if call.events:
            self.tell(call.events)
        return body

    def _record(self, name: str, asked: Asked, token: Token | None, answer: Answer) -> None:
        shown = {key: value for key, value in asked.arguments.items() if key not in _SECRETS}
        error = answer.body.get("error")
        team_id = token.team_id if token else None
        self.records.append(CallRecord(name, team_id, shown, self.world.now(), answer.status, error))


def _check_token(asked: Asked, token: Token | None) -> None:
    """https://docs.slack.dev/reference/methods/auth.test tells these errors apart."""
    if not asked.bearer:
        raise ApiError("not_authed")
    if token is None:
        raise ApiError("invalid_auth")
    if token.error:
        raise ApiError(token.error)


async def read(request: web.Request) -> Asked:
    """GET or POST; a query, a form, or JSON, whose token may stand only in the header.

    https://docs.slack.dev/apis/web-api/#evaluating
    """
    bearer, basic = _authorization(request.headers.get("Authorization", ""))
    arguments: Json = dict(request.query)
    problem = None
    if request.method == "POST" and request.content_type == "application/json":
        try:
            body = json.loads(await request.read() or b"{}")
        except ValueError:
            return Asked(arguments, bearer, basic, "invalid_json")
        if isinstance(body, dict):
            arguments |= body
        else:
            problem = "json_not_object"
    else:
        if request.method == "POST" and request.can_read_body:
            arguments |= dict(await request.post())
        bearer = bearer or str(arguments.get("token", ""))
    return Asked(arguments, bearer, basic, problem)


def _authorization(header: str) -> tuple[str, tuple[str, str] | None]:
    scheme, _, credentials = header.partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip(), None
    if scheme.lower() != "basic":
        return "", None
    try:
        user, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", None
    return "", (user, password)
