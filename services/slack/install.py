"""Calls to Slack during an installation: exchanging the code for a token, and listing channels to choose from."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.oauth.installation_store import Installation
from slack_sdk.web.async_client import AsyncWebClient

from domain.errors import PermanentError, TransientError
from services.slack.call import bearer, body, call, failure, token_of
from services.slack.shapes import ChannelInfo, Json, next_cursor, page_of, part_of, text_of
from store.slack.organizations import Team

PAGE = 999
"""The most that Slack returns per page: a person is waiting, and Slack allows 20 calls a minute.
https://docs.slack.dev/reference/methods/conversations.list"""

FIRST_SECONDS = 1.2
"""How long the page lists channels before it is shown. The browser asks for the rest."""

SEARCH_SECONDS = 8.0
"""How long a channel is searched for by its name."""

START, _PUBLIC_ONLY = "all:", "public:"


@dataclass(frozen=True)
class ChannelList:
    """
    Channels that are not archived, by name: all public ones, and the private ones that the app is a member of.

    `position` is where to go on, None at the end of the list. `wait` is how many seconds Slack asks to wait before.
    """

    channels: list[ChannelInfo]
    position: str | None
    wait: float = 0.0

    @property
    def is_complete(self) -> bool:
        return self.position is None


@dataclass(frozen=True)
class SlackInstall:
    """
    Slack's methods for installing.

    `client` is as in services/slack/api.py. `tokens` returns a workspace's bot token or None. `wait` takes seconds, and
    `now` returns them. Every method raises WorkspaceGoneError, PermanentError or TransientError.
    """

    client: AsyncWebClient = field(repr=False)
    tokens: Callable[[str], Awaitable[str | None]]
    wait: Callable[[float], Awaitable[None]] = asyncio.sleep
    now: Callable[[], float] = time.time

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
        identity = await _call(self.client, "auth.test", headers=bearer(token), data={})
        return _installation(answer, identity, token, self.now())

    async def teams(self, enterprise_id: str) -> list[Team]:
        """
        List the workspaces to which the app of an org-wide installation was added.

        https://docs.slack.dev/reference/methods/auth.teams.list
        """
        token, raw, cursor = await token_of(self.tokens, enterprise_id), list[Json](), ""
        while True:
            form: Json = {"limit": PAGE, **({"cursor": cursor} if cursor else {})}
            answer = await _call(self.client, "auth.teams.list", headers=bearer(token), data=form)
            raw += page_of(answer, "auth.teams.list", "teams", dict)
            previous, cursor = cursor, next_cursor(answer)
            if cursor in {"", previous}:  # the same cursor again would never end
                return [Team(text_of(team, "id"), str(team.get("name") or "") or None) for team in raw]

    async def channels(
        self,
        workspace_id: str,
        team_id: str | None = None,
        *,
        position: str = START,
        seconds: float = FIRST_SECONDS,
        most_pages: int | None = None,
    ) -> ChannelList:
        """
        List the channels that an admin can choose, for at most this many seconds and pages, from a position.

        Slack allows 20 pages a minute. `team_id` is the id at Slack, if the token is that of an organization.
        https://docs.slack.dev/reference/methods/conversations.list
        """
        token = await token_of(self.tokens, workspace_id)
        raw, wait, pages, following = list[Json](), 0.0, 0, position or None
        try:
            async with asyncio.timeout(seconds):
                while following is not None and pages != most_pages:
                    page, following = await self._channel_page(token, team_id, following)
                    raw, pages = raw + page, pages + 1
        except TimeoutError:
            pass
        except TransientError as error:
            if error.retry_after is None and not raw:
                raise
            wait = error.retry_after or 5.0
        channels = {
            channel.id: channel
            for channel in map(ChannelInfo.of, raw)
            if not channel.is_archived and (channel.is_member or not channel.is_private)
        }
        return ChannelList(sorted(channels.values(), key=lambda channel: channel.name), following, wait)

    async def find_channel(self, workspace_id: str, team_id: str | None, name: str) -> ChannelInfo | None:
        """Return the channel with this name. None if there is none, or if Slack does not list it in time."""
        position, until = START, asyncio.get_running_loop().time() + SEARCH_SECONDS
        while (seconds := until - asyncio.get_running_loop().time()) > 0:
            listing = await self.channels(workspace_id, team_id, position=position, seconds=seconds, most_pages=1)
            for channel in listing.channels:
                if channel.name == name:
                    return channel
            if listing.position is None or listing.wait > seconds:
                return None
            position = listing.position
            await self.wait(listing.wait)
        return None

    async def _channel_page(self, token: str, team_id: str | None, position: str) -> tuple[list[Json], str | None]:
        """Return a page and the position of the next one, None after the last."""
        kind, _, cursor = position.partition(":")
        types = "public_channel" if f"{kind}:" == _PUBLIC_ONLY else "public_channel,private_channel"
        arguments = {"types": types, "exclude_archived": "true", "team_id": team_id, "cursor": cursor}
        form = {"limit": PAGE, **{name: value for name, value in arguments.items() if value}}
        try:
            answer = await _call(self.client, "conversations.list", headers=bearer(token), data=form)
        except PermanentError:  # without groups:read, only public channels can be listed
            if f"{kind}:" == _PUBLIC_ONLY:
                raise
            return [], _PUBLIC_ONLY
        page: list[Json] = page_of(answer, "conversations.list", "channels", dict)
        following = next_cursor(answer)
        # A page may be empty although more follow, but the same cursor again would never end.
        return page, None if following in {"", cursor} else f"{kind}:{following}"


async def _call(client: AsyncWebClient, method: str, headers: dict[str, str], data: Json) -> Json:
    try:
        return body(await call(client, method, headers, data=data))
    except SlackApiError as error:
        raise failure(method, error) from error


def _installation(answer: Json, identity: Json, token: str, now: float) -> Installation:
    team, enterprise, installer = (part_of(answer, name) for name in ("team", "enterprise", "authed_user"))
    seconds = answer.get("expires_in")  # only with token rotation
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
        bot_refresh_token=answer.get("refresh_token"),
        bot_token_expires_at=round(now + seconds) if isinstance(seconds, int) else None,
        user_id=text_of(installer, "id"),
        is_enterprise_install=answer.get("is_enterprise_install") is True,
        token_type=answer.get("token_type"),
    )
