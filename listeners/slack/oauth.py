"""Slack's OAuth through Bolt: who asks, what is stored, and who we are in the workspace a request comes from."""

from __future__ import annotations

import logging
import re
import secrets
from dataclasses import dataclass, field

from slack_bolt.authorization import AuthorizeResult
from slack_bolt.authorization.async_authorize import AsyncAuthorize
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.oauth.async_callback_options import AsyncCallbackOptions, AsyncFailureArgs, AsyncSuccessArgs
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_bolt.response import BoltResponse
from slack_sdk.oauth.installation_store import Installation

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
from store.encryption import Cipher
from store.slack.installations import AsyncInstallationStore, workspace_of
from store.slack.oauth_states import AsyncOAuthStateStore

INSTALL_PATH = "/slack/install"
REDIRECT_PATH = "/slack/oauth_redirect"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OAuthParts:
    """What an installation passes through."""

    installations: AsyncInstallationStore
    states: AsyncOAuthStateStore
    slack: SlackInstall
    cipher: Cipher = field(repr=False)
    pages: Pages


def create_oauth(settings: Settings, manifest: Manifest, parts: OAuthParts) -> AsyncOAuthFlow:
    """
    The flow, with its settings.

    Hand both to AsyncApp (`oauth_flow=flow, oauth_settings=flow.settings`), or Bolt makes itself settings out of
    SLACK_CLIENT_ID in the environment, with stores that are files.
    """
    oauth = AsyncOAuthSettings(
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
    return _Flow(oauth, parts.slack)


class _Flow(AsyncOAuthFlow):
    """Bolt's flow, except that a code which Slack refuses and a Slack that does not answer are not the same."""

    def __init__(self, settings: AsyncOAuthSettings, slack: SlackInstall) -> None:
        super().__init__(client=slack.client, logger=log, settings=settings)
        self._slack = slack

    async def run_installation(self, code: str) -> Installation:
        """Raises PermanentError, TransientError."""
        ours = self.settings
        return await self._slack.exchange(code, ours.client_id, ours.client_secret, ours.redirect_uri or "")


class Authorize(AsyncAuthorize):
    """
    Who we are in the workspace that a request comes from, as our own rows say.

    Bolt's own asks Slack with each request, and takes a database that is down, or a wrong key, for a workspace that
    is not installed.
    """

    def __init__(self, installations: AsyncInstallationStore) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Bolt has no annotations there
        self._installations = installations

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
        """None: not installed there. Raises DatabaseUnavailableError, WrongKeyError."""
        del actor_enterprise_id, actor_team_id, actor_user_id  # of user tokens, which we have none of
        found = await self._installations.async_find_installation(
            enterprise_id=enterprise_id, team_id=team_id, is_enterprise_install=context.is_enterprise_install
        )
        if found is None:
            log.info("a request of workspace %s, which has not installed the app", team_id or enterprise_id)
            return None
        return AuthorizeResult(
            enterprise_id=found.enterprise_id,
            team_id=team_id or found.team_id,
            bot_id=found.bot_id,
            bot_user_id=found.bot_user_id,
            bot_token=found.bot_token,
            bot_scopes=found.bot_scopes,
            user_id=user_id,
        )


def _callbacks(parts: OAuthParts, public_url: str) -> AsyncCallbackOptions:
    async def go_on(args: AsyncSuccessArgs) -> BoltResponse:
        installation, browser = args.installation, secrets.token_urlsafe(32)
        link = InstallLink(
            workspace_id=workspace_of(installation),
            team_id=installation.team_id or "",
            app_id=installation.app_id or "",
            user_id=installation.user_id,
            installed_at=str(round(installation.installed_at * 1000)),
            browser=hash_of(browser),
        )
        cookie = f"{CHANNEL_COOKIE}={browser}; Path={CHANNEL_PATH}; Max-Age={CHANNEL_LIFETIME_SECONDS}"
        location = channel_address(link.seal(parts.cipher))
        return BoltResponse(status=303, headers={"Location": location, "Set-Cookie": cookie})

    async def explain(args: AsyncFailureArgs) -> BoltResponse:
        notice = failure(args.reason, public_url)
        html = parts.pages.html("notice.html", notice=notice)
        return BoltResponse(status=notice.status, body=html, headers={"Content-Type": "text/html; charset=utf-8"})

    return AsyncCallbackOptions(success=go_on, failure=explain)


def failure(reason: str, public_url: str) -> Notice:
    """
    What to tell somebody whose installation did not come about.

    *reason*: Bolt's own, or the `error` that Slack sent the browser back with, which anybody could have written.
    """
    again = public_url + INSTALL_PATH  # there, and nowhere else, the cookie is set that is looked for afterwards
    title, text, status = _FAILURES.get(reason, _unknown(reason))
    return Notice(title=title, text=text, action="Start again", url=again, status=status)


_FAILURES = {
    "access_denied": (
        "Nothing was installed",
        (
            "The request was cancelled on Slack's page, so nothing has changed in your workspace.",
            "If you may not install apps yourself, a Slack workspace admin or owner can do it from this page.",
        ),
        200,
    ),
    "invalid_browser": (
        "This browser did not start the installation",
        (
            "To be safe, it has to be finished where it was started. Perhaps cookies are off, or it took too long.",
            "Nothing was installed. Start again here, and stay in this browser.",
        ),
        400,
    ),
    "invalid_state": (
        "This attempt is over",
        (
            "An installation can be finished once, within 10 minutes. This one is older, or already finished.",
            "If Slack shows the app in your workspace, you are done. Otherwise start again.",
        ),
        400,
    ),
    "missing_code": (
        "Slack did not say whether it was allowed",
        ("Slack sent your browser back without the code that finishes an installation. Nothing was installed.",),
        400,
    ),
}


def _unknown(reason: str) -> tuple[str, tuple[str, ...], int]:
    told = f"Its reason: {reason}." if re.fullmatch(r"[a-z_]{1,60}", reason) else "It gave no reason that we know of."
    return "Slack did not install the app", (f"{told} Nothing has changed in your workspace.",), 400
