"""Socket Mode as Slack does it, heard by Slack's own client."""

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
class Heard:
    """What came, and what is answered to it."""

    requests: list[SocketModeRequest] = field(default_factory=list)
    answer: Json | None = None

    async def hear(self, client: SocketModeClient, request: SocketModeRequest) -> None:
        self.requests.append(request)
        await client.send_socket_mode_response(SocketModeResponse(request.envelope_id, self.answer))


@pytest.fixture
async def listener(office) -> AsyncIterator[Heard]:
    """Slack's client, connected."""
    office.slack.app.socket_mode_enabled = True
    heard = Heard()
    client = SocketModeClient(office.slack.sockets.issue_token(), web_client=office.as_bot(""), ping_interval=0.1)
    client.socket_mode_request_listeners.append(heard.hear)
    await client.connect()
    await office.slack.sockets.wait_for_connection()
    yield heard
    await client.close()
    await asyncio.gather(client.message_processor, return_exceptions=True)


async def test_an_event_comes_in_an_envelope(office, listener) -> None:
    """https://docs.slack.dev/apis/events-api/using-socket-mode#events: the payload is what HTTP would carry."""
    assert await office.slack.change_user(office.dana.id, title="CRO") == 200

    (request,) = listener.requests
    assert (request.type, request.accepts_response_payload) == ("events_api", False)
    assert request.payload["type"] == "event_callback"
    assert request.payload["event"]["user"]["id"] == office.dana.id


async def test_a_command_is_answered_in_the_acknowledgement(office, listener) -> None:
    """There is no HTTP response to carry it."""
    listener.answer = {"text": "All is well."}

    reply = await office.slack.command(office.dana.id, "/status")

    assert listener.requests[0].type == "slash_commands"
    assert reply.message is not None
    assert reply.message.text == "All is well."


async def test_what_nobody_acknowledges_comes_again_over_the_next_connection(office) -> None:
    """Under the same event_id, and marked as a repeat."""
    office.slack.app.socket_mode_enabled = True
    office.slack.app_client.timeout, office.slack.app_client.retry_delays = 0.2, (0,)
    token = office.slack.sockets.issue_token()
    sending = asyncio.create_task(office.slack.change_user(office.dana.id, title="CEO"))
    first, _link = await next_envelope(office, token)
    office.slack.app_client.timeout = 3.0
    office.slack.sockets.drop_connections()
    second, link = await next_envelope(office, token)
    await link.send_json({"envelope_id": second["envelope_id"]})

    assert await sending == 200
    assert first["payload"]["event_id"] == second["payload"]["event_id"]
    assert (first.get("retry_attempt"), second["retry_attempt"], second["retry_reason"]) == (None, 1, "timeout")
    await link.close()


async def next_envelope(office, token: str) -> tuple[Json, aiohttp.ClientWebSocketResponse]:
    """The first that comes over a new connection."""
    url = (await office.as_bot("").apps_connections_open(app_token=token))["url"]
    link = await office.http.ws_connect(url)
    await link.receive()
    return json.loads((await link.receive()).data), link


async def test_an_address_is_good_once(office) -> None:
    """Whoever comes second is sent away."""
    office.slack.app.socket_mode_enabled = True
    answer = await office.as_bot("").apps_connections_open(app_token=office.slack.sockets.issue_token())
    async with office.http.ws_connect(answer["url"]) as link:
        assert json.loads((await link.receive()).data)["type"] == "hello"

    async with office.http.get(answer["url"].replace("ws", "http", 1)) as refused:
        assert refused.status == 403


@pytest.mark.parametrize(
    ("token", "error"),
    [
        ("", "not_authed"),
        ("xapp-1-nobody", "invalid_auth"),
        ("bot", "not_allowed_token_type"),
        ("off", "forbidden_team"),
    ],
)
async def test_only_an_app_token_opens_a_connection(office, token, error) -> None:
    """https://docs.slack.dev/reference/methods/apps.connections.open#errors"""
    office.slack.app.socket_mode_enabled = token != "off"
    given = {"bot": office.token, "off": office.slack.sockets.issue_token()}.get(token, token)

    with pytest.raises(SlackApiError) as refused:
        await office.as_bot(given).apps_connections_open(app_token=given)

    assert refused.value.response["error"] == error


async def test_there_are_ten_connections_at_most(office) -> None:
    """https://docs.slack.dev/apis/events-api/using-socket-mode#multiple"""
    office.slack.app.socket_mode_enabled = True
    token = office.slack.sockets.issue_token()
    links = []
    for _ in range(11):
        url = (await office.as_bot("").apps_connections_open(app_token=token))["url"]
        links.append(await office.http.ws_connect(url))
    first = [json.loads((await link.receive()).data) for link in links]
    for link in links:
        await link.close()

    assert [said["type"] for said in first] == ["hello"] * 10 + ["disconnect"]
    assert first[-1]["reason"] == "too_many_websockets"
