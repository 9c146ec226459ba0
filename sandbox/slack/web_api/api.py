"""WebApi: reads each call, checks token, rate limit and scopes, applies faults, and records the call."""

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
class ApiRequest:
    """A parsed request. `problem` is Slack's error for a body that cannot be parsed."""

    arguments: Json
    bearer: str = field(default="", repr=False)
    basic: tuple[str, str] | None = field(default=None, repr=False)
    problem: str | None = None


@dataclass
class ApiResponse:
    """The status, JSON body and headers of a response."""

    body: Json
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class WebApi:
    """Serves /api/METHOD. `latency` is in seconds per call; `send_events` delivers the events that a call causes.

    `more_methods` are methods beside those in `METHODS`.
    """

    world: World
    limits: Limits
    faults: Faults
    send_events: Callable[[list[AppEvent]], None]
    more_methods: Mapping[str, Method] = field(default_factory=dict)
    latency: float = 0.0
    records: list[CallRecord] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        name = request.match_info["method"]
        api_request = await read(request)
        token = self.world.tokens.get(api_request.bearer)
        fault = self.faults.take(name, api_request.arguments)
        if self.latency:
            await asyncio.sleep(self.latency)
        if fault is None:
            response = self._perform(name, api_request, token)
            body = json.dumps(response.body, separators=(",", ":")).encode()
        else:
            response, body = await self._perform_with_fault(fault, name, api_request, token)
        if fault is not None and fault.drop and request.transport is not None:
            request.transport.abort()
            response = ApiResponse({"error": "dropped"}, 0)
        arguments = {key: value for key, value in api_request.arguments.items() if key not in _SECRETS}
        team_id, error = token.team_id if token else None, response.body.get("error")
        self.records.append(CallRecord(name, team_id, arguments, self.world.now(), response.status, error))
        content_type = "text/html" if body.startswith(b"<") else "application/json"
        return web.Response(
            body=body, status=response.status or 200, headers=response.headers, content_type=content_type
        )

    async def _perform_with_fault(
        self, fault: Fault, name: str, request: ApiRequest, token: Token | None
    ) -> tuple[ApiResponse, bytes]:
        """The response and its body for a call that a fault applies to."""
        never_performed = fault.replaces_response or fault.drop == "before"
        response = self._perform(name, request, token) if fault.perform else None
        await asyncio.sleep(fault.delay)
        if response is None and not never_performed:
            response = self._perform(name, request, token)
        if response is None or fault.replaces_response:
            headers = {"Retry-After": str(fault.retry_after)} if fault.retry_after is not None else {}
            response = ApiResponse({"ok": False, "error": fault.error or "internal_error"}, fault.status, headers)
        return response, json.dumps(response.body).encode() if fault.body is None else fault.body

    def _perform(self, name: str, request: ApiRequest, token: Token | None) -> ApiResponse:
        method = METHODS.get(name) or self.more_methods.get(name)
        headers: dict[str, str] = {}
        if token is not None and token.error is None:
            headers["x-oauth-scopes"] = ",".join(sorted(token.scopes))
        if method is not None and method.scopes:
            headers["x-accepted-oauth-scopes"] = ",".join(method.scopes)
        try:
            body = self._call(name, method, request, token)
        except ApiError as error:
            body = {"ok": False, "error": error.error, **error.extra}
            if error.retry_after is not None:
                # "HTTP 429 Too Many Requests … a Retry-After header": https://docs.slack.dev/apis/web-api/rate-limits
                return ApiResponse(body, 429, headers | {"Retry-After": str(error.retry_after)})
        return ApiResponse(body, 200, headers)

    def _call(self, name: str, method: Method | None, request: ApiRequest, token: Token | None) -> Json:
        if method is None:
            raise ApiError("unknown_method", req_method=name)
        if request.problem:
            raise ApiError(request.problem)
        call = Call(self.world, self.limits, request.arguments, token, request.basic, bearer=request.bearer)
        if method.needs_token:
            _check_token(request, token, self.world.now())
        workspace = token.installed_in if token else ""
        is_short = name == "conversations.history" and self.world.app.has_short_history
        tier = 1 if is_short else method.tier
        seconds = self.limits.seconds_to_wait(name, workspace, tier, self.world.now())
        if seconds:
            raise ApiError("ratelimited", retry_after=seconds)
        if method.scopes:
            call.require_scope(*method.scopes)
        is_org_wide = token is not None and token.is_enterprise_install
        if is_org_wide and not all(map(call.text, method.facts.required_of_org_tokens)):
            raise ApiError("missing_argument")
        for argument in method.facts.required:
            call.required(argument)
        body = method.run(call)
        if call.events:
            self.send_events(call.events)
        return body


def _check_token(request: ApiRequest, token: Token | None, now: float) -> None:
    """https://docs.slack.dev/reference/methods/auth.test has these errors."""
    if not request.bearer:
        raise ApiError("not_authed")
    if token is None:
        raise ApiError("invalid_auth")
    if token.error:
        raise ApiError(token.error)
    if token.expires_at is not None and now >= token.expires_at:
        raise ApiError("token_expired")


async def read(request: web.Request) -> ApiRequest:
    """Parse a GET or POST with a query, form or JSON body. With JSON, the token must be in the header.

    https://docs.slack.dev/apis/web-api/#evaluating
    """
    bearer, basic = _authorization(request.headers.get("Authorization", ""))
    arguments: Json = dict(request.query)
    problem = None
    if request.method == "POST" and request.content_type == "application/json":
        try:
            body = json.loads(await request.read() or b"{}")
        except ValueError:
            return ApiRequest(arguments, bearer, basic, "invalid_json")
        if isinstance(body, dict):
            arguments |= body
        else:
            problem = "json_not_object"
    else:
        if request.method == "POST" and request.can_read_body:
            arguments |= dict(await request.post())
        bearer = bearer or str(arguments.get("token", ""))
    return ApiRequest(arguments, bearer, basic, problem)


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
