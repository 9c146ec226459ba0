"""Socket Mode, with Slack's own client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from sandbox.slack.state import Json


@dataclass
class SocketApp:
    """Records requests and acknowledges them with `answer`."""

    requests: list[SocketModeRequest] = field(default_factory=list)
    answer: Json | None = None

    async def receive(self, client: SocketModeClient, request: SocketModeRequest) -> None:
        self.requests.append(request)
        await client.send_socket_mode_response(SocketModeResponse(request.envelope_id, self.answer))


@pytest.fixture
async def socket_app(acme) -> AsyncIterator[SocketApp]:
    """An app connected with Slack's client."""
    acme.slack.app.socket_mode_enabled = True
    socket_app = SocketApp()
    client = SocketModeClient(acme.slack.sockets.issue_token(), web_client=acme.as_bot(""), ping_interval=0.1)
    client.socket_mode_request_listeners.append(socket_app.receive)
    await client.connect()
    await acme.slack.sockets.wait_for_connection()
    yield socket_app
    await client.close()
    await asyncio.gather(client.message_processor, return_exceptions=True)


async def test_an_event_is_sent_in_an_envelope(acme, socket_app) -> None:
    """https://docs.slack.dev/apis/events-api/using-socket-mode#events: the payload is the same as over HTTP."""
    assert await acme.slack.change_user(acme.dana.id, title="CRO") == 200

    (request,) = socket_app.requests
    assert (request.type, request.accepts_response_payload) == ("events_api", False)
    assert request.payload["type"] == "event_callback"
    assert request.payload["event"]["user"]["id"] == acme.dana.id


async def test_a_command_is_answered_in_the_acknowledgement(acme, socket_app) -> None:
    """Socket Mode has no HTTP response."""
    socket_app.answer = {"text": "No problems."}

    reply = await acme.slack.command(acme.dana.id, "/status")

    assert socket_app.requests[0].type == "slash_commands"
    assert reply.message is not None
    assert reply.message.text == "No problems."


async def test_an_event_without_an_acknowledgement_is_retried(acme) -> None:
    """The retry has the same event_id and is marked, and may use another connection."""
    acme.slack.app.socket_mode_enabled = True
    acme.slack.app_client.timeout, acme.slack.app_client.retry_delays = 0.2, (0,)
    token = acme.slack.sockets.issue_token()
    sending = asyncio.create_task(acme.slack.change_user(acme.dana.id, title="CEO"))
    first, websocket = await next_envelope(acme, token)
    acme.slack.app_client.timeout = 3.0
    acme.slack.sockets.drop_connections()
    second, websocket = await next_envelope(acme, token)
    await websocket.send_json({"envelope_id": second["envelope_id"]})

    assert await sending == 200
    assert first["payload"]["event_id"] == second["payload"]["event_id"]
    assert (first.get("retry_attempt"), second["retry_attempt"], second["retry_reason"]) == (None, 1, "timeout")
    await websocket.close()


async def next_envelope(acme, token: str) -> tuple[Json, aiohttp.ClientWebSocketResponse]:
    """The first envelope on a new connection, and the connection."""
    url = (await acme.as_bot("").apps_connections_open(app_token=token))["url"]
    websocket = await acme.http.ws_connect(url)
    await websocket.receive()
    return json.loads((await websocket.receive()).data), websocket


async def test_a_url_is_valid_for_one_connection(acme) -> None:
    """A second connection is rejected."""
    acme.slack.app.socket_mode_enabled = True
    answer = await acme.as_bot("").apps_connections_open(app_token=acme.slack.sockets.issue_token())
    async with acme.http.ws_connect(answer["url"]) as websocket:
        assert json.loads((await websocket.receive()).data)["type"] == "hello"

    async with acme.http.get(answer["url"].replace("ws", "http", 1)) as response:
        assert response.status == 403


@pytest.mark.parametrize(
    ("token", "error"),
    [
        ("", "not_authed"),
        ("xapp-1-nobody", "invalid_auth"),
        ("bot", "not_allowed_token_type"),
        ("off", "forbidden_team"),
    ],
)
async def test_only_an_app_token_opens_a_connection(acme, token, error) -> None:
    """https://docs.slack.dev/reference/methods/apps.connections.open#errors"""
    acme.slack.app.socket_mode_enabled = token != "off"
    given = {"bot": acme.token, "off": acme.slack.sockets.issue_token()}.get(token, token)

    with pytest.raises(SlackApiError) as raised:
        await acme.as_bot(given).apps_connections_open(app_token=given)

    assert raised.value.response["error"] == error


async def test_ten_connections_are_the_maximum(acme) -> None:
    """https://docs.slack.dev/apis/events-api/using-socket-mode#multiple"""
    acme.slack.app.socket_mode_enabled = True
    token = acme.slack.sockets.issue_token()
    websockets = []
    for _ in range(11):
        url = (await acme.as_bot("").apps_connections_open(app_token=token))["url"]
        websockets.append(await acme.http.ws_connect(url))
    greetings = [json.loads((await websocket.receive()).data) for websocket in websockets]
    for websocket in websockets:
        await websocket.close()

    assert [greeting["type"] for greeting in greetings] == ["hello"] * 10 + ["disconnect"]
    assert greetings[-1]["reason"] == "too_many_websockets"
