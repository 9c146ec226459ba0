"""Calls to Slack during an installation: exchanging the code for a token, and listing channels to choose from."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.oauth.installation_store import Installation
from slack_sdk.web.async_client import AsyncWebClient

from domain.errors import PermanentError, TransientError
from services.slack.call import body, call, failure, token_of
from services.slack.shapes import ChannelInfo, Json, text_of
from store.slack.organizations import Team

PAGE = 999
"""The most that Slack returns per page: a person is waiting, and Slack allows 20 calls a minute.
https://docs.slack.dev/reference/methods/conversations.list"""

PATIENCE_SECONDS = 40.0
"""How long a browser waits in total because of Slack's rate limits."""


@dataclass(frozen=True)
class ChannelList:
    """
    Channels that are not archived, by name: all public ones, and the private ones that the app is a member of.

    `is_complete` is False if Slack's rate limit left some out.
    """

    channels: list[ChannelInfo]
    is_complete: bool


@dataclass(frozen=True)
class SlackInstall:
    """
    Slack's methods for installing.

    `client` is as in services/slack/api.py. `tokens` returns a workspace's bot token or None. `wait` takes seconds.
    Every method raises WorkspaceGoneError, PermanentError or TransientError.
    """

    client: AsyncWebClient = field(repr=False)
    tokens: Callable[[str], Awaitable[str | None]]
    wait: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def exchange(self, code: str, client_id: str, client_secret: str, redirect_uri: str) -> Installation:
        """
        Exchange a code for the installation. A code can be exchanged once, within 10 minutes.

        https://docs.slack.dev/authentication/installing-with-oauth#exchanging
        """
        answer = await _call(
            self.client,
            "oauth.v2.access",
            headers={"Authorization": aiohttp.encode_basic_auth(client_id, client_secret)},
            data={"code": code, "redirect_uri": redirect_uri},
        )
        token = text_of(answer, "access_token")
        # Only auth.test returns the bot's own id.
        identity = await _call(self.client, "auth.test", headers=_bearer(token), data={})
        return _installation(answer, identity, token)

    async def teams(self, enterprise_id: str) -> list[Team]:
        """
        List the workspaces to which the app of an org-wide installation was added.

        https://docs.slack.dev/reference/methods/auth.teams.list
        """
        reader = _PageReader(self.client, await token_of(self.tokens, enterprise_id), self.wait)
        teams = await reader.all("auth.teams.list", "teams", {})
        if not reader.is_complete:
            raise TransientError("Slack does not list all workspaces of the organization now")
        return [Team(text_of(team, "id"), str(team.get("name") or "") or None) for team in teams]

    async def channels(self, workspace_id: str, team_id: str | None = None) -> ChannelList:
        """
        List the channels that an admin can choose, waiting when Slack's rate limit requires it.

        `team_id` is the workspace's id at Slack if its token is that of an organization.

        https://docs.slack.dev/reference/methods/conversations.list
        """
        token = await token_of(self.tokens, workspace_id)
        reader = _PageReader(self.client, token, self.wait)
        arguments = {"exclude_archived": "true", "team_id": team_id}
        try:
            both = {"types": "public_channel,private_channel", **arguments}
            raw = await reader.all("conversations.list", "channels", both)
        except PermanentError:  # without groups:read, only public channels can be listed
            raw = await reader.all("conversations.list", "channels", {"types": "public_channel", **arguments})
        channels = {
            channel.id: channel
            for channel in map(ChannelInfo.of, raw)
            if (not channel.is_archived and (channel.is_member or not channel.is_private))
        }
        return ChannelList(sorted(channels.values(), key=lambda channel: channel.name), reader.is_complete)


@dataclass
class _PageReader:
    """Reads lists page by page. `patience` is how many seconds it may still wait, over all lists."""

    client: AsyncWebClient = field(repr=False)
    token: str = field(repr=False)
    wait: Callable[[float], Awaitable[None]]
    patience: float = PATIENCE_SECONDS
    is_complete: bool = True

    async def all(self, method: str, key: str, arguments: Mapping[str, str | None]) -> list[Json]:
        items: list[Json] = []
        cursor: str | None = None
        while answer := await self._page(method, {**arguments, "cursor": cursor}):
            page = answer.get(key)
            if not isinstance(page, list) or not all(isinstance(item, dict) for item in page):
                raise TransientError(f"Slack sent an invalid response to {method}")
            items += page
            next_cursor = str(_part(answer, "response_metadata").get("next_cursor") or "") or None
            # A page may be empty although more follow, but the same cursor again would never end.
            if next_cursor in {None, cursor}:
                break
            cursor = next_cursor
        return items

    async def _page(self, method: str, arguments: Mapping[str, str | None]) -> Json | None:
        """Return None if Slack asks to wait longer than the remaining patience."""
        form = {"limit": PAGE, **{name: value for name, value in arguments.items() if value}}
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
        raise failure(method, error) from error


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


def _part(answer: Json, name: str) -> Json:
    value = answer.get(name)
    return value if isinstance(value, dict) else {}


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
