"""Socket Mode handles requests as HTTP does, and loses nothing when connections end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import aiohttp
import pytest
from slack_bolt.response import BoltResponse

from domain.errors import PermanentError
from listeners.home.health_view import CHOOSE_CHANNEL
from listeners.slack.socket_mode import SocketMode
from sandbox.slack.web_api.facts import FACTS
from services.slack.error_codes import Meaning, known_error
from services.slack.socket import SlackSocket
from tests.listeners.conftest import Office
from tests.servers import GENEROUS_TIMEOUT

SHORT = aiohttp.ClientTimeout(total=0.5)


@dataclass
class Link:
    """An app that receives Slack's requests over Socket Mode only. `stop` stops it."""

    office: Office
    mode: SocketMode
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> asyncio.Task[None]:
        running = asyncio.create_task(self.mode.run(self.stop))
        await self.office.slack.sockets.wait_for_connection()
        return running


@pytest.fixture
def call_timeout() -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=GENEROUS_TIMEOUT)


@pytest.fixture
async def link(office, call_timeout) -> AsyncIterator[Link]:
    slack = office.slack
    slack.app.socket_mode_enabled, slack.app_url = True, None
    slack.app_client.retry_delays = (0.01, 0.01, 0.01)
    async with aiohttp.ClientSession(timeout=call_timeout) as http:
        socket = SlackSocket(office.api.client, slack.sockets.issue_token())
        yield Link(office, SocketMode(office.bolt, socket, http, pause=lambda _failures: 0.01))


@pytest.fixture
async def connected(link) -> AsyncIterator[Link]:
    running = await link.start()
    yield link
    link.stop.set()
    await running


async def test_home_buttons_and_the_slash_command_work_over_socket_mode(connected):
    """They work as they do over HTTP, including their answers."""
    office = connected.office

    home = await office.open_home(office.dana)
    chosen = await office.pick(office.dana, CHOOSE_CHANNEL, office.wins.id)
    reply = await office.slack.command(office.dana.id, "/usergems-status")

    assert office.wins.id not in home
    assert office.wins.id in chosen
    assert reply.message is not None
    assert "Salesforce" in str(reply.message.blocks)
    kinds = [envelope["type"] for envelope in office.slack.sockets.sent]
    assert kinds == ["events_api", "interactive", "slash_commands"]
    assert len(office.slack.sockets.acknowledged) == 3


async def test_too_many_events_are_acknowledged(connected, caplog):
    """Slack says that it has dropped events in a body of its own form."""
    assert await connected.office.slack.limit_events(connected.office.team.id) == 200

    assert "Slack has dropped events" in caplog.text


@pytest.mark.parametrize("call_timeout", [SHORT])
async def test_a_connection_outlives_the_timeout_of_calls(connected):
    """The session's timeout applies to calls, not to a WebSocket."""
    await asyncio.sleep(SHORT.total + 0.2)

    assert await connected.office.slack.open_home(connected.office.dana.id) == 200
    assert connected.office.slack.sockets.opened == 1


async def test_events_during_a_lost_connection_are_handled_afterwards(connected):
    """Slack repeats events that were not acknowledged."""
    office = connected.office
    await choose_wins(office)
    office.slack.sockets.drop_connections()

    assert await office.slack.rename_channel(office.wins.id, "deals") == 200

    await office.settled()
    assert (await office.workspace()).default_channel_name == "deals"
    assert office.slack.sockets.opened == 2


async def choose_wins(office: Office) -> None:
    await office.open_home(office.dana)
    await office.pick(office.dana, CHOOSE_CHANNEL, office.wins.id)


async def test_an_event_with_a_lost_acknowledgement_is_handled_once(connected):
    """Its repetition has the same event_id."""
    office = connected.office
    await choose_wins(office)
    first = {"type": "channel_rename", "channel": {"id": office.wins.id, "name": "deals"}}
    repeat = {"type": "channel_rename", "channel": {"id": office.wins.id, "name": "something-else"}}

    assert await office.slack.send_event(office.team.id, first, "Ev1") == 200
    await office.settled()
    office.slack.sockets.drop_connections()
    assert await office.slack.send_event(office.team.id, repeat, "Ev1", retry_num=1, retry_reason="timeout") == 200

    await office.settled()
    assert office.slack.sockets.sent[-1]["retry_attempt"] == 1
    assert (await office.workspace()).default_channel_name == "deals"


async def test_a_connection_is_replaced_before_it_ends(connected):
    """There is always an open connection. Requests on the old one are still answered."""
    office = connected.office
    late = asyncio.create_task(office.slack.open_home(office.dana.id))

    await office.slack.sockets.refresh_connections()

    assert await late == 200
    assert await office.slack.open_home(office.dana.id) == 200
    assert office.slack.sockets.opened == 2
    assert len(office.slack.sockets.connections) == 1


async def test_an_unreachable_slack_is_retried(link, caplog):
    """The log line does not contain the URL, which is a secret."""
    faults = link.office.slack.faults
    faults.add("apps.connections.open", status=500, error="internal_error")
    faults.add("apps.connections.open", body=b"<html>")

    running = await link.start()
    link.stop.set()
    await running

    assert link.office.slack.sockets.opened == 1
    messages = [record.getMessage() for record in caplog.records if record.name == "listeners.slack.socket_mode"]
    assert len(messages) == 2
    assert "ticket" not in caplog.text


async def test_invalid_messages_are_ignored(connected):
    """They are ignored or acknowledged so that they are not repeated. The connection stays open."""
    sockets = connected.office.slack.sockets
    for text in ("", "[]", "{", '{"type": 7}', '{"envelope_id": 3}', '{"a":' * 5_000):
        await sockets.connections[0].send_str(text)
    for payload in (None, [], "x", {"type": "event_callback"}, {"type": "block_actions", "actions": []}):
        answer = await sockets.send("events_api", payload, 2)
        assert answer is not None

    assert await connected.office.slack.open_home(connected.office.dana.id) == 200
    assert sockets.opened == 1


@pytest.mark.parametrize("problem", ["unknown", "bot", "scopeless", "off"])
async def test_a_refused_token_is_reported_at_the_start(link, problem):
    """The error names the setting and says what to do."""
    slack = link.office.slack
    token = {
        "unknown": "xapp-1-nobody",
        "bot": next(iter(slack.world.tokens)),
        "scopeless": slack.sockets.issue_token(()),
        "off": slack.sockets.issue_token(),
    }[problem]
    slack.app.socket_mode_enabled = problem != "off"
    mode = SocketMode(link.office.bolt, SlackSocket(link.office.api.client, token), link.mode.http)

    with pytest.raises(PermanentError, match="SLACK_APP_TOKEN") as refused:
        await mode.check()

    assert token not in str(refused.value)
    assert token not in repr(mode)


async def test_each_documented_code_means_at_the_start_what_the_table_says(link):
    """Only what a person has to change keeps the app from starting."""
    passing = {Meaning.RETRY, Meaning.IN_DOUBT, Meaning.WAIT, Meaning.MOVING}
    for code in FACTS["apps.connections.open"].every_error:
        link.office.slack.faults.add("apps.connections.open", code)
        if known_error("apps.connections.open", code).meaning in passing:
            await link.mode.check()
        else:
            with pytest.raises(PermanentError, match=f"SLACK_APP_TOKEN .{code}."):
                await link.mode.check()


@pytest.mark.parametrize("fault", [{"status": 503}, {"error": "a_code_of_next_year", "undocumented": True}])
async def test_an_unreachable_slack_does_not_keep_the_app_from_starting(link, fault):
    """Intake works without Slack. A code that Slack adds says nothing about the token."""
    link.office.slack.faults.add("apps.connections.open", **fault)

    await link.mode.check()

    assert link.office.slack.sockets.opened == 0


async def test_the_url_from_the_check_is_used(link):
    """Slack is not asked for another one."""
    await link.mode.check()
    running = await link.start()
    link.stop.set()
    await running

    assert [call.method for call in link.office.slack.calls].count("apps.connections.open") == 1


async def test_stopping_answers_pending_requests_and_accepts_no_more(link):
    """The connection is closed only afterwards, and in time."""
    office, sockets = link.office, link.office.slack.sockets
    began, go_on = asyncio.Event(), asyncio.Event()

    async def hesitate(next_: Callable[[], Awaitable[BoltResponse]]) -> BoltResponse:
        began.set()
        await go_on.wait()
        return await next_()

    office.bolt.middleware(hesitate)
    running = await link.start()
    heard = asyncio.create_task(office.slack.command(office.dana.id, "/usergems-status", wait=False))
    await began.wait()

    link.stop.set()
    office.slack.app_client.timeout = 0.2  # nobody will answer
    late = asyncio.create_task(office.slack.command(office.dana.id, "/usergems-status", wait=False))
    go_on.set()
    async with asyncio.timeout(GENEROUS_TIMEOUT):
        await running
        assert (await heard).reply.status == 200
    assert sockets.connections == []
    assert (await late).reply.status == 0


async def test_an_unencrypted_websocket_url_is_refused(link, caplog):
    """Plain ws could be intercepted, except on this machine."""
    link.office.slack.faults.add("apps.connections.open", body=b'{"ok": true, "url": "ws://slack.example/x"}')

    with caplog.at_level(logging.WARNING):
        await link.mode.check()

    assert "gave no Socket Mode address" in caplog.text
