"""The pages on which an admin connects Salesforce in a browser: the form, and the way back from Salesforce."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web

from domain.errors import PermanentError, TransientError
from domain.workspace import Workspace
from listeners.http.bodies import FORM_LIMIT, BodyReader
from listeners.pages import Notice, Pages, sentence_of
from listeners.slack.links import CONNECT_LIFETIME_SECONDS, CONNECT_PATH, ConnectLink
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


@dataclass(frozen=True)
class ConnectRoutes:
    """The routes of the pages, and what each of them shows."""

    connect: SalesforceConnect
    pages: Pages
    cipher: Cipher = field(repr=False)
    wall: Callable[[], int]

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(CONNECT_PATH, self.show_form, allow_head=False),
            web.post(CONNECT_PATH, BodyReader().wrap(self.start, FORM_LIMIT)),
            web.get(CALLBACK_PATH, self.finish, allow_head=False),
        ]

    def link_for(self, workspace_id: str, user_id: str) -> str:
        """Return the address at which this admin continues in a browser. It works for 15 minutes."""
        expires_at = self.wall() + CONNECT_LIFETIME_SECONDS * 1_000
        return self.connect.public_url + ConnectLink(workspace_id, user_id, expires_at).address(self.cipher)

    async def show_form(self, request: web.Request) -> web.Response:
        sealed = request.query.get("link", "")
        opened = await self._open_link(sealed)
        return opened if isinstance(opened, web.Response) else await self._form(opened[1], sealed)

    async def start(self, _request: web.Request, body: bytes) -> web.Response:
        """Send the browser to Salesforce, with a cookie that identifies the browser."""
        # The sealed link in the form protects against requests from other sites, which cannot know it.
        form = dict(parse_qsl(body.decode(errors="replace")))
        sealed, choice, domain = (form.get(name, "") for name in ("link", "choice", "domain"))
        opened = await self._open_link(sealed)
        if isinstance(opened, web.Response):
            return opened
        link, workspace = opened
        try:
            redirect = await self.connect.begin(
                link.workspace_id, link.user_id, choice, domain, expires_at=link.expires_at
            )
        except NotAnAdminError as error:
            return self.pages.notice(_no_admin(error))
        except PermanentError as error:
            return await self._form(workspace, sealed, choice=choice, domain=domain, error=str(error))
        return self._redirect_page(redirect)

    async def finish(self, request: web.Request) -> web.Response:
        """Handle the browser's return from Salesforce, with a code or with an error."""
        query, browser = request.query, request.cookies.get(COOKIE, "")
        try:
            attempt = await self.connect.take(query.get("state", ""), browser)
        except AttemptExpiredError:
            return self._without_cookie(self.pages.notice(_EXPIRED_ATTEMPT))
        if "code" not in query:
            error, description = query.get("error", ""), query.get("error_description", "")
            return self._without_cookie(self._try_again(attempt, _refusal(error, description)))
        return self._without_cookie(await self._connect(attempt, query["code"]))

    async def _connect(self, attempt: ConnectAttempt, code: str) -> web.Response:
        try:
            connection = await self.connect.finish(attempt, code)
        except NotAnAdminError as error:
            return self.pages.notice(_no_admin(error))
        except PermanentError as error:
            refused = Notice(title="Salesforce not connected", text=(sentence_of(error),), status=409)
            return self._try_again(attempt, refused)
        except TransientError as error:
            text = (sentence_of(error), "Nothing was changed. Wait a moment, then try again.")
            headers = {"Retry-After": "30"}
            return self._try_again(
                attempt, Notice(title="Salesforce did not respond", text=text, status=503, headers=headers)
            )
        workspace = await self.connect.sessions.database.run(workspaces.find, attempt.workspace_id)
        return self.pages.page(
            "salesforce_connected.html",
            workspace_name=workspace.name if workspace else "",
            connection=connection,
        )

    async def _open_link(self, sealed: str) -> tuple[ConnectLink, Workspace] | web.Response:
        """Return the link and its workspace, or the page that says why the link cannot be used."""
        link = ConnectLink.unseal(self.cipher, sealed, self.wall())
        workspace = await self.connect.sessions.database.run(workspaces.find, link.workspace_id) if link else None
        if link is None or workspace is None or not workspace.is_active:
            return self.pages.notice(_EXPIRED_LINK)
        if await self.connect.sessions.app_of(workspace.id) is None:
            return self.pages.notice(_no_app(self.connect.redirect_uri))
        return link, workspace

    async def _form(
        self, workspace: Workspace, sealed: str, *, choice: str = PRODUCTION, domain: str = "", error: str = ""
    ) -> web.Response:
        return self.pages.page(
            "salesforce_connect.html",
            400 if error else 200,
            workspace_name=workspace.name,
            choices=_choices(await self.connect.sessions.login_url_for(workspace.id)),
            chosen=choice,
            domain=domain,
            error=error,
            link=sealed,
            redirect_uri=self.connect.redirect_uri,
        )

    def _redirect_page(self, redirect: ConsentRedirect) -> web.Response:
        # An HTTP redirect would have to be allowed by `form-action`, as would each one of an org's single sign-on.
        host = urlsplit(redirect.url).netloc
        response = self.pages.page("salesforce_redirect.html", url=redirect.url, host=host)
        response.set_cookie(
            COOKIE,
            redirect.browser,
            path="/salesforce",
            max_age=ATTEMPT_SECONDS,
            httponly=True,
            samesite="Lax",  # sent when Salesforce sends the browser back, but not with requests from other sites
            secure=self.connect.public_url.startswith("https://"),
        )
        return response

    def _without_cookie(self, response: web.Response) -> web.Response:
        response.del_cookie(COOKIE, path="/salesforce", httponly=True, samesite="Lax")
        return response

    def _try_again(self, attempt: ConnectAttempt, notice: Notice) -> web.Response:
        address = ConnectLink(attempt.workspace_id, attempt.user_id, attempt.expires_at).address(self.cipher)
        return self.pages.notice(replace(notice, action="Try again", url=address))


_EXPIRED_LINK = Notice(
    title="This link has expired",
    text=(
        "It works for 15 minutes after it is opened from the app's Home in Slack.",
        "Open the app's Home and choose Connect Salesforce again.",
    ),
    status=403,
)
_EXPIRED_ATTEMPT = Notice(
    title="This link has expired",
    text=(
        "Connecting Salesforce must be completed within 10 minutes, in the browser where you started it.",
        "If the app's Home in Slack shows Salesforce as connected, you are done. Otherwise, connect again from there.",
    ),
    status=400,
)


def _no_app(redirect_uri: str) -> Notice:
    return Notice(
        title="An External Client App is required",
        text=(
            "The app connects through an External Client App of your Salesforce org. None has been entered yet.",
            f"Create one in Salesforce Setup with the callback URL {redirect_uri}.",
            "Then enter its consumer key and secret in the app's Home in Slack, under Connect Salesforce.",
        ),
        status=409,
    )


def _no_admin(error: NotAnAdminError) -> Notice:
    text = (sentence_of(error), "Nothing was changed. If you are an admin, try again from the app's Home in a minute.")
    return Notice(title="Only admins can connect Salesforce", text=text, status=403)


def _refusal(error: str, description: str) -> Notice:
    """The page for an error in the callback's address. Anybody can write one, so its texts are not trusted."""
    if error == "access_denied":
        return Notice(
            title="Salesforce not connected", text=("The request was denied in Salesforce. Nothing was changed.",)
        )
    reason = f"Reason: {error}." if re.fullmatch(r"\w{1,60}", error) else "Salesforce gave no known reason."
    advice = _ADVICE.get(error, "Check the settings of the External Client App in Salesforce Setup.")
    quoted = re.sub(r"[^\w .,:;()'-]", "", description)[:200].strip()
    text = (reason, *([f"Salesforce says: “{quoted}”."] if quoted else []), advice)
    return Notice(title="Salesforce refused the connection", text=text, status=400)


_ASK_AN_ADMIN = "Ask a Salesforce admin to allow you to use the External Client App, under its policies."
_ADVICE = {
    "redirect_uri_mismatch": "Enter the callback URL in the External Client App exactly as shown on the connect page.",
    "invalid_client_id": "Check the consumer key against the External Client App of this org.",
    "OAUTH_APP_ACCESS_DENIED": _ASK_AN_ADMIN,
    "OAUTH_APPROVAL_ERROR_GENERIC": _ASK_AN_ADMIN,
    "invalid_scope": f"Allow the OAuth scopes {SCOPE_NAMES} in the External Client App.",
}


def _choices(operators: str) -> list[tuple[str, str, str]]:
    """Return value, name and explanation of each choice, the most common first."""
    host = urlsplit(operators).netloc
    own = MY_DOMAIN, "My Domain", "Your org's own address, such as acme.my.salesforce.com."
    if is_loopback(urlsplit(operators).hostname):
        return [(PRODUCTION, "The org on this machine", host), own]
    sandbox = SANDBOX, "A sandbox", f"You log in at {urlsplit(SANDBOX_LOGIN).netloc}."
    is_own_host = operators not in {PRODUCTION_LOGIN, SANDBOX_LOGIN}
    login = host if is_own_host else urlsplit(PRODUCTION_LOGIN).netloc
    name = "Your company's org" if is_own_host else "Production"
    return [(PRODUCTION, name, f"You log in at {login}."), sandbox, own]
