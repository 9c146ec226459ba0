"""The sandbox's page: what it tells a browser, and what it lets a person do."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack import SlackSandbox
from sandbox.slack.block_kit.elements import in_actions, in_input, in_section
from sandbox.slack.page import page
from sandbox.slack.state import Team, User

ROOT = Path(__file__).parents[3]
HOME = {"type": "home", "blocks": [{"type": "divider"}]}


@dataclass
class Desk:
    """Acme, with Dana, who installed the app, and Sam, as their browsers see it."""

    slack: SlackSandbox
    team: Team
    dana: User
    sam: User
    bot: AsyncWebClient
    http: aiohttp.ClientSession
    url: str

    async def sees(self, user: User, channel: str = "") -> Any:
        async with self.http.get(f"{self.url}/page/state", params={"user": user.id, "channel": channel}) as answer:
            return await answer.json()

    async def does(self, deed: str, user: User, **details: object) -> Any:
        async with self.http.post(f"{self.url}/page/{deed}", json={"user": user.id, **details}) as answer:
            assert answer.status == 200
            return await answer.json()


@pytest.fixture
async def desk(clock: Any) -> AsyncIterator[Desk]:
    slack = SlackSandbox(now=lambda: clock() / 1000, rate_limits=False)
    team = slack.add_team("Acme")
    dana = slack.add_user(team, "Dana Reyes", "dana@acme.example", is_admin=True)
    sam = slack.add_user(team, "Sam Okafor", "sam@acme.example")
    token = slack.install(team.id, dana.id)
    async with slack.serving(0, page.routes(slack)) as url, aiohttp.ClientSession() as http:
        yield Desk(slack, team, dana, sam, AsyncWebClient(token, f"{url}/api/", session=http), http, url)


async def test_everybody_can_be_chosen_and_those_with_unread_messages_come_first(desk: Desk) -> None:
    """The first page says where to look."""
    await desk.bot.chat_postMessage(channel=desk.sam.id, text="Ada Smith joined Globex.")

    async with desk.http.get(f"{desk.url}/page/people") as answer:
        people = (await answer.json())["people"]

    assert [(person["name"], person["role"], person["unread"]) for person in people] == [
        ("Sam Okafor", "", 1),
        ("Dana Reyes", "admin", 0),
    ]


async def test_an_open_conversation_is_read(desk: Desk) -> None:
    """Unread counts go once the messages were shown."""
    posted = await desk.bot.chat_postMessage(channel=desk.sam.id, text="Ada Smith joined Globex.")
    assert [place["unread"] for place in (await desk.sees(desk.sam))["channels"]] == [1]

    shown = await desk.sees(desk.sam, posted["channel"])

    assert [message["text"] for message in shown["messages"]] == ["Ada Smith joined Globex."]
    assert [place["unread"] for place in shown["channels"]] == [0]


async def test_nobody_sees_what_slack_would_not_show_them(desk: Desk) -> None:
    """Private channels of others, direct messages of others, answers to others."""
    public = desk.slack.add_channel(desk.team, "general")
    private = desk.slack.add_channel(desk.team, "ops", is_private=True, members=[desk.dana.id])
    posted = await desk.bot.chat_postMessage(channel=desk.dana.id, text="For Dana.")

    assert [place["name"] for place in (await desk.sees(desk.sam))["channels"]] == ["general"]
    assert [place["name"] for place in (await desk.sees(desk.dana))["channels"]] == ["general", "ops", "directmessage"]
    for channel in (private.id, posted["channel"]):
        assert (await desk.sees(desk.sam, channel))["open"] is None
    await desk.bot.chat_postEphemeral(channel=public.id, user=desk.dana.id, text="Only Dana.")
    assert (await desk.sees(desk.sam, public.id))["messages"] == []
    assert [message["only_you"] for message in (await desk.sees(desk.dana, public.id))["messages"]] == [True]


async def test_nothing_is_sent_when_nothing_changed(desk: Desk) -> None:
    """The page asks often; an unchanged answer is empty."""
    shown = await desk.sees(desk.sam)
    params = {"user": desk.sam.id, "version": shown["version"]}
    async with desk.http.get(f"{desk.url}/page/state", params=params) as answer:
        assert answer.status == 204
    await desk.bot.chat_postMessage(channel=desk.sam.id, text="Ada Smith joined Globex.")
    async with desk.http.get(f"{desk.url}/page/state", params=params) as answer:
        assert answer.status == 200


async def test_home_is_shown_as_it_was_published(desk: Desk) -> None:
    """To the person it was published for."""
    await desk.bot.views_publish(user_id=desk.sam.id, view=HOME)

    assert (await desk.sees(desk.sam))["home"]["blocks"][0]["type"] == "divider"
    assert (await desk.sees(desk.dana))["home"] is None


async def test_a_permalink_leads_to_its_message(desk: Desk) -> None:
    """As the person who can read it, where that is one person."""
    desk.slack.world.permalink_base = desk.url
    posted = await desk.bot.chat_postMessage(channel=desk.sam.id, text="Ada Smith joined Globex.")
    link = await desk.bot.chat_getPermalink(channel=posted["channel"], message_ts=posted["ts"])

    async with desk.http.get(link["permalink"], allow_redirects=False) as answer:
        assert answer.status == 302
        assert answer.headers["Location"] == f"/?channel={posted['channel']}&ts={posted['ts']}&user={desk.sam.id}"
    async with desk.http.get(f"{desk.url}/archives/C404/p1700000000000100") as answer:
        assert answer.status == 404


async def test_what_cannot_be_done_is_told(desk: Desk) -> None:
    """Nothing here to press; the app is not running."""
    absent = await desk.does("act-in-home", desk.sam, action_id="save")
    assert "has no Home yet" in absent["problem"]

    desk.slack.app_url = "http://127.0.0.1:9"  # the discard port, where nobody listens
    desk.slack.app.commands = {"/usergems-status"}
    told = await desk.does("command", desk.sam, text="/usergems-status")
    assert told["problem"] == "The app is not running, or cannot be reached."


async def test_an_unknown_command_is_told_in_words(desk: Desk) -> None:
    """With the one there is: what a person reads is no list of a program's."""
    desk.slack.app.commands = {"/usergems-status"}

    told = await desk.does("command", desk.sam, text="/usergems")

    assert told == {"problem": "/usergems is not a valid command: there is /usergems-status"}


def test_the_page_draws_whatever_the_app_shows() -> None:
    """A person can see and use every block and element of ours; what Slack knows besides need not be there."""
    sources = [path.read_text() for layer in ("listeners", "services") for path in (ROOT / layer).rglob("*.py")]
    ours = {name for source in sources for name in re.findall(r'"type": "([a-z_]+)"', source)}
    scripts = "".join((page.STATIC / name).read_text() for name in ("blocks.js", "fields.js"))
    drawn = set(re.findall(r"(?m)^  ([a-z_]+):", scripts)) | set(re.findall(r'type === "([a-z_]+)"', scripts))
    known = {*in_section.shapes, *in_actions.shapes, *in_input.shapes, "rich_text", "rich_text_preformatted"}

    assert {"button", "overflow", "conversations_select", "rich_text_preformatted"} <= ours & known
    assert (ours & known) - drawn == set()


async def test_a_page_of_another_origin_cannot_act(desk: Desk) -> None:
    """A form can send no JSON unasked."""
    async with desk.http.post(f"{desk.url}/page/open-home", data={"user": desk.sam.id}) as answer:
        assert answer.status == 404
    async with desk.http.post(f"{desk.url}/page/no-such-deed", json={"user": desk.sam.id}) as answer:
        assert answer.status == 404


async def test_the_page_runs_its_own_scripts_only(desk: Desk) -> None:
    """Whatever stands in a name is not code."""
    async with desk.http.get(desk.url) as answer:
        policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_routes_stand_beside_those_of_the_sandbox() -> None:
    """Nothing of the Web API is in the way."""
    slack = SlackSandbox()
    app: web.Application = slack.web_app(page.routes(slack))
    paths = [resource.canonical for resource in app.router.resources()]
    assert {"/", "/static", "/page/state", "/api/{method}"} <= set(paths)
