"""Installing the app without a redirect: with the bot token that Slack's own "Install to Workspace" shows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from slack_sdk.errors import SlackApiError
from slack_sdk.oauth.installation_store import Installation
from slack_sdk.web.async_client import AsyncWebClient

from domain.errors import PermanentError, TransientError
from services.slack.call import bearer, body, call, error_code, failure
from services.slack.manifest import Manifest
from services.slack.shapes import Json, part_of
from store.slack.installations import AsyncInstallationStore

_KINDS = {
    "xoxe": (
        "This token expires after 12 hours, because token rotation is on for this Slack app. Renewing it takes an"
        " installation by OAuth: open the app's https address and choose Add to Slack. Slack cannot turn token rotation"
        " off again, so without an address, create a new app from the manifest"
    ),
    "xapp": "This is an app-level token. Set SLACK_APP_TOKEN to it, and enter the Bot User OAuth Token (xoxb-…) here",
    "xoxp": "This is a user's token. Enter the Bot User OAuth Token (xoxb-…)",
}
_NO_BOT_TOKEN = "This is not a bot token. Enter the Bot User OAuth Token (xoxb-…) from OAuth & Permissions"  # noqa: S105


@dataclass(frozen=True)
class TokenInstall:
    """
    `client` is as in services/slack/api.py. `app_token` is the operator's SLACK_APP_TOKEN or None. `sync` finds out to
    which workspaces of an organization the app was added.
    """

    client: AsyncWebClient = field(repr=False)
    installations: AsyncInstallationStore
    manifest: Manifest
    app_token: str | None = field(repr=False)
    now: Callable[[], int]
    sync: Callable[[str], Awaitable[bool]]

    async def install(self, token: str) -> Installation:
        """
        Store the installation that this bot token belongs to, as OAuth does. Raises PermanentError, TransientError.

        https://docs.slack.dev/reference/methods/auth.test names the workspace, and a header lists the scopes.
        """
        if not token.startswith("xoxb-"):
            raise PermanentError(_KINDS.get(token[:4], _NO_BOT_TOKEN))
        identity, scopes = await self._call("auth.test", token)
        bot_id = str(identity.get("bot_id") or "")
        if not bot_id:
            raise PermanentError(_NO_BOT_TOKEN)
        if not scopes:
            raise TransientError("Slack did not list the token's permissions")
        missing = [scope for scope in self.manifest.scopes if scope not in scopes]
        required = [scope for scope in missing if scope not in self.manifest.optional_scopes]
        if required:
            raise PermanentError(
                f"The token is missing {', '.join(required)}. Add these scopes under OAuth & Permissions, reinstall the"
                " app there, and enter the token again"
            )
        org_wide = identity.get("is_enterprise_install") is True
        bot = await self._bot(token, bot_id, str(identity.get("team_id") or "") if org_wide else None)
        installation = Installation(
            app_id=self._checked_app(bot),
            enterprise_id=identity.get("enterprise_id"),
            enterprise_name=identity.get("team") if org_wide else None,
            team_id=None if org_wide else identity.get("team_id"),
            team_name=None if org_wide else identity.get("team"),
            bot_token=token,
            bot_id=bot_id,
            bot_user_id=identity.get("user_id"),
            bot_scopes=",".join(sorted(scopes)),
            user_id=str(identity.get("user_id") or ""),  # the bot itself: Slack does not say who pressed Install
            is_enterprise_install=org_wide,
            token_type="bot",  # noqa: S106
            installed_at=self.now() / 1_000,
        )
        await self.installations.async_save(installation)
        if org_wide:
            await self.sync(str(installation.enterprise_id))
        return installation

    async def _bot(self, token: str, bot_id: str, org_id: str | None) -> Json:
        """Return the bot of the token, or {} if the token may not read it."""
        arguments = {"bot": bot_id, **({"team_id": org_id} if org_id else {})}
        try:
            answer, _ = await self._call("bots.info", token, **arguments)
        except PermanentError:
            return {}
        return part_of(answer, "bot")

    def _checked_app(self, bot: Json) -> str:
        """Return the id of the bot's app. An app-level token names its app: xapp-1-A0123456789-…"""
        app_id = str(bot.get("app_id") or "")
        ours = (self.app_token or "").split("-")[2:3]
        if app_id and ours and ours != [app_id]:
            raise PermanentError(
                f"This token is for another Slack app ({app_id}) than SLACK_APP_TOKEN ({ours[0]}). Copy both from the"
                " same app"
            )
        return app_id or next(iter(ours), "")

    async def _call(self, method: str, token: str, **arguments: str) -> tuple[Json, frozenset[str]]:
        """Return the answer and the token's scopes."""
        try:
            response = await call(self.client, method, bearer(token), data=dict(arguments))
        except SlackApiError as error:
            our_error = failure(method, error)
            if isinstance(our_error, TransientError):
                raise our_error from error
            raise PermanentError(f"Slack does not accept this token ({error_code(error)})") from error
        granted = str(response.headers.get("x-oauth-scopes") or "").split(",")
        return body(response), frozenset(scope.strip() for scope in granted if scope.strip())
