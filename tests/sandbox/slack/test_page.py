"""The routes of the page: the state for a person, and actions."""

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
class Site:
    """The served page of Acme, with Dana, who installed the app, and Sam."""

    slack: SlackSandbox
    team: Team
    dana: User
    sam: User
    bot: AsyncWebClient
    http: aiohttp.ClientSession
    url: str

    async def state_for(self, user: User, channel: str = "") -> Any:
        async with self.http.get(f"{self.url}/page/state", params={"user": user.id, "channel": channel}) as answer:
            return await answer.json()

    async def act(self, action: str, user: User, **details: object) -> Any:
        async with self.http.post(f"{self.url}/page/{action}", json={"user": user.id, **details}) as answer:
            assert answer.status == 200
            return await answer.json()


@pytest.fixture
async def site(clock: Any) -> AsyncIterator[Site]:
    slack = SlackSandbox(now=lambda: clock() / 1000, rate_limits=False)
    team = slack.add_team("Acme")
    dana = slack.add_user(team, "Dana Reyes", "dana@acme.example", is_admin=True)
    sam = slack.add_user(team, "Sam Okafor", "sam@acme.example")
    token = slack.install(team.id, dana.id)
    async with slack.serving(0, page.routes(slack)) as url, aiohttp.ClientSession() as http:
        yield Site(slack, team, dana, sam, AsyncWebClient(token, f"{url}/api/", session=http), http, url)


async def test_people_with_unread_messages_are_listed_first(site: Site) -> None:
    """The first page lists everyone to sign in as."""
    await site.bot.chat_postMessage(channel=site.sam.id, text="Ada Smith joined Globex.")

    async with site.http.get(f"{site.url}/page/people") as answer:
        people = (await answer.json())["people"]

    assert [(person["name"], person["role"], person["unread"]) for person in people] == [
        ("Sam Okafor", "", 1),
        ("Dana Reyes", "admin", 0),
    ]


async def test_opening_a_conversation_marks_it_as_read(site: Site) -> None:
    """Unread counts are 0 after the messages were state."""
    posted = await site.bot.chat_postMessage(channel=site.sam.id, text="Ada Smith joined Globex.")
    assert [channel["unread"] for channel in (await site.state_for(site.sam))["channels"]] == [1]

    state = await site.state_for(site.sam, posted["channel"])

    assert [message["text"] for message in state["messages"]] == ["Ada Smith joined Globex."]
    assert [channel["unread"] for channel in state["channels"]] == [0]


async def test_people_see_only_what_slack_would_show_them(site: Site) -> None:
    """Private channels, direct messages and ephemeral messages of others are hidden."""
    public = site.slack.add_channel(site.team, "general")
    private = site.slack.add_channel(site.team, "ops", is_private=True, members=[site.dana.id])
    posted = await site.bot.chat_postMessage(channel=site.dana.id, text="For Dana.")

    assert [channel["name"] for channel in (await site.state_for(site.sam))["channels"]] == ["general"]
    assert [channel["name"] for channel in (await site.state_for(site.dana))["channels"]] == [
        "general",
        "ops",
        "directmessage",
    ]
    for channel in (private.id, posted["channel"]):
        assert (await site.state_for(site.sam, channel))["open"] is None
    await site.bot.chat_postEphemeral(channel=public.id, user=site.dana.id, text="Only Dana.")
    assert (await site.state_for(site.sam, public.id))["messages"] == []
    assert [message["only_you"] for message in (await site.state_for(site.dana, public.id))["messages"]] == [True]


async def test_an_unchanged_state_is_not_sent(site: Site) -> None:
    """The page polls with the version it has, and gets a 204."""
    state = await site.state_for(site.sam)
    params = {"user": site.sam.id, "version": state["version"]}
    async with site.http.get(f"{site.url}/page/state", params=params) as answer:
        assert answer.status == 204
    await site.bot.chat_postMessage(channel=site.sam.id, text="Ada Smith joined Globex.")
    async with site.http.get(f"{site.url}/page/state", params=params) as answer:
        assert answer.status == 200


async def test_home_is_shown_to_the_person_it_was_published_for(site: Site) -> None:
    """Others have their own Home, or none yet."""
    await site.bot.views_publish(user_id=site.sam.id, view=HOME)

    assert (await site.state_for(site.sam))["home"]["blocks"][0]["type"] == "divider"
    assert (await site.state_for(site.dana))["home"] is None


async def test_a_permalink_opens_its_message(site: Site) -> None:
    """Signed in as a person who can read it."""
    site.slack.world.permalink_base = site.url
    posted = await site.bot.chat_postMessage(channel=site.sam.id, text="Ada Smith joined Globex.")
    link = await site.bot.chat_getPermalink(channel=posted["channel"], message_ts=posted["ts"])

    async with site.http.get(link["permalink"], allow_redirects=False) as answer:
        assert answer.status == 302
        assert answer.headers["Location"] == f"/?channel={posted['channel']}&ts={posted['ts']}&user={site.sam.id}"
    async with site.http.get(f"{site.url}/archives/C404/p1700000000000100") as answer:
        assert answer.status == 404


async def test_a_failed_action_has_a_problem(site: Site) -> None:
    """There is no Home yet, or the app is not running."""
    result = await site.act("act-in-home", site.sam, action_id="save")
    assert "has no Home yet" in result["problem"]

    site.slack.app_url = "http://127.0.0.1:9"  # the discard port, on which nothing listens
    site.slack.app.commands = {"/usergems-status"}
    result = await site.act("command", site.sam, text="/usergems-status")
    assert result["problem"] == "The app is not running or cannot be reached."


async def test_an_unknown_command_lists_the_available_ones(site: Site) -> None:
    """In a sentence."""
    site.slack.app.commands = {"/usergems-status"}

    result = await site.act("command", site.sam, text="/usergems")

    assert result == {"problem": "/usergems is not a valid command. Available: /usergems-status."}


def test_the_page_draws_every_block_and_element_of_the_app() -> None:
    """Blocks that the app does not use need not be supported."""
    sources = [path.read_text() for layer in ("listeners", "services") for path in (ROOT / layer).rglob("*.py")]
    used = {name for source in sources for name in re.findall(r'"type": "([a-z_]+)"', source)}
    scripts = "".join((page.STATIC / name).read_text() for name in ("blocks.js", "fields.js"))
    drawn = set(re.findall(r"(?m)^  ([a-z_]+):", scripts)) | set(re.findall(r'type === "([a-z_]+)"', scripts))
    existing = {*in_section.shapes, *in_actions.shapes, *in_input.shapes, "rich_text", "rich_text_preformatted"}

    assert {"button", "overflow", "conversations_select", "rich_text_preformatted"} <= used & existing
    assert (used & existing) - drawn == set()


async def test_other_origins_cannot_act(site: Site) -> None:
    """Actions require JSON, which a form cannot send."""
    async with site.http.post(f"{site.url}/page/open-home", data={"user": site.sam.id}) as answer:
        assert answer.status == 404
    async with site.http.post(f"{site.url}/page/no-such-action", json={"user": site.sam.id}) as answer:
        assert answer.status == 404


async def test_the_page_allows_its_own_scripts_only(site: Site) -> None:
    """Scripts in names or messages do not run."""
    async with site.http.get(site.url) as answer:
        policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_the_page_can_be_served_with_the_sandbox() -> None:
    """Their routes do not conflict."""
    slack = SlackSandbox()
    app: web.Application = slack.web_app(page.routes(slack))
    paths = [resource.canonical for resource in app.router.resources()]
    assert {"/", "/static", "/page/state", "/api/{method}"} <= set(paths)


def test_every_emoji_that_the_app_uses_is_drawn() -> None:
    """Others would be shown by their names."""
    sources = [path.read_text() for folder in ("listeners", "services") for path in (ROOT / folder).rglob("*.py")]
    names = {name for text in sources for name in re.findall(r"[\"{ ]:([a-z][a-z_]+[a-z]):[\" ]", text)}
    drawn = set(re.findall(r'([a-z_0-9]+): "', (ROOT / "sandbox/slack/page/static/emoji.js").read_text()))

    assert "warning" in names
    assert names - drawn == set()
