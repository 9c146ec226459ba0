"""SalesforceSandbox: serves the org over HTTP, at the root of its own port."""

import asyncio
import base64
import binascii
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from aiohttp import web
from jinja2 import Environment, PackageLoader, select_autoescape

from sandbox.salesforce.composite import Composite
from sandbox.salesforce.errors import CONCURRENT_LIMIT, DAILY_LIMIT, OAuthError, SalesforceError, limit_exceeded
from sandbox.salesforce.faults import Fault, Faults
from sandbox.salesforce.oauth import OAuth
from sandbox.salesforce.org import Org
from sandbox.salesforce.rest import VERSIONS, Request, RestApi
from sandbox.salesforce.schema import Value

# "The URI of a REST request may be up to 16,384 bytes", beyond which Salesforce answers 414:
# https://developer.salesforce.com/docs/platform/salesforce-app-limits-cheatsheet
LONGEST_URI = 16_384
_BROWSER_SESSION = "sid"
_LARGEST_BODY = 50 * 1024 * 1024  # bytes

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Call:
    """A recorded request. `kind` is `token`, `query`, `composite`, `sobjects`, `limits` or `page`."""

    at: float
    kind: str
    method: str
    path: str
    status: int


class SalesforceSandbox:
    """A local Salesforce org. Set `url` to the address of `web_app()`, which tokens contain as their instance URL.

    `now` returns seconds since the epoch; `latency` is in seconds per response. `org` has the records and permissions,
    `oauth` the tokens and the policies of the client app. `concurrent_limit` is how many calls may run at a time; None
    means any number.
    """

    def __init__(
        self,
        now: Callable[[], float] = time.time,
        client_id: str = "3MVG9sandbox",
        client_secret: str = "sandbox-secret",
        latency: float = 0.0,
    ) -> None:
        self.url = ""
        self.latency = latency
        self.org = Org(now)
        self.oauth = OAuth(self.org, client_id, client_secret, lambda: self.url.rstrip("/"))
        self.api = RestApi(self.org)
        self.faults = Faults()
        self.calls: list[Call] = []
        self.oauth.run_as = self.add("User", LastName="Integration", Username="integration@sandbox.example")
        self.org.running_user = self.oauth.run_as
        self.concurrent_limit: int | None = None
        self._running = 0
        self._pages = Environment(loader=PackageLoader("sandbox.salesforce", "."), autoescape=select_autoescape())

    def add(self, sobject: str, **fields: Value) -> str:
        """Create a record and return its 18-character id."""
        return self.org.add(sobject, **fields)

    def expire_sessions(self) -> None:
        """Expire all access tokens; refresh tokens stay valid."""
        self.oauth.expire_sessions()

    def calls_of(self, *kinds: str) -> list[Call]:
        return [call for call in self.calls if call.kind in kinds]

    def web_app(self) -> web.Application:
        app = web.Application(
            middlewares=[self._translate_errors, self._record, self._translate_errors],
            handler_args={"max_line_size": 4 * LONGEST_URI, "max_field_size": 4 * LONGEST_URI},
            client_max_size=_LARGEST_BODY,
        )
        app.router.add_post("/services/oauth2/token", self._token)
        app.router.add_get("/services/oauth2/authorize", self._consent)
        app.router.add_post("/services/oauth2/authorize", self._decide)
        app.router.add_route("*", "/services/oauth2/revoke", self._revoke)
        app.router.add_route("*", "/services/oauth2/userinfo", self._userinfo)
        app.router.add_get("/id/{org_id}/{user_id}", self._identity)
        app.router.add_get("/services/data", self._versions)
        app.router.add_get("/services/data/", self._versions)
        app.router.add_route("*", r"/services/data/{rest:v.+}", self._rest)
        app.router.add_get(r"/{record_id:[A-Za-z0-9]{15,18}}", self._page)
        app.router.add_get(r"/lightning/r/{sobject}/{record_id:[A-Za-z0-9]{15,18}}/view", self._page)
        return app

    @web.middleware
    async def _record(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Apply latency and faults, and record the call."""
        kind = _kind(request.path)
        fault = self.faults.take(kind, request.path)
        self._running += 1
        is_one_too_many = self.concurrent_limit is not None and self._running > self.concurrent_limit
        try:
            await asyncio.sleep(self.latency + (fault.delay if fault else 0.0))
        finally:
            self._running -= 1
        if is_one_too_many and request.path.startswith("/services/data"):
            raise limit_exceeded(CONCURRENT_LIMIT)
        failure = self._fail(request, fault) if fault and not fault.after else None
        response = failure or await handler(request)
        if fault and fault.after:
            response = self._fail(request, fault) or response
        self.calls.append(Call(self.org.now(), kind, request.method, request.path, response.status))
        if request.path.startswith("/services/data"):
            response.headers["Sforce-Limit-Info"] = f"api-usage={self.api.api_used}/{self.api.api_limit}"
        return response

    def _fail(self, request: web.Request, fault: Fault) -> web.Response | None:
        """The response for a fault; None if the fault is only a delay."""
        if fault.drop and request.transport is not None:
            request.transport.abort()
        if fault.garbage:
            return web.Response(status=fault.status or 200, text="<html>Down for maint", content_type="text/html")
        if fault.error and request.path.startswith("/services/oauth2"):
            return _json(fault.status or 400, {"error": fault.error, "error_description": "injected fault"})
        if fault.error:
            return _json(fault.status or 400, [{"message": fault.message, "errorCode": fault.error}])
        return web.Response(status=fault.status or 500) if fault.status or fault.drop else None

    @web.middleware
    async def _translate_errors(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except SalesforceError as error:
            return _json(error.status, error.body())
        except OAuthError as error:
            return _json(error.status, {"error": error.error, "error_description": error.description})

    async def _token(self, request: web.Request) -> web.Response:
        """The client can authenticate with form fields or HTTP Basic."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        return _json(200, self.oauth.token(_basic_credentials(request) | form), {"Cache-Control": "no-store"})

    async def _consent(self, request: web.Request) -> web.Response:
        """A browser that is logged in is not asked who it is, unless the app requests it with `prompt=login`.

        https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_web_server_flow.htm
        """
        authorization = dict(request.query)
        self.oauth.check_request(authorization)
        logged_in = request.cookies.get(_BROWSER_SESSION) if authorization.get("prompt") != "login" else None
        users = [user for user in self.org.all_users() if user["IsActive"] and logged_in in {None, user["Id"]}]
        page = self._pages.get_template("consent.html").render(authorization=authorization, users=users)
        return web.Response(text=page, content_type="text/html")

    async def _decide(self, request: web.Request) -> web.Response:
        """Redirect to the callback with a code or an error."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.oauth.check_request(form)
        # On Deny the user id is empty. No such user is active, so `allow` raises access_denied.
        user_id = form.get("user_id", "") if form.get("answer") == "allow" else ""
        try:
            query = {"code": self.oauth.allow(form, user_id)}
        except OAuthError as error:
            query = {"error": error.error, "error_description": error.description}
        if "state" in form:
            query["state"] = form["state"]
        separator = "&" if "?" in form["redirect_uri"] else "?"
        redirect = web.Response(
            status=302, headers={"Location": f"{form['redirect_uri']}{separator}{urlencode(query)}"}
        )
        if user_id:
            redirect.set_cookie(_BROWSER_SESSION, user_id, httponly=True)
        return redirect

    async def _revoke(self, request: web.Request) -> web.Response:
        form = await request.post() if request.method == "POST" else request.query
        self.oauth.revoke(str(form.get("token", "")))
        return web.Response()

    async def _userinfo(self, request: web.Request) -> web.Response:
        user_id = self._session_user(request)
        identity = self.oauth.identity(user_id)
        openid = {
            "sub": identity["id"],
            "name": identity["display_name"],
            "preferred_username": identity["username"],
        }
        return _json(200, identity | openid)

    async def _identity(self, request: web.Request) -> web.Response:
        user_id = self._session_user(request)
        if user_id != request.match_info["user_id"] or self.org.id != request.match_info["org_id"]:
            return web.Response(status=403, text="Wrong_Org")
        return _json(200, self.oauth.identity(user_id))

    async def _versions(self, _: web.Request) -> web.Response:
        """The only resource that needs no session."""
        return _json(
            200, [{"label": version, "url": f"/services/data/v{version}", "version": version} for version in VERSIONS]
        )

    async def _rest(self, request: web.Request) -> web.Response:
        if len(request.raw_path.encode()) > LONGEST_URI:
            return web.Response(status=414, text="URI Too Long")
        self._session_user(request)
        if self.api.api_used >= self.api.api_limit:
            raise limit_exceeded(DAILY_LIMIT)
        self.api.api_used += 1
        api_request = Request(request.method, request.path, dict(request.query), await _json_body(request))
        version, _, resource = request.path.removeprefix("/services/data/v").partition("/")
        if version in VERSIONS and resource.strip("/") == "composite" and request.method == "POST":
            answer = Composite(self.api).answer(api_request.body)
        else:
            answer = self.api.answer(api_request)
        if answer.body is None:
            return web.Response(status=answer.status, headers=dict(answer.headers))
        return _json(answer.status, answer.body, dict(answer.headers))

    async def _page(self, request: web.Request) -> web.Response:
        """The page of a record, which messages in Slack link to."""
        record_id = request.match_info["record_id"]
        record, sobject = self.org.stored(record_id), self.org.sobject_of(record_id)
        if record is None or not sobject:
            return web.Response(status=404, text="Record not found in this sandbox org.")
        page = self._pages.get_template("record.html").render(record=record, sobject=sobject)
        return web.Response(text=page, content_type="text/html")

    def _session_user(self, request: web.Request) -> str:
        """The user id of the session. Raises SalesforceError INVALID_SESSION_ID."""
        session = self.oauth.session(request.headers.get("Authorization", "").removeprefix("Bearer "))
        if session is None:
            raise SalesforceError(401, "INVALID_SESSION_ID", "Session expired or invalid")
        return session.user_id


def _kind(path: str) -> str:
    if path.startswith("/services/oauth2/token"):
        return "token"
    parts = path.split("/")
    is_resource = path.startswith("/services/data/v") and len(parts) > 4
    return parts[4].replace("queryAll", "query") if is_resource else "page"


def _json(status: int, body: object, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response(body, status=status, headers=headers)


def _basic_credentials(request: web.Request) -> dict[str, str]:
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return {}
    try:
        client_id, _, secret = base64.b64decode(encoded).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return {}
    return {"client_id": client_id, "client_secret": secret}


async def _json_body(request: web.Request) -> object:
    text = await request.text()
    if not text:
        return None
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise SalesforceError(400, "JSON_PARSER_ERROR", f"Unexpected character at line {error.lineno}") from None
