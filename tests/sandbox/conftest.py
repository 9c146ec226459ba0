"""Fixtures: a Slack sandbox served on localhost with a workspace, and a small app that receives its requests."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack import SlackSandbox
from sandbox.slack.sandbox import DEFAULT_SCOPES
from sandbox.slack.state import Team, User

SIGNING_SECRET = "the-signing-secret"


@dataclass
class Receiver:
    """A small app that records requests. It responds with the next of `answers`, or what that returns for the body."""

    bodies: list[str] = field(default_factory=list)
    headers: list[Any] = field(default_factory=list)
    answers: list[web.Response | Callable[[str], web.Response]] = field(default_factory=list)

    async def receive(self, request: web.Request) -> web.Response:
        body = await request.text()
        assert SignatureVerifier(SIGNING_SECRET).is_valid_request(body, dict(request.headers))
        self.bodies.append(body)
        self.headers.append(request.headers)
        answer = self.answers.pop(0) if self.answers else web.Response()
        return answer if isinstance(answer, web.Response) else answer(body)

    def form(self) -> dict[str, str]:
        """The fields of the last request."""
        return {name: values[0] for name, values in parse_qs(self.bodies[-1]).items()}

    def payload(self) -> Any:
        """The interaction in the last request."""
        return json.loads(self.form()["payload"])


MORE_SCOPES = {"team:read", "im:read", "channels:history", "groups:history", "channels:join", "im:write"}
"""Scopes that the app does not ask for, so that the tests can call every method."""


@dataclass
class Workspace:
    """The workspace Acme, in which Dana, an admin, has installed the app."""

    slack: SlackSandbox
    team: Team
    dana: User
    token: str
    client: AsyncWebClient
    http: aiohttp.ClientSession

    def as_bot(self, token: str) -> AsyncWebClient:
        return AsyncWebClient(token, f"{self.slack.url}/api/", session=self.http, retry_handlers=[])


@pytest.fixture
async def receiver_and_url() -> AsyncIterator[tuple[Receiver, str]]:
    """The small app and its base URL."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/slack/events", receiver.receive)
    async with TestServer(app) as server:
        yield receiver, str(server.make_url("")).rstrip("/")


@pytest.fixture
async def acme(clock: Any) -> AsyncIterator[Workspace]:
    slack = SlackSandbox(now=lambda: clock() / 1000, signing_secret=SIGNING_SECRET, rate_limits=False)
    team = slack.add_team("Acme")
    dana = slack.add_user(team, "Dana Reyes", "dana@acme.example", is_admin=True)
    token = slack.install(team.id, dana.id, DEFAULT_SCOPES | MORE_SCOPES)
    async with slack.serving() as url, aiohttp.ClientSession() as http:
        client = AsyncWebClient(token, f"{url}/api/", session=http, retry_handlers=[])
        yield Workspace(slack, team, dana, token, client, http)


@pytest.fixture
def receiver(acme: Workspace, receiver_and_url: tuple[Receiver, str]) -> Receiver:
    """The small app, connected to the workspace."""
    receiver, acme.slack.app_url = receiver_and_url
    return receiver
