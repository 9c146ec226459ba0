"""What Slack is asked while somebody installs the app: a code for a token, and every channel there is to choose."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.oauth.installation_store import Installation
from slack_sdk.web.async_client import AsyncWebClient

from domain.errors import PermanentError, TransientError
from services.slack.call import body, call, error_code, failure, token_of
from services.slack.shapes import ChannelInfo, Json, text_of

PAGE = 999
"""The most that Slack gives at once: somebody is waiting, and the method may be called 20 times a minute.
https://docs.slack.dev/reference/methods/conversations.list"""

PATIENCE_SECONDS = 40.0
"""How long a browser is kept waiting for Slack to let us go on."""

_CREDENTIALS = "Slack does not accept this server's credentials. Check SLACK_CLIENT_ID and SLACK_CLIENT_SECRET."
_STALE = "Slack does not accept the code it gave your browser: it was used before, or is more than 10 minutes old."
_UNHEARD = "Slack does not tell which channels there are."
_REFUSED = {
    "invalid_client_id": _CREDENTIALS,
    "bad_client_secret": _CREDENTIALS,
    "invalid_code": _STALE,
    "code_already_used": _STALE,
    "code_expired": _STALE,
    "bad_redirect_uri": "Slack does not know this server's address. Add it to the app's redirect URLs.",
    "missing_argument": _UNHEARD,
    "unknown_method": _UNHEARD,
}
"""https://docs.slack.dev/reference/methods/oauth.v2.access#errors, and the same of conversations.list"""


@dataclass(frozen=True)
class Listing:
    """
    Channels that are not archived, by name: all public ones, and private ones that the app is in.

    *is_complete* False: Slack asked us to wait for too long.
    """

    channels: list[ChannelInfo]
    is_complete: bool


@dataclass(frozen=True)
class SlackInstall:
    """
    *client* as in services/slack/api.py; *tokens* answers with a workspace's bot token, or None; *wait* takes seconds.

    Every method raises WorkspaceGoneError, PermanentError or TransientError.
    """

    client: AsyncWebClient = field(repr=False)
    tokens: Callable[[str], Awaitable[str | None]]
    wait: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def exchange(self, code: str, client_id: str, client_secret: str, redirect_uri: str) -> Installation:
        """
        The installation that a code stands for; it can be exchanged once, within 10 minutes.

        https://docs.slack.dev/authentication/installing-with-oauth#exchanging
        """
        answer = await _call(
            self.client,
            "oauth.v2.access",
            headers={"Authorization": aiohttp.encode_basic_auth(client_id, client_secret)},
            data={"code": code, "redirect_uri": redirect_uri},
        )
        token = text_of(answer, "access_token")
        # Which of the workspace's bots we are stands only there.
        identity = await _call(self.client, "auth.test", headers=_bearer(token), data={})
        return _installation(answer, identity, token)

    async def channels(self, workspace_id: str, *, org_wide: bool) -> Listing:
        """
        Every one that can be chosen, waiting where Slack asks us to.

        *org_wide*: of all the organisation's workspaces we were let into.

        https://docs.slack.dev/reference/methods/conversations.list
        """
        token = await token_of(self.tokens, workspace_id)
        reading = _Reading(self.client, token, self.wait)
        teams = await reading.teams() if org_wide else [None]
        try:
            found = await reading.channels(teams, "public_channel,private_channel")
        except PermanentError:  # without groups:read there are the public ones
            found = await reading.channels(teams, "public_channel")
        channels = {channel.id: channel for channel in map(ChannelInfo.of, found) if _can_be_chosen(channel)}
        return Listing(sorted(channels.values(), key=lambda channel: channel.name), reading.is_complete)


@dataclass
class _Reading:
    """Several lists read page by page, with one amount of patience for all of them."""

    client: AsyncWebClient = field(repr=False)
    token: str = field(repr=False)
    wait: Callable[[float], Awaitable[None]]
    patience: float = PATIENCE_SECONDS
    is_complete: bool = True

    async def teams(self) -> list[str | None]:
        """An organisation's workspaces, since its token has to say which one it asks about; [None]: not known."""
        try:
            return [text_of(team, "id") for team in await self.all("auth.teams.list", "teams", {})]
        except PermanentError:
            return [None]

    async def channels(self, teams: Sequence[str | None], types: str) -> list[Json]:
        found: list[Json] = []
        for team_id in teams:
            asked = {"types": types, "exclude_archived": "true", "team_id": team_id}
            found += await self.all("conversations.list", "channels", asked)
        return found

    async def all(self, method: str, key: str, asked: Mapping[str, str | None]) -> list[Json]:
        found: list[Json] = []
        cursor: str | None = None
        while answer := await self._page(method, {**asked, "cursor": cursor}):
            page = answer.get(key)
            if not isinstance(page, list) or not all(isinstance(item, dict) for item in page):
                raise TransientError(f"Slack's answer to {method} makes no sense")
            found += page
            following = str(_part(answer, "response_metadata").get("next_cursor") or "") or None
            # A page may be empty with more to come, but the same cursor again would go round in circles.
            if following in {None, cursor}:
                break
            cursor = following
        return found

    async def _page(self, method: str, asked: Mapping[str, str | None]) -> Json | None:
        """None: Slack asks for more patience than there is left."""
        form = {"limit": PAGE, **{name: value for name, value in asked.items() if value}}
        while self.is_complete:
            try:
                return await _call(self.client, method, headers=_bearer(self.token), data=form)
            except TransientError as error:
                if error.retry_after is None:
                    raise
                self.patience -= error.retry_after
                self.is_complete = self.patience >= 0
                if self.is_complete:
                    await self.wait(error.retry_after)
        return None


async def _call(client: AsyncWebClient, method: str, headers: dict[str, str], data: Json) -> Json:
    try:
        return body(await call(client, method, headers, data=data))
    except SlackApiError as error:
        told = _REFUSED.get(error_code(error) or "")
        raise (PermanentError(told) if told else failure(error)) from error


def _installation(answer: Json, identity: Json, token: str) -> Installation:
    team, enterprise, installer = (_part(answer, name) for name in ("team", "enterprise", "authed_user"))
    return Installation(
        app_id=str(answer.get("app_id") or ""),
        enterprise_id=enterprise.get("id"),
        enterprise_name=enterprise.get("name"),
        team_id=team.get("id"),
        team_name=team.get("name"),
        bot_token=token,
        bot_id=identity.get("bot_id"),
        bot_user_id=answer.get("bot_user_id") or identity.get("user_id"),
        bot_scopes=str(answer.get("scope") or ""),
        user_id=text_of(installer, "id"),
        is_enterprise_install=answer.get("is_enterprise_install") is True,
        token_type=answer.get("token_type"),
    )


def _can_be_chosen(channel: ChannelInfo) -> bool:
    return not channel.is_archived and (channel.is_member or not channel.is_private)


def _part(answer: Json, name: str) -> Json:
    value = answer.get(name)
    return value if isinstance(value, dict) else {}


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
