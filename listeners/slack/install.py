"""Installing the app in a browser: the landing page, OAuth, and the page that chooses the default channel."""

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
from listeners.pages import Notice, Pages, sentence_of
from listeners.slack.links import CHANNEL_COOKIE, InstallLink, channel_address
from listeners.slack.oauth import failure
from services.home.preferences import PUBLIC_POSTS, Preferences
from services.salesforce.sessions import SalesforceSessions
from services.settings import is_loopback
from services.slack.api import Slack
from services.slack.install import SlackInstall
from services.slack.manifest import REASONS, Manifest
from services.slack.shapes import ChannelInfo
from store.database import Database, DatabaseUnavailableError
from store.encryption import Cipher
from store.slack import workspaces

log = logging.getLogger(__name__)

_TEAM_ID = re.compile(r"[A-Z0-9]{1,32}")
_CHANNEL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CHANNEL_LINK = re.compile(r"/(?:archives|client/\w{1,32})/([CG][A-Z0-9]{2,32})")
_TYPED_ID = re.compile(r"([CG][A-Z0-9]{8,32})")
_LONGEST_POSITION = 500
PAGE_SECONDS = 10.0
"""How long the browser waits for one more page of channels."""


@dataclass(frozen=True)
class Installing:
    """`flow` is None if there are no Slack credentials yet. `can_redirect` is as in Settings."""

    manifest: Manifest
    public_url: str
    pages: Pages
    flow: AsyncOAuthFlow | None
    slack: Slack
    slack_install: SlackInstall
    preferences: Preferences
    salesforce_sessions: SalesforceSessions
    database: Database
    cipher: Cipher = field(repr=False)
    now: Callable[[], int]
    can_redirect: bool = True

    async def landing(self, _request: web.Request) -> web.Response:
        optional = self.manifest.optional_scopes
        host = self.public_url.removeprefix("https://").removeprefix("http://")
        return self.pages.page(
            "landing.html",
            can_install=self.flow is not None and self.can_redirect,
            has_credentials=self.flow is not None,
            permissions=[
                {"scope": scope, "reason": REASONS[scope], "is_optional": scope in optional}
                for scope in self.manifest.scopes
            ],
            share_link=self.manifest.at(self.public_url).share_link if self.can_redirect else None,
            public_url=self.public_url,
            is_local=is_loopback(host.split("/")[0].rsplit(":", 1)[0]),
            has_operator_org=self.salesforce_sessions.has_operator_org,
        )

    async def begin(self, request: web.Request) -> web.Response:
        """Redirect to Slack's consent page. The query parameter `team` preselects a workspace there."""
        if self.flow is None or not self.can_redirect:
            raise web.HTTPSeeOther("/")
        requested_host, public_host = _requested_host(request), urlsplit(self.public_url).hostname
        if requested_host != public_host and is_loopback(requested_host) and is_loopback(public_host):
            # 127.0.0.1 and localhost do not share cookies, and Slack redirects to the public URL.
            raise web.HTTPTemporaryRedirect(f"{self.public_url}{request.rel_url}")
        team = request.query.get("team", "")
        # Bolt inserts it unescaped into Slack's URL, so it must not add parameters of its own.
        query = {"team": team} if _TEAM_ID.fullmatch(team) else {}
        answer = await self.flow.handle_installation(AsyncBoltRequest(body="", query=query))
        return self._with_cookie_flags(await to_aiohttp_response(answer))

    @property
    def _is_secure(self) -> bool:
        return self.public_url.startswith("https://")

    def _with_cookie_flags(self, response: web.Response) -> web.Response:
        for cookie in response.cookies.values():
            # Lax: sent when Slack redirects back to us, but not with requests that other sites cause.
            cookie["samesite"] = "Lax"
            # Not every client sends a secure cookie back to http://localhost.
            cookie["secure"] = self._is_secure
        return response

    async def finish(self, request: web.Request) -> web.Response:
        """Handle Slack's redirect after the user has allowed or canceled."""
        if self.flow is None:
            raise web.HTTPSeeOther("/")
        bolt_request = AsyncBoltRequest(body="", query=request.query_string, headers=dict(request.headers))
        try:
            response = self._with_cookie_flags(await to_aiohttp_response(await self.flow.handle_callback(bolt_request)))
        except PermanentError as error:
            response = self.pages.notice(self._start_again("Slack did not complete the installation", str(error), 400))
        except TransientError:
            response = self.pages.notice(self._start_again("Slack is not responding", _SLACK_DOWN, 503))
        except DatabaseUnavailableError:
            response = self.pages.notice(self._start_again("The installation was not saved", _DATABASE_DOWN, 503))
        # The state can be used only once, so its cookie is no longer needed.
        response.del_cookie(
            self.flow.settings.state_cookie_name, path="/", secure=self._is_secure, httponly=True, samesite="Lax"
        )
        return response

    async def show_channels(self, request: web.Request) -> web.Response:
        """Show the page that chooses the default channel, to the installing admin in their browser only."""
        sealed = request.query.get("link", "")
        # The person who installs the app may not be an admin. For them, this page is no error.
        allowed = await self._allowed(sealed, request.cookies.get(CHANNEL_COOKIE, ""), status_for_members=200)
        if isinstance(allowed, web.Response):
            return allowed
        _link, workspace = allowed
        try:
            listing = await self.slack_install.channels(workspace.id, _team_id(workspace))
        except (PermanentError, TransientError) as error:
            log.warning("Could not list the channels of workspace %s: %s", workspace.id, error)
            return self.pages.notice(_slack_error(error, channel_address(sealed)))
        response = self.pages.page(
            "channels.html",
            workspace_name=workspace.name,
            listing=listing,
            tags={channel.id: _tags(channel, workspace) for channel in listing.channels},
            needs_invitation=PUBLIC_POSTS not in workspace.scopes,
            chosen=workspace.default_channel_id,
            link=sealed,
            here=channel_address(sealed),
        )
        response.enable_compression()
        return response

    async def more_channels(self, request: web.Request) -> web.Response:
        """Return the next page of channels as JSON, for the page that chooses the default channel."""
        allowed = await self._allowed(request.query.get("link", ""), request.cookies.get(CHANNEL_COOKIE, ""))
        if isinstance(allowed, web.Response):
            return allowed
        _link, workspace = allowed
        team_id, position = _team_id(workspace), request.query.get("position", "")[:_LONGEST_POSITION]
        try:
            listing = await self.slack_install.channels(
                workspace.id, team_id, position=position, seconds=PAGE_SECONDS, most_pages=1
            )
        except (PermanentError, TransientError) as error:
            log.warning("Could not list more channels of workspace %s: %s", workspace.id, error)
            return web.json_response({"channels": [], "position": position, "wait": 10}, status=503)
        channels = [
            {"id": channel.id, "name": channel.name, "tags": _tags(channel, workspace)} for channel in listing.channels
        ]
        return web.json_response({"channels": channels, "position": listing.position, "wait": listing.wait})

    async def choose_channel(self, request: web.Request, body: bytes) -> web.Response:
        """Save the chosen channel. Choosing the same channel again posts no message in it."""
        # The sealed link in the form prevents cross-site request forgery: other sites cannot know it.
        form = dict(parse_qsl(body.decode(errors="replace")))
        sealed, channel_id = form.get("link", ""), form.get("channel", "")
        allowed = await self._allowed(sealed, request.cookies.get(CHANNEL_COOKIE, ""))
        if isinstance(allowed, web.Response):
            return allowed
        link, workspace = allowed
        try:
            channel_id = channel_id or await self._typed_channel(workspace, form.get("typed", ""))
        except (PermanentError, TransientError) as error:
            return self.pages.notice(_slack_error(error, channel_address(sealed)))
        if not _CHANNEL_ID.fullmatch(channel_id):
            return self.pages.notice(_not_changed("Choose a channel from the list, or paste its link.", sealed))
        note = ""
        if workspace.default_channel_id != channel_id or workspace.default_channel_problem:
            answer = await self.preferences.choose_default_channel(workspace.id, link.user_id, channel_id, None)
            if not answer.stored:
                return self.pages.notice(_not_changed(plain(answer.text), sealed))
            note = plain(answer.warning)  # the page itself says that the channel is set
        return await self._show_saved(link, note)

    async def _typed_channel(self, workspace: Workspace, typed: str) -> str:
        """Return the id of the channel that was typed as its link, id or name. Empty if Slack does not list it."""
        typed = typed.strip()
        if match := _CHANNEL_LINK.search(typed) or _TYPED_ID.fullmatch(typed):
            return match[1]
        name = typed.removeprefix("#").lower()
        channel = await self.slack_install.find_channel(workspace.id, _team_id(workspace), name) if name else None
        return channel.id if channel else ""

    async def _show_saved(self, link: InstallLink, note: str) -> web.Response:
        workspace = await self.database.run(workspaces.find, link.workspace_id)
        if workspace is None:
            return self.pages.notice(_EXPIRED)
        return self.pages.page(
            "channel_saved.html",
            workspace_name=workspace.name,
            channel_name=workspace.default_channel_name,
            uses_operator_org=await self.salesforce_sessions.uses_operator_org(workspace.id),
            note=note,
            app_link=link.app_link,
            home_link=link.home_link,
        )

    async def _allowed(
        self, sealed: str, browser: str, *, status_for_members: int = 403
    ) -> tuple[InstallLink, Workspace] | web.Response:
        """Return the link and its workspace, or a page that explains why the link does not work."""
        link = InstallLink.unseal(self.cipher, sealed, self.now())
        workspace = await self.database.run(workspaces.find, link.workspace_id) if link else None
        if (
            link is None
            or workspace is None
            or not workspace.is_active
            or not (link.installed_at == str(workspace.installed_at) and link.is_for_browser(browser))
        ):
            return self.pages.notice(_EXPIRED)
        try:
            installer = await self.slack.user(workspace.id, link.user_id)
        except (PermanentError, TransientError) as error:
            return self.pages.notice(_slack_error(error, channel_address(sealed)))
        if installer is None or not installer.is_admin:
            return self.pages.page(
                "admin_needed.html",
                status_for_members,
                workspace_name=workspace.name,
                channel_name=workspace.default_channel_name,
                home_link=link.home_link,
            )
        return link, workspace

    def _start_again(self, title: str, text: str, status: int) -> Notice:
        again = failure("", self.public_url)
        headers = {"Retry-After": "30"} if status == 503 else None
        return Notice(title=title, text=(text,), action=again.action, url=again.url, status=status, headers=headers)


_SLACK_DOWN = "Nothing was saved. Wait a moment, then start again. Slack may ask you to allow the app once more."
_DATABASE_DOWN = "Slack allowed the app, but our database is not responding. Wait a moment, then start again."
_EXPIRED = Notice(
    title="This link has expired",
    text=(
        "It works for one hour after the app is added to Slack, and only in the browser that was used to add it.",
        "You can choose the default channel in the app's Home in Slack at any time, or add the app again.",
    ),
    action="Go to the home page",
    status=403,
)


def _requested_host(request: web.Request) -> str | None:
    """None if the Host header names no host. Anybody can send such a header."""
    try:
        return request.url.host
    except ValueError:
        return None


def _team_id(workspace: Workspace) -> str | None:
    """The workspace's id at Slack, if its token is that of an organization, whose calls must name it."""
    return workspace.slack_team.id if workspace.is_enterprise_install else None


def _tags(channel: ChannelInfo, workspace: Workspace) -> list[str]:
    """What an admin should know about a channel before choosing it."""
    tags = (
        (channel.is_private, "private"),
        (channel.is_ext_shared, "shared with another company"),
        (not channel.is_member and PUBLIC_POSTS not in workspace.scopes, "invite the app first"),
    )
    return [tag for applies, tag in tags if applies]


def plain(mrkdwn: str) -> str:
    """Convert mrkdwn to plain text. Mentions of users and channels, which only Slack can show by name, are replaced."""
    without_mentions = re.sub(r"<@\w+>", "the app", re.sub(r"<#\w+>", "it", mrkdwn))
    return unescape(re.sub(r":\w+: |`", "", without_mentions))


def _not_changed(reason: str, sealed: str) -> Notice:
    return Notice(
        title="Default channel not changed",
        text=(reason,),
        action="Choose another channel",
        url=channel_address(sealed),
        status=409,
    )


def _slack_error(error: PermanentError | TransientError, current_url: str) -> Notice:
    if isinstance(error, WorkspaceGoneError):
        text = f"{sentence_of(error)} Add it again to continue."
        return Notice(title="The app was removed from Slack", text=(text,), action="Go to the home page", status=409)
    if isinstance(error, PermanentError):
        return Notice(
            title="Slack could not list the channels",
            text=(sentence_of(error), "The app is installed. Choose the default channel in the app's Home in Slack."),
            action="Try again",
            url=current_url,
            status=409,
        )
    wait = str(round(error.retry_after or 10))
    return Notice(
        title="Slack is not responding",
        text=("The app is installed and nothing is lost. Wait a moment, then try again.",),
        action="Try again",
        url=current_url,
        status=503,
        headers={"Retry-After": wait},
    )
