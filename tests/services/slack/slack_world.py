"""A sandbox workspace that has installed the app, with the services' Slack API client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from domain.workspace import Workspace
from sandbox.slack import SlackSandbox
from sandbox.slack.state import Channel, Team, User
from services.slack.api import Slack
from store.database import Database
from store.slack import workspaces
from tests.conftest import Clock
from tests.servers import GENEROUS_TIMEOUT
from tests.world import installed


@dataclass
class SlackWorkspace:
    """Dana installed the app, and its bot is a member of #wins."""

    sandbox: SlackSandbox
    team: Team
    dana: User
    wins: Channel
    database: Database
    api: Slack
    http: aiohttp.ClientSession

    @property
    def id(self) -> str:
        return self.team.id

    def calls_of(self, method: str) -> list[dict]:
        return [call.arguments for call in self.sandbox.calls if call.method == method]

    async def workspace(self) -> Workspace:
        workspace = await self.database.run(workspaces.find, self.id)
        assert workspace is not None
        return workspace


@asynccontextmanager
async def open_slack_workspace(
    database: Database, clock: Clock, timeout_seconds: float = GENEROUS_TIMEOUT
) -> AsyncIterator[SlackWorkspace]:
    sandbox = SlackSandbox(now=lambda: clock() / 1000)
    team = sandbox.add_team("Acme")
    dana = sandbox.add_user(team, "Dana Reyes", "dana@acme.example", is_admin=True)
    token = sandbox.install(team.id, dana.id)
    wins = sandbox.add_channel(team, "wins", is_member=True)
    users = {"installer_user_id": dana.id, "bot_user_id": sandbox.world.tokens[token].bot_user}
    scopes = ",".join(sorted(sandbox.world.tokens[token].scopes))
    await database.run(workspaces.install, installed(team.id, scopes=scopes, installed_at=clock(), **users))

    async def tokens(workspace_id: str) -> str | None:
        return token if workspace_id == team.id else None

    timeout = aiohttp.ClientTimeout(total=timeout_seconds)
    async with sandbox.serving() as url, aiohttp.ClientSession(timeout=timeout) as http:
        client = AsyncWebClient(base_url=f"{url}/api/", session=http, retry_handlers=[])
        yield SlackWorkspace(sandbox, team, dana, wins, database, Slack(client, tokens, database, clock), http)
