"""Connecting Salesforce in a browser: the page that asks where to, and what Salesforce sends the browser back with."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web

from domain.errors import PermanentError, TransientError
from domain.workspace import Workspace
from listeners.pages import Notice, Pages
from listeners.slack.links import CONNECT_PATH, ConnectLink
from services.salesforce.connect import (
    ATTEMPT_SECONDS,
    CALLBACK_PATH,
    AttemptExpiredError,
    ConsentRedirect,
    NotAnAdminError,
    SalesforceConnect,
)
from services.salesforce.login import MY_DOMAIN, PRODUCTION, PRODUCTION_LOGIN, SANDBOX, SANDBOX_LOGIN, SCOPE_NAMES
from services.settings import is_loopback
from store.encryption import Cipher
from store.salesforce.apps import ConnectAttempt
from store.slack import workspaces

COOKIE = "salesforce_connect"
BODY_SECONDS = 20.0


@dataclass(frozen=True)
class ConnectRoutes:
    """The routes, and what each of them shows."""

    connect: SalesforceConnect
    pages: Pages
    cipher: Cipher = field(repr=False)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(CONNECT_PATH, self.ask, allow_head=False),
            web.post(CONNECT_PATH, self.depart),
            web.get(CALLBACK_PATH, self.come_back, allow_head=False),
        ]

    def link_for(self, workspace_id: str, user_id: str) -> str:
        """The address, good for a quarter of an hour, at which this admin goes on in a browser."""
        return self.connect.public_url + ConnectLink(workspace_id, user_id).address(self.cipher)

    async def ask(self, request: web.Request) -> web.Response:
        """Production, a sandbox or My Domain?"""
        sealed = request.query.get("link", "")
        allowed = await self._allowed(sealed)
        return allowed if isinstance(allowed, web.Response) else self._form(allowed[1], sealed)

    async def depart(self, request: web.Request) -> web.Response:
        """On to Salesforce, with a cookie that says which browser went."""
        # The sealed link inside the form is what a page of another site cannot know.
        form = dict(parse_qsl((await _body(request)).decode(errors="replace")))
        sealed, choice, domain = (form.get(name, "") for name in ("link", "choice", "domain"))
        allowed = await self._allowed(sealed)
        if isinstance(allowed, web.Response):
            return allowed
        link, workspace = allowed
        try:
            departure = await self.connect.begin(link.workspace_id, link.user_id, choice, domain)
        except NotAnAdminError as error:
            return self.pages.notice(_no_admin(error))
        except PermanentError as error:
            return self._form(workspace, sealed, choice=choice, domain=domain, fault=str(error))
        return self._departing(departure)

    async def come_back(self, request: web.Request) -> web.Response:
        """Salesforce sent the browser back: with a code, or with the reason why there is none."""
        query, browser = request.query, request.cookies.get(COOKIE, "")
        try:
            attempt = await self.connect.take(query.get("state", ""), browser)
        except AttemptExpiredError:
            return self._ended(self.pages.notice(_OVER))
        if "code" not in query:
            told = query.get("error", ""), query.get("error_description", "")
            return self._ended(self.pages.notice(self._again(attempt, *_refusal(*told))))
        return self._ended(await self._finish(attempt, query["code"]))

    async def _finish(self, attempt: ConnectAttempt, code: str) -> web.Response:
        try:
            connection = await self.connect.finish(attempt, code)
        except NotAnAdminError as error:
            return self.pages.notice(_no_admin(error))
        except PermanentError as error:
            return self.pages.notice(self._again(attempt, "Salesforce was not connected", (_sentence(error),), 409))
        except TransientError as error:
            silent = (_sentence(error), "Nothing was changed. Wait a moment, and try again.")
            return self.pages.notice(self._again(attempt, "Salesforce did not answer", silent, 503))
        workspace = await self.connect.sessions.database.run(workspaces.find, attempt.workspace_id)
        return self.pages.page(
            "salesforce_connected.html",
            workspace_name=workspace.name if workspace else "",
            connection=connection,
        )

    async def _allowed(self, sealed: str) -> tuple[ConnectLink, Workspace] | web.Response:
        """Who is here and for which workspace; else the page that says what is in the way."""
        link = ConnectLink.unseal(self.cipher, sealed, self.connect.sessions.now())
        workspace = await self.connect.sessions.database.run(workspaces.find, link.workspace_id) if link else None
        if link is None or workspace is None or not workspace.is_active:
            return self.pages.notice(_STALE)
        if await self.connect.sessions.app_of(workspace.id) is None:
            return self.pages.notice(_no_app(self.connect.redirect_uri))
        return link, workspace

    def _form(
        self, workspace: Workspace, sealed: str, *, choice: str = PRODUCTION, domain: str = "", fault: str = ""
    ) -> web.Response:
        return self.pages.page(
            "salesforce_connect.html",
            400 if fault else 200,
            workspace_name=workspace.name,
            choices=_choices(self.connect.sessions.login_url),
            chosen=choice,
            domain=domain,
            error=fault,
            link=sealed,
            redirect_uri=self.connect.redirect_uri,
        )

    def _departing(self, departure: ConsentRedirect) -> web.Response:
        # A redirect would be held against `form-action`, as would each one that an org adds for its single sign-on.
        host = urlsplit(departure.url).netloc
        response = self.pages.page("salesforce_redirect.html", url=departure.url, host=host)
        response.set_cookie(
            COOKIE,
            departure.browser,
            path="/salesforce",
            max_age=ATTEMPT_SECONDS,
            httponly=True,
            samesite="Lax",  # sent along when Salesforce sends the browser back, and not with what other sites ask for
            secure=self.connect.public_url.startswith("https://"),
        )
        return response

    def _ended(self, response: web.Response) -> web.Response:
        response.del_cookie(COOKIE, path="/salesforce", httponly=True, samesite="Lax")
        return response

    def _again(self, attempt: ConnectAttempt, title: str, text: tuple[str, ...], status: int) -> Notice:
        address = ConnectLink(attempt.workspace_id, attempt.user_id).address(self.cipher)
        headers = {"Retry-After": "30"} if status == 503 else None
        return Notice(title=title, text=text, action="Try again", url=address, status=status, headers=headers)


_STALE = Notice(
    title="This link has expired",
    text=(
        "It works for 15 minutes after it is opened from the app's Home in Slack.",
        "Open the app's Home and choose Connect Salesforce again.",
    ),
    status=403,
)
_OVER = Notice(
    title="This link has expired",
    text=(
        "Connecting Salesforce must be completed within 10 minutes, in the browser where you started it.",
        "If the app's Home in Slack shows Salesforce as connected, you are done. Otherwise, connect again from there.",
    ),
    status=400,
)


def _no_app(redirect_uri: str) -> Notice:
    return Notice(
        title="First, an External Client App",
        text=(
            "Salesforce lets us in through an External Client App of your org, and none is known here yet.",
            f"Create one in Salesforce's Setup with the callback URL {redirect_uri}.",
            "Then enter its consumer key and secret in the app's Home in Slack, under Connect Salesforce.",
        ),
        status=409,
    )


def _no_admin(error: NotAnAdminError) -> Notice:
    text = (_sentence(error), "Nothing was changed. If you are one, try again in a minute from the app's Home.")
    return Notice(title="This is for an admin to do", text=text, status=403)


def _refusal(error: str, description: str) -> tuple[str, tuple[str, ...], int]:
    """Of what Salesforce, or anybody, wrote into the address: a title, what to do, and the status."""
    if error == "access_denied":
        return "Nothing was connected", ("The request was declined on Salesforce's page, so nothing has changed.",), 200
    told = f"Its reason: {error}." if re.fullmatch(r"\w{1,60}", error) else "It gave no reason that we know of."
    advice = _ADVICE.get(error, "Check the settings of the External Client App in Salesforce's Setup.")
    said = re.sub(r"[^\w .,:;()'-]", "", description)[:200].strip()
    return "Salesforce did not let us in", (told, *([f"It says: “{said}”."] if said else []), advice), 400


_ADVICE = {
    "redirect_uri_mismatch": "Enter our callback URL in the External Client App exactly as the page shows it.",
    "invalid_client_id": "Check the consumer key against the External Client App of this org.",
    "OAUTH_APP_ACCESS_DENIED": "Ask a Salesforce admin to allow you the External Client App under its policies.",
    "OAUTH_APPROVAL_ERROR_GENERIC": "Ask a Salesforce admin to allow you the External Client App under its policies.",
    "invalid_scope": f"Allow the OAuth scopes {SCOPE_NAMES} in the External Client App.",
}


def _choices(operators: str) -> list[tuple[str, str, str]]:
    """Value, name and explanation of each, the usual one first."""
    host = urlsplit(operators).netloc
    own = MY_DOMAIN, "My Domain", "The org's own address, such as acme.my.salesforce.com."
    if is_loopback(urlsplit(operators).hostname):
        return [(PRODUCTION, "The org on this machine", host), own]
    sandbox = SANDBOX, "A sandbox", f"You log in at {urlsplit(SANDBOX_LOGIN).netloc}."
    is_own_host = operators not in {PRODUCTION_LOGIN, SANDBOX_LOGIN}
    login = host if is_own_host else urlsplit(PRODUCTION_LOGIN).netloc
    name = "Your company's org" if is_own_host else "Production"
    return [(PRODUCTION, name, f"You log in at {login}."), sandbox, own]


async def _body(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except TimeoutError as error:
        raise web.HTTPRequestTimeout from error


def _sentence(error: Exception) -> str:
    text = str(error).rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."
