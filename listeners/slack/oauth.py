"""Slack's OAuth with Bolt, and authorization of the requests that Slack sends."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from slack_bolt.authorization import AuthorizeResult
from slack_bolt.authorization.async_authorize import AsyncAuthorize
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.oauth.async_callback_options import AsyncCallbackOptions, AsyncFailureArgs, AsyncSuccessArgs
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_bolt.response import BoltResponse
from slack_sdk.oauth.installation_store import Installation

from domain.errors import PermanentError, TransientError
from listeners.pages import Notice, Pages
from listeners.slack.links import (
    CHANNEL_COOKIE,
    CHANNEL_LIFETIME_SECONDS,
    CHANNEL_PATH,
    InstallLink,
    channel_address,
    hash_of,
)
from services.settings import Settings
from services.slack.install import SlackInstall
from services.slack.manifest import Manifest
from services.slack.organizations import Organizations
from store.encryption import Cipher
from store.slack.installations import AsyncInstallationStore, workspace_of
from store.slack.oauth_states import AsyncOAuthStateStore

INSTALL_PATH = "/slack/install"
REDIRECT_PATH = "/slack/oauth_redirect"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OAuthParts:
    installations: AsyncInstallationStore
    states: AsyncOAuthStateStore
    slack: SlackInstall
    organizations: Organizations
    cipher: Cipher = field(repr=False)
    pages: Pages


def create_oauth(settings: Settings, manifest: Manifest, parts: OAuthParts) -> AsyncOAuthFlow:
    """
    Create the OAuth flow.

    Pass both the flow and its settings to AsyncApp (`oauth_flow=flow, oauth_settings=flow.settings`). Otherwise Bolt
    creates its own settings from SLACK_CLIENT_ID in the environment, with stores that write files.
    """
    oauth_settings = AsyncOAuthSettings(
        client_id=settings.slack_client_id,
        client_secret=settings.slack_client_secret,
        scopes=list(manifest.scopes),
        user_scopes=[],
        redirect_uri=settings.public_url + REDIRECT_PATH,
        install_path=INSTALL_PATH,
        install_page_rendering_enabled=False,
        redirect_uri_path=REDIRECT_PATH,
        callback_options=_callbacks(parts, settings.public_url),
        authorization_url=settings.slack_authorize_url,
        installation_store=parts.installations,
        state_store=parts.states,
        logger=log,
    )
    return _Flow(oauth_settings, parts.slack)


class _Flow(AsyncOAuthFlow):
    """Bolt's flow, except that an invalid code and an unreachable Slack raise different errors."""

    def __init__(self, settings: AsyncOAuthSettings, slack: SlackInstall) -> None:
        super().__init__(client=slack.client, logger=log, settings=settings)
        self._slack = slack

    async def run_installation(self, code: str) -> Installation:
        """Raises PermanentError, TransientError."""
        settings = self.settings
        return await self._slack.exchange(code, settings.client_id, settings.client_secret, settings.redirect_uri or "")


class Authorize(AsyncAuthorize):
    """
    Finds the bot token for the workspace that a request comes from, in our own database.

    Bolt's own implementation calls Slack for every request, and treats an unavailable database or a wrong encryption
    key as a workspace that has not installed the app.
    """

    def __init__(
        self, installations: AsyncInstallationStore, current: Callable[[str], Awaitable[str | None]] | None = None
    ) -> None:
        """`current` returns a workspace's token in place of one that has expired."""
        super().__init__()  # type: ignore[no-untyped-call]  # Bolt has no annotations there
        self._installations = installations
        self._current = current

    async def __call__(
        self,
        *,
        context: AsyncBoltContext,
        enterprise_id: str | None,
        team_id: str | None,
        user_id: str | None,
        actor_enterprise_id: str | None = None,
        actor_team_id: str | None = None,
        actor_user_id: str | None = None,
    ) -> AuthorizeResult | None:
        """Return None if the app is not installed there. Raises DatabaseUnavailableError, WrongKeyError."""
        del actor_enterprise_id, actor_team_id, actor_user_id  # needed for user tokens only, and the app has none
        installation = await self._installations.async_find_installation(
            enterprise_id=enterprise_id, team_id=team_id, is_enterprise_install=context.is_enterprise_install
        )
        if installation is None:
            log.info("Ignored a request from workspace %s, which has not installed the app", team_id or enterprise_id)
            return None
        token = installation.bot_token
        if self._current and installation.bot_token_expires_at:
            with suppress(PermanentError, TransientError):  # then calls with the old token fail, and say so
                token = await self._current(workspace_of(installation))
        return AuthorizeResult(
            enterprise_id=installation.enterprise_id,
            team_id=team_id or installation.team_id,
            bot_id=installation.bot_id,
            bot_user_id=installation.bot_user_id,
            bot_token=token,
            bot_scopes=installation.bot_scopes,
            user_id=user_id,
        )


def _callbacks(parts: OAuthParts, public_url: str) -> AsyncCallbackOptions:
    async def succeed(args: AsyncSuccessArgs) -> BoltResponse:
        installation, browser = args.installation, secrets.token_urlsafe(32)
        cookie = f"{CHANNEL_COOKIE}={browser}; Path={CHANNEL_PATH}; Max-Age={CHANNEL_LIFETIME_SECONDS}"
        links = InstallLinks(installation, browser, parts.cipher)
        if installation.is_enterprise_install:
            html = parts.pages.html("notice.html", notice=await _organization_notice(parts, installation, links))
            content_type = "text/html; charset=utf-8"
            return BoltResponse(status=200, body=html, headers={"Content-Type": content_type, "Set-Cookie": cookie})
        team_id, installed_at = workspace_of(installation), round(installation.installed_at * 1000)
        location = links.address(team_id, team_id, installed_at)
        return BoltResponse(status=303, headers={"Location": location, "Set-Cookie": cookie})

    async def fail(args: AsyncFailureArgs) -> BoltResponse:
        notice = failure(args.reason, public_url)
        html = parts.pages.html("notice.html", notice=notice)
        return BoltResponse(status=notice.status, body=html, headers={"Content-Type": "text/html; charset=utf-8"})

    return AsyncCallbackOptions(success=succeed, failure=fail)


@dataclass(frozen=True)
class InstallLinks:
    """Makes links to the channel pages for the person who has just installed the app, in their `browser`."""

    installation: Installation
    browser: str = field(repr=False)
    cipher: Cipher = field(repr=False)

    def address(self, workspace_id: str, team_id: str, installed_at: int) -> str:
        """Path and query on this server. `installed_at` is in milliseconds."""
        link = InstallLink(
            workspace_id=workspace_id,
            team_id=team_id,
            app_id=self.installation.app_id or "",
            user_id=self.installation.user_id,
            installed_at=str(installed_at),
            browser=hash_of(self.browser),
        )
        return channel_address(link.seal(self.cipher))


async def _organization_notice(parts: OAuthParts, installation: Installation, links: InstallLinks) -> Notice:
    """The page after an org-wide installation: it lists the workspaces, each with the link to its channel page."""
    workspaces = await parts.organizations.workspaces_of(workspace_of(installation))
    channel_links = tuple(
        (workspace.name, links.address(workspace.id, workspace.slack_team.id or "", workspace.installed_at))
        for workspace in workspaces
    )
    choose = "Choose the default channel of each workspace below, or later in the app's Home in Slack."
    none = "No workspace uses it yet. Add it to the workspaces that should, then open its Home in Slack there."
    return Notice(
        title=f"The app is installed in {installation.enterprise_name or 'your organization'}",
        text=(
            choose if channel_links else none,
            "Each workspace has its own default channel, rules, Salesforce connection and keys.",
        ),
        links=channel_links,
        action="Add it to workspaces",
        url=f"https://app.slack.com/manage/{installation.enterprise_id}/integrations/profile/{installation.app_id}"
        "/workspaces/add",
    )


def failure(reason: str, public_url: str) -> Notice:
    """
    The page for a failed installation.

    `reason` is a code of Bolt's, or the `error` parameter of Slack's redirect. Anyone can forge that parameter.
    """
    again = public_url + INSTALL_PATH  # the only page that sets the cookie that the callback requires
    error = f"Slack's error code is {reason}." if re.fullmatch(r"[a-z_]{1,60}", reason) else "Slack gave no reason."
    text = (f"{error} Nothing has changed in your workspace.",)
    unknown = Notice(title="Slack did not install the app", text=text, status=400)
    return replace(_FAILURES.get(reason, unknown), action="Start again", url=again)


_FAILURES = {
    "access_denied": Notice(
        title="Nothing was installed",
        text=(
            "The request was canceled in Slack. Nothing has changed in your workspace.",
            "If you are not allowed to install apps, ask a Slack workspace admin or owner to do it from this page.",
        ),
    ),
    "invalid_browser": Notice(
        title="The installation cannot be completed in this browser",
        text=(
            "For your security, complete it in the browser where you started it, with cookies enabled.",
            "Nothing was installed. Start again in this browser.",
        ),
        status=400,
    ),
    "invalid_state": Notice(
        title="This link has expired",
        text=(
            "An installation must be completed within 10 minutes, and its link works only once.",
            "If the app already appears in your Slack workspace, you are done. Otherwise, start again.",
        ),
        status=400,
    ),
    "missing_code": Notice(
        title="Slack did not complete the installation",
        text=("Slack redirected your browser without the code that completes an installation. Nothing was installed.",),
        status=400,
    ),
}
