"""Slack's requests by WebSocket: the same is heard as by HTTP, and nothing is lost when connections end."""

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
from services.slack.socket import SlackSocket
from tests.listeners.conftest import Office
from tests.servers import GENEROUS_TIMEOUT

SHORT = aiohttp.ClientTimeout(total=0.5)


@dataclass
class Link:
    """An app that hears Slack by WebSocket alone; *stop* ends it."""

    office: Office
    mode: SocketMode
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> asyncio.Task[None]:
        running = asyncio.create_task(self.mode.run(self.stop))
        await self.office.slack.sockets.wait_for_connection()
        return running


@pytest.fixture
async def link(office) -> AsyncIterator[Link]:
    slack = office.slack
    slack.app.socket_mode_enabled, slack.app_url = True, None
    slack.app_client.retry_delays = (0.01, 0.01, 0.01)
    async with aiohttp.ClientSession(timeout=SHORT) as http:
        socket = SlackSocket(office.api.client, slack.sockets.issue_token())
        yield Link(office, SocketMode(office.bolt, socket, http, pause=lambda _failures: 0.01))


@pytest.fixture
async def connected(link) -> AsyncIterator[Link]:
    running = await link.start()
    yield link
    link.stop.set()
    await running


async def test_home_a_button_and_the_slash_command_come_by_socket(connected):
    """As they do by HTTP, answers and all."""
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


async def test_a_connection_outlives_the_time_limit_of_calls(connected):
    """The session's limit is for an answer, not for a conversation."""
    await asyncio.sleep(SHORT.total + 0.2)

    assert await connected.office.slack.open_home(connected.office.dana.id) == 200
    assert connected.office.slack.sockets.opened == 1


async def test_what_comes_while_the_connection_is_cut_is_heard_afterwards(connected):
    """Slack repeats what nobody acknowledged."""
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


async def test_an_event_whose_acknowledgement_was_lost_is_acted_on_once(connected):
    """Its repeat carries the same event_id, whatever else it says."""
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


async def test_a_connection_that_is_to_end_is_replaced_before_it_does(connected):
    """There is one at every moment; what is on its way over the old one is still answered."""
    office = connected.office
    late = asyncio.create_task(office.slack.open_home(office.dana.id))

    await office.slack.sockets.refresh_connections()

    assert await late == 200
    assert await office.slack.open_home(office.dana.id) == 200
    assert office.slack.sockets.opened == 2
    assert len(office.slack.sockets.connections) == 1


async def test_a_slack_that_is_away_is_asked_again(link, caplog):
    """Whatever it answered; the log tells it without the address, which lets in whoever knows it."""
    faults = link.office.slack.faults
    faults.add("apps.connections.open", status=500, error="internal_error")
    faults.add("apps.connections.open", body=b"<html>")

    running = await link.start()
    link.stop.set()
    await running

    assert link.office.slack.sockets.opened == 1
    told = [record.getMessage() for record in caplog.records if record.name == "listeners.slack.socket_mode"]
    assert len(told) == 2
    assert "ticket" not in caplog.text


async def test_garbage_over_the_socket_is_passed_over(connected):
    """It is no request, or is acknowledged, so that it is not repeated; the connection stays."""
    sockets = connected.office.slack.sockets
    for text in ("", "[]", "{", '{"type": 7}', '{"envelope_id": 3}', '{"a":' * 5_000):
        await sockets.connections[0].send_str(text)
    for payload in (None, [], "x", {"type": "event_callback"}, {"type": "block_actions", "actions": []}):
        answer = await sockets.send("events_api", payload, 2)
        assert answer is not None

    assert await connected.office.slack.open_home(connected.office.dana.id) == 200
    assert sockets.opened == 1


@pytest.mark.parametrize("problem", ["unknown", "bot", "scopeless", "off"])
async def test_a_token_that_slack_refuses_is_told_at_once(link, problem):
    """By the name of its setting, and with what to do."""
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


async def test_a_slack_that_is_away_does_not_keep_the_app_from_starting(link):
    """The intake works without it."""
    link.office.slack.faults.add("apps.connections.open", status=503, error="service_unavailable")

    await link.mode.check()

    assert link.office.slack.sockets.opened == 0


async def test_the_address_that_was_checked_is_used(link):
    """Slack is not asked for one more."""
    await link.mode.check()
    running = await link.start()
    link.stop.set()
    await running

    assert [call.method for call in link.office.slack.calls].count("apps.connections.open") == 1


async def test_stopping_answers_what_was_heard_and_hears_no_more(link):
    """The connection is closed only then, and in time."""
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


async def test_an_address_that_is_not_slacks_way_is_refused(link, caplog):
    """Over plain ws anybody could listen, except on this machine."""
    link.office.slack.faults.add("apps.connections.open", body=b'{"ok": true, "url": "ws://slack.example/x"}')

    with caplog.at_level(logging.WARNING):
        await link.mode.check()

    assert "no address" in caplog.text
