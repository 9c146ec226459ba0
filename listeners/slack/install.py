"""Connecting Slack in a browser: the landing page, and after Allow the page that picks the default channel."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.request.async_request import AsyncBoltRequest

from domain.errors import PermanentError, TransientError, WorkspaceGoneError
from domain.workspace import Workspace
from listeners.pages import Notice, Pages
from listeners.slack.links import CHANNEL_COOKIE, InstallLink, channel_address
from listeners.slack.oauth import failure
from services.home.preferences import Preferences
from services.settings import is_loopback
from services.slack.api import Slack
from services.slack.install import SlackInstall
from services.slack.manifest import REASONS, Manifest
from store.database import Database, DatabaseUnavailableError
from store.encryption import Cipher
from store.slack import workspaces

log = logging.getLogger(__name__)

_TEAM_ID = re.compile(r"[A-Z0-9]{1,32}")
_CHANNEL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class Installing:
    """*flow* None: there are no credentials yet, and the landing page says how to get some."""

    manifest: Manifest
    public_url: str
    pages: Pages
    flow: AsyncOAuthFlow | None
    slack: Slack
    slack_install: SlackInstall
    preferences: Preferences
    database: Database
    cipher: Cipher = field(repr=False)
    now: Callable[[], int]

    async def landing(self, _request: web.Request) -> web.Response:
        """What the app is, what it may do and why; how to create it, where there are no credentials yet."""
        optional = self.manifest.optional_scopes
        host = self.public_url.removeprefix("https://").removeprefix("http://")
        return self.pages.page(
            "landing.html",
            can_install=self.flow is not None,
            permissions=[
                {"scope": scope, "reason": REASONS[scope], "is_optional": scope in optional}
                for scope in self.manifest.scopes
            ],
            share_link=self.manifest.at(self.public_url).share_link,
            public_url=self.public_url,
            is_local=is_loopback(host.split("/")[0].rsplit(":", 1)[0]),
        )

    async def begin(self, request: web.Request) -> web.Response:
        """To Slack's consent page. *team* preselects a workspace there."""
        if self.flow is None:
            raise web.HTTPSeeOther("/")
        here, ours = request.url.host, urlsplit(self.public_url).hostname
        if here != ours and is_loopback(here) and is_loopback(ours):
            # 127.0.0.1 and localhost are one machine and two addresses: the cookie has to be of the one Slack sends to.
            raise web.HTTPTemporaryRedirect(f"{self.public_url}{request.rel_url}")
        team = request.query.get("team", "")
        # It is put into Slack's address as it is, so it must not bring arguments of its own.
        query = {"team": team} if _TEAM_ID.fullmatch(team) else {}
        answer = await self.flow.handle_installation(AsyncBoltRequest(body="", query=query))
        return self._with_our_cookies(await to_aiohttp_response(answer))

    @property
    def _is_secure(self) -> bool:
        return self.public_url.startswith("https://")

    def _with_our_cookies(self, response: web.Response) -> web.Response:
        for cookie in response.cookies.values():
            # Lax: sent along when Slack sends the browser back, and not with what other sites make it ask for.
            cookie["samesite"] = "Lax"
            # Not every client sends a secure cookie back to http://localhost, where the app is tried.
            cookie["secure"] = self._is_secure
        return response

    async def finish(self, request: web.Request) -> web.Response:
        """Slack sent the browser back."""
        if self.flow is None:
            raise web.HTTPSeeOther("/")
        asked = AsyncBoltRequest(body="", query=request.query_string, headers=dict(request.headers))
        try:
            response = self._with_our_cookies(await to_aiohttp_response(await self.flow.handle_callback(asked)))
        except PermanentError as error:
            response = self.pages.notice(self._try_again("Slack did not finish the installation", str(error), 400))
        except TransientError:
            response = self.pages.notice(self._try_again("Slack did not answer", _SLACK_SILENT, 503))
        except DatabaseUnavailableError:
            response = self.pages.notice(self._try_again("We could not store the installation", _DATABASE_DOWN, 503))
        # A state is good once, so its cookie is of no use any more.
        response.del_cookie(
            self.flow.settings.state_cookie_name, path="/", secure=self._is_secure, httponly=True, samesite="Lax"
        )
        return response

    async def show_channels(self, request: web.Request) -> web.Response:
        """The page that picks the default channel, for the admin who installed and in their browser."""
        sealed = request.query.get("link", "")
        allowed = await self._allowed(sealed, request.cookies.get(CHANNEL_COOKIE, ""))
        if isinstance(allowed, web.Response):
            return allowed
        _link, workspace = allowed
        try:
            listing = await self.slack_install.channels(workspace.id, org_wide=workspace.is_enterprise_install)
        except (PermanentError, TransientError) as error:
            log.warning("the channels of workspace %s could not be listed: %s", workspace.id, error)
            return self.pages.notice(_slack_failed(error, channel_address(sealed)))
        response = self.pages.page(
            "channels.html",
            workspace_name=workspace.name,
            listing=listing,
            chosen=workspace.default_channel_id,
            link=sealed,
            here=channel_address(sealed),
        )
        response.enable_compression()
        return response

    async def choose_channel(self, request: web.Request) -> web.Response:
        """What the form of that page sends; choosing the same one again posts nothing."""
        # The sealed link inside the form is what a page of another site cannot know.
        form = dict(parse_qsl((await request.read()).decode(errors="replace")))
        sealed, channel_id = form.get("link", ""), form.get("channel", "")
        allowed = await self._allowed(sealed, request.cookies.get(CHANNEL_COOKIE, ""))
        if isinstance(allowed, web.Response):
            return allowed
        link, workspace = allowed
        if not _CHANNEL_ID.fullmatch(channel_id):
            return self.pages.notice(_not_chosen("No channel was chosen.", sealed))
        note = ""
        if workspace.default_channel_id != channel_id or workspace.default_channel_problem:
            answer = await self.preferences.choose_default_channel(workspace.id, link.user_id, channel_id, None)
            if not answer.stored:
                return self.pages.notice(_not_chosen(plain(answer.text), sealed))
            note = plain(answer.text).partition(". ")[2]  # the page itself says that it is saved
        return await self._show_done(link, note)

    async def _show_done(self, link: InstallLink, note: str) -> web.Response:
        workspace = await self.database.run(workspaces.find, link.workspace_id)
        if workspace is None:
            return self.pages.notice(_STALE)
        return self.pages.page(
            "done.html",
            workspace_name=workspace.name,
            channel_name=workspace.default_channel_name,
            note=note,
            app_link=link.app_link,
            home_link=link.home_link,
        )

    async def _allowed(self, sealed: str, browser: str) -> tuple[InstallLink, Workspace] | web.Response:
        """Who is here and for which workspace; else the page that says what is in the way."""
        link = InstallLink.unseal(self.cipher, sealed, self.now())
        workspace = await self.database.run(workspaces.find, link.workspace_id) if link else None
        if link is None or workspace is None or not workspace.is_active or not _is_for(link, workspace, browser):
            return self.pages.notice(_STALE)
        try:
            installer = await self.slack.user(workspace.id, link.user_id)
        except (PermanentError, TransientError) as error:
            return self.pages.notice(_slack_failed(error, channel_address(sealed)))
        if installer is None or not installer.is_admin:
            return self.pages.page("admin.html", 403, workspace_name=workspace.name, home_link=link.home_link)
        return link, workspace

    def _try_again(self, title: str, text: str, status: int) -> Notice:
        again = failure("", self.public_url)
        headers = {"Retry-After": "30"} if status == 503 else None
        return Notice(title=title, text=(text,), action=again.action, url=again.url, status=status, headers=headers)


_SLACK_SILENT = "Nothing was stored. Wait a moment, and start again: Slack may ask you to allow the app once more."
_DATABASE_DOWN = "Slack allowed the app, but our database did not answer. Wait a moment, and start again."
_STALE = Notice(
    title="This link is no longer valid",
    text=(
        "It works for one hour after the app was added to Slack, and only in the browser where that was done.",
        "You can choose the default channel in the app's Home in Slack at any time, or add the app once more.",
    ),
    action="Go to the start",
    status=403,
)


def _is_for(link: InstallLink, workspace: Workspace, browser: str) -> bool:
    """This installation, and no earlier one; and by whom it was made."""
    return link.installed_at == str(workspace.installed_at) and link.is_for_browser(browser)


def plain(mrkdwn: str) -> str:
    """What is written for Slack, for a page: without ids and marks that only Slack shows as names."""
    named = re.sub(r"<@\w+>", "the app", re.sub(r"<#\w+>", "it", mrkdwn))
    return unescape(re.sub(r":\w+: |`", "", named))


def _not_chosen(why: str, sealed: str) -> Notice:
    return Notice(
        title="The default channel was not changed",
        text=(why,),
        action="Choose another channel",
        url=channel_address(sealed),
        status=409,
    )


def _slack_failed(error: PermanentError | TransientError, here: str) -> Notice:
    if isinstance(error, WorkspaceGoneError):
        gone = f"{_sentence(error)} Add it once more to go on."
        return Notice(title="The app is not in Slack any more", text=(gone,), action="Go to the start", status=409)
    if isinstance(error, PermanentError):
        text = (_sentence(error), "The app is installed. Choose the default channel in its Home in Slack.")
        return Notice(title="Slack does not let us go on here", text=text, action="Try again", url=here, status=409)
    wait = str(round(error.retry_after or 10))
    return Notice(
        title="Slack did not answer",
        text=("The app is installed, and nothing is lost. Wait a moment, and try again.",),
        action="Try again",
        url=here,
        status=503,
        headers={"Retry-After": wait},
    )


def _sentence(error: Exception) -> str:
    text = str(error).rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."
