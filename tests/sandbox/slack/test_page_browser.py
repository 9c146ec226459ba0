"""The page in Chromium: reading messages, using buttons and pickers, filling in modals, typing commands."""

import json
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, expect
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack import SlackSandbox
from sandbox.slack.page import page
from sandbox.slack.state import Team, User
from tests.conftest import BROWSER_TEST

pytestmark = BROWSER_TEST

PHONE: ViewportSize = {"width": 390, "height": 844}


def plain(text: str) -> dict[str, object]:
    return {"type": "plain_text", "text": text}


def button(action_id: str, label: str, **more: object) -> dict[str, object]:
    return {"type": "button", "action_id": action_id, "text": plain(label), **more}


def options(*names: str) -> list[dict[str, object]]:
    return [{"text": plain(name), "value": name.lower()} for name in names]


def field_block(block_id: str, label: str, element: dict[str, object], **more: object) -> dict[str, object]:
    return {"type": "input", "block_id": block_id, "label": plain(label), "element": element, **more}


def modal(*blocks: dict[str, object], title: str = "Ownership", **more: object) -> dict[str, object]:
    return {"type": "modal", "title": plain(title), "submit": plain("Save"), "blocks": list(blocks), **more}


def home(*blocks: dict[str, object]) -> dict[str, object]:
    return {"type": "home", "blocks": list(blocks)}


@dataclass
class SmallApp:
    """An app that records payloads. `modals` are opened by action_id, `answers` are responses to submissions."""

    bot: AsyncWebClient | None = None
    payloads: list[Any] = field(default_factory=list)
    modals: dict[str, Any] = field(default_factory=dict)
    answers: list[dict[str, object]] = field(default_factory=list)

    async def receive(self, request: web.Request) -> web.Response:
        if request.content_type == "application/json":
            return web.Response()
        form = parse_qs(await request.text())
        if "command" in form:
            return web.json_response({"text": f"*No problems*, <@{form['user_id'][0]}>."})
        payload = json.loads(form["payload"][0])
        self.payloads.append(payload)
        assert self.bot
        if payload["type"] == "view_submission":
            return web.json_response(self.answers.pop(0)) if self.answers else web.Response()
        for action in payload.get("actions", []):
            if action["action_id"] in self.modals:
                await self.bot.views_open(trigger_id=payload["trigger_id"], view=self.modals[action["action_id"]])
        return web.Response()


@dataclass
class Site:
    """The page of Acme in a browser, and the app behind it."""

    slack: SlackSandbox
    team: Team
    dana: User
    sam: User
    app: SmallApp
    bot: AsyncWebClient
    url: str
    browser: BrowserContext

    async def open_as(self, user: User, query: str = "", viewport: ViewportSize | None = None) -> Page:
        """A window in which `user` is signed in. Script errors fail the test."""
        window = await self.browser.new_page()
        if viewport:
            await window.set_viewport_size(viewport)
        window.set_default_timeout(5_000)
        window.on("pageerror", _fail)
        window.on("dialog", _fail)
        await window.goto(f"{self.url}/?user={user.id}{query}")
        return window

    async def payloads(self, window: Page, count: int = 1) -> list[Any]:
        """The payloads the app has received, once there are `count`."""
        for _ in range(50):
            if len(self.app.payloads) >= count:
                break
            await window.wait_for_timeout(50)
        return self.app.payloads


def _fail(event: object) -> None:
    raise AssertionError(event)


@pytest_asyncio.fixture(loop_scope="session")
async def site(browser: Browser) -> AsyncIterator[Site]:
    slack, app = SlackSandbox(rate_limits=False), SmallApp()
    team = slack.add_team("Acme")
    dana = slack.add_user(team, "Dana Reyes", "dana@acme.example", is_admin=True)
    sam = slack.add_user(team, "Sam Okafor", "sam@acme.example", tz="Asia/Tokyo")
    token = slack.install(team.id, dana.id)
    slack.app.commands = {"/usergems-status"}
    server_app = web.Application()
    server_app.router.add_post("/slack/events", app.receive)
    async with TestServer(server_app) as server, slack.serving(0, page.routes(slack)) as url:
        slack.app_url, slack.world.permalink_base = str(server.make_url("")).rstrip("/"), url
        app.bot = AsyncWebClient(token, f"{url}/api/")
        context = await browser.new_context(locale="en-US")
        yield Site(slack, team, dana, sam, app, app.bot, url, context)
        await context.close()


async def test_a_new_message_appears_in_the_open_conversation(site: Site) -> None:
    """A person signs in, opens the conversation with an unread message, and sees the next one appear.

    Times are in the time zone of the signed-in person, as in Slack.
    """
    await site.bot.chat_postMessage(channel=site.sam.id, text="*Ada Smith* joined Globex.")
    window = await site.browser.new_page()
    await window.goto(site.url)
    await expect(window.locator(".person", has_text="Sam Okafor").locator(".badge")).to_have_text("1")
    await window.get_by_role("button", name="Sam Okafor").click()
    await expect(window.locator("article strong")).to_have_text("Ada Smith")

    await site.bot.chat_postMessage(
        channel=site.sam.id, text="Grace Park left Initech on <!date^1795000000^{date_short} at {time}|a day>."
    )

    await expect(window.locator("article")).to_have_count(2)
    await expect(window.locator("article").last).to_contain_text("Grace Park left Initech on Nov 18, 2026 at 8:06")


async def test_markup_in_names_is_shown_as_text(site: Site) -> None:
    """It never runs as a script, in messages, the sidebar, pickers and Home."""
    evil = '<script>alert(1)</script><img src=x onerror="alert(2)">'
    site.slack.add_user(site.team, evil)
    channel = site.slack.add_channel(site.team, evil)
    escaped = evil.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    section = {"type": "section", "text": {"type": "mrkdwn", "text": f"{escaped} <javascript:alert(3)|click>"}}
    link = button("link", evil[:70], url="https://example.com/x")
    picker = {"type": "users_select", "action_id": "who", "placeholder": plain(evil)}
    blocks = [section, {"type": "header", "text": plain(evil)}, {"type": "actions", "elements": [link, picker]}]
    await site.bot.chat_postMessage(channel=channel.id, text=evil, blocks=blocks)
    await site.bot.views_publish(user_id=site.sam.id, view=home(section, *blocks[1:]))

    for place, shown in ((f"&channel={channel.id}", "article"), ("&tab=home", ".home")):
        window = await site.open_as(site.sam, place)
        await expect(window.locator(f"{shown} .section")).to_have_text(f"{evil} click")
        assert await window.locator("script:not([src]), #page img, a[href^=javascript]").count() == 0
        await expect(window.locator("#side")).to_contain_text(evil)


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("*bold* _it_ ~no~ `a*b*`", "<strong>bold</strong> <em>it</em> <s>no</s> <code>a*b*</code>"),
        ("E*TRADE* 2 * 3 * 4 snake_case_name", "E*TRADE* 2 * 3 * 4 snake_case_name"),
        ("a &lt;b&gt; &amp;amp; &quot;", "a &lt;b&gt; &amp;amp; &amp;quot;"),
        ("one\n&gt; two\nthree", "one<blockquote>two</blockquote>three"),
        ("<!here> <@{sam}> <#C404|gone>", "@here @Sam Okafor #gone"),
        (":tada: :no_such_thing:", "🎉 :no_such_thing:"),
        ("<javascript:alert(1)|x>", "<span>x</span>"),
    ],
)
async def test_mrkdwn_is_formatted_as_in_slack(site: Site, text: str, html: str) -> None:
    """This covers formatting, escapes, quotes, mentions, emoji and unsafe links."""
    mrkdwn = text.replace("{sam}", site.sam.id)
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": mrkdwn}}]
    posted = await site.bot.chat_postMessage(channel=site.sam.id, text="Ada", blocks=blocks)
    window = await site.open_as(site.sam, f"&channel={posted['channel']}")

    shown = await window.locator("article .section-text > div").inner_html()

    assert re.sub(r'<span (?:class="mention"|role="img")[^>]*>([^<]*)</span>', r"\1", shown) == html


async def test_rich_text_tables_and_images_are_shown(site: Site) -> None:
    """Other apps use them too."""
    words = [{"type": "text", "text": "Ada", "style": {"bold": True}}, {"type": "user", "user_id": site.sam.id}]
    section = {"type": "rich_text_section", "elements": words}
    blocks = [
        {
            "type": "rich_text",
            "elements": [section, {"type": "rich_text_list", "style": "bullet", "elements": [section]}],
        },
        {"type": "table", "rows": [[{"type": "raw_text", "text": "Globex"}, {"type": "raw_text", "text": "CRO"}]]},
        {"type": "image", "image_url": f"{site.url}/static/none.png", "alt_text": "A chart"},
        {
            "type": "context",
            "elements": [{"type": "mrkdwn", "text": "small"}, {"type": "plain_text", "text": "*print*"}],
        },
    ]
    posted = await site.bot.chat_postMessage(channel=site.sam.id, text="Ada", blocks=blocks)
    window = await site.open_as(site.sam, f"&channel={posted['channel']}")

    await expect(window.locator("article li strong")).to_have_text("Ada")
    await expect(window.locator("article li .mention")).to_have_text("@Sam Okafor")
    await expect(window.locator("article td")).to_have_text(["Globex", "CRO"])
    await expect(window.get_by_role("img", name="A chart")).to_have_count(1)
    await expect(window.locator("article .context span")).to_have_text(["small", "*print*"])


async def test_a_button_sends_its_value_and_message(site: Site) -> None:
    """Here it is used with the keyboard."""
    blocks = [{"type": "actions", "elements": [button("done", "Done", value="7"), button("done2", "Not mine")]}]
    posted = await site.bot.chat_postMessage(channel=site.sam.id, text="Ada", blocks=blocks)
    window = await site.open_as(site.sam, f"&channel={posted['channel']}")

    await window.get_by_role("button", name="Done").focus()
    await window.keyboard.press("Enter")

    [payload] = await site.payloads(window)
    assert (payload["actions"][0]["action_id"], payload["actions"][0]["value"]) == ("done", "7")
    assert payload["container"]["message_ts"] == posted["ts"]
    assert payload["user"]["id"] == site.sam.id


async def test_a_button_with_a_confirmation_acts_only_if_confirmed(site: Site) -> None:
    """Denying sends nothing to the app."""
    sure = {"title": plain("Sure?"), "text": plain("It stops."), "confirm": plain("Stop"), "deny": plain("Keep")}
    blocks = [{"type": "actions", "elements": [button("stop", "Stop it", confirm=sure)]}]
    posted = await site.bot.chat_postMessage(channel=site.sam.id, text="Ada", blocks=blocks)
    window = await site.open_as(site.sam, f"&channel={posted['channel']}")

    await window.get_by_role("button", name="Stop it").click()
    await window.get_by_role("button", name="Keep").click()
    await window.get_by_role("button", name="Stop it").click()
    await window.get_by_role("button", name="Stop", exact=True).click()

    assert [payload["actions"][0]["action_id"] for payload in await site.payloads(window)] == ["stop"]
    await expect(window.locator("#question")).to_be_hidden()


async def _select(control: Any, value: str) -> None:
    await control.select_option(value)


async def _check(control: Any, label: str) -> None:
    await control.get_by_label(label).check()


async def _fill(control: Any, value: str) -> None:
    await control.fill(value)
    await control.blur()


async def _choose(control: Any, label: str) -> None:
    await control.click()
    await control.locator("xpath=..").get_by_text(label, exact=True).click()


@pytest.mark.parametrize(
    ("kind", "more", "choose", "choice", "expected"),
    [
        ("static_select", {"options": options("Red", "Blue")}, _select, "blue", ("selected_option", "blue")),
        (
            "static_select",
            {"option_groups": [{"label": plain("Colors"), "options": options("Red", "Blue")}]},
            _select,
            "red",
            ("selected_option", "red"),
        ),
        ("users_select", {}, _select, "Sam Okafor", ("selected_user", "{sam}")),
        ("conversations_select", {}, _select, "#general", ("selected_conversation", "{general}")),
        ("channels_select", {}, _select, "#general", ("selected_channel", "{general}")),
        ("radio_buttons", {"options": options("Red", "Blue")}, _check, "Blue", ("selected_option", "blue")),
        ("checkboxes", {"options": options("Red", "Blue")}, _check, "Red", ("selected_options", ["red"])),
        ("multi_static_select", {"options": options("Red", "Blue")}, _choose, "Blue", ("selected_options", ["blue"])),
        ("datepicker", {}, _fill, "2026-11-01", ("selected_date", "2026-11-01")),
        ("timepicker", {}, _fill, "09:30", ("selected_time", "09:30")),
        ("overflow", {"options": options("Pause", "Help")}, _choose, "Help", ("selected_option", "help")),
    ],
)
async def test_every_picker_sends_the_chosen_value(
    site: Site, kind: str, more: dict[str, object], choose: Callable[..., Any], choice: str, expected: tuple[str, Any]
) -> None:
    """In Home, as in messages, it is sent immediately."""
    general = site.slack.add_channel(site.team, "general")
    picker = {"type": kind, "action_id": "pick", **more}
    view = home({"type": "actions", "block_id": "b", "elements": [picker]})
    await site.bot.views_publish(user_id=site.sam.id, view=view)
    window = await site.open_as(site.sam)

    group = kind in ("radio_buttons", "checkboxes")
    await choose(window.locator(".home .choices" if group else '[data-key="b/pick"]'), choice)

    [payload] = await site.payloads(window)
    value = payload["actions"][0][expected[0]]
    value = [item["value"] for item in value] if isinstance(value, list) else value
    value = value["value"] if isinstance(value, dict) else value
    names = {"{sam}": site.sam.id, "{general}": general.id}
    assert value == (names.get(expected[1], expected[1]) if isinstance(expected[1], str) else expected[1])


async def test_a_channel_picker_lists_the_channels_a_person_can_see(site: Site) -> None:
    """These are public channels and the person's private ones, without archived channels."""
    site.slack.add_channel(site.team, "general")
    site.slack.add_channel(site.team, "old", is_archived=True)
    site.slack.add_channel(site.team, "ops", is_private=True, members=[site.dana.id])
    picker = {
        "type": "conversations_select",
        "action_id": "default_channel",
        "filter": {"include": ["public", "private"]},
    }
    view = home({"type": "section", "text": plain("Default channel"), "accessory": picker})

    for user, offered in ((site.dana, ["#general", "🔒 ops"]), (site.sam, ["#general"])):
        await site.bot.views_publish(user_id=user.id, view=view)
        window = await site.open_as(user)
        await expect(window.locator(".home option:not([value=''])")).to_have_text(offered)


async def test_a_modal_is_filled_in_corrected_and_saved(site: Site) -> None:
    """Errors appear at their fields, entered values stay, and the modal closes when the app accepts it."""
    site.app.modals["edit"] = modal(
        field_block("field", "Field", {"type": "plain_text_input", "action_id": "name"}),
        field_block("rule", "Rule", {"type": "static_select", "action_id": "r", "options": options("First", "Last")}),
        field_block("who", "Someone", {"type": "users_select", "action_id": "u"}, optional=True),
    )
    site.app.answers = [{"response_action": "errors", "errors": {"field": "Unknown field."}}]
    view = home({"type": "actions", "elements": [button("edit", "Edit")]})
    await site.bot.views_publish(user_id=site.dana.id, view=view)
    window = await site.open_as(site.dana)
    await window.get_by_role("button", name="Edit").click()
    dialog = window.get_by_role("dialog", name="Ownership")
    save = dialog.get_by_role("button", name="Save")

    await dialog.get_by_label("Field").fill("Nope__c")
    await save.click()
    await expect(dialog.locator(".error")).to_have_text("Please complete this required field.")
    await dialog.get_by_label("Rule").select_option("Last")
    await save.click()
    await expect(dialog.locator(".error")).to_have_text("Unknown field.")
    await expect(dialog.get_by_label("Field")).to_have_value("Nope__c")
    await expect(dialog.get_by_label("Field")).to_be_focused()
    await dialog.get_by_label("Field").fill("CSM__c")
    await save.click()
    await expect(dialog).to_be_hidden()

    values = (await site.payloads(window, 3))[-1]["view"]["state"]["values"]
    assert values["field"]["name"]["value"] == "CSM__c"
    assert values["rule"]["r"]["selected_option"]["value"] == "last"
    assert values["who"]["u"]["selected_user"] is None


async def test_a_pushed_modal_has_a_back_button_and_escape_closes_a_modal(site: Site) -> None:
    """The app gets `view_closed` for the view with `notify_on_close`."""
    entry = field_block("field", "Field", {"type": "plain_text_input", "action_id": "name"}, optional=True)
    site.app.modals["edit"] = modal(entry, title="First")
    site.app.answers = [{"response_action": "push", "view": modal(entry, title="Second", notify_on_close=True)}]
    view = home({"type": "actions", "elements": [button("edit", "Edit")]})
    await site.bot.views_publish(user_id=site.dana.id, view=view)
    window = await site.open_as(site.dana)
    await window.get_by_role("button", name="Edit").click()
    await window.get_by_role("button", name="Save").click()
    await expect(window.locator("#modal h2")).to_have_text("Second")

    await window.get_by_role("button", name="Back").click()
    await expect(window.locator("#modal h2")).to_have_text("First")
    await window.keyboard.press("Escape")
    await expect(window.locator("#modal")).to_be_hidden()

    kinds = [payload["type"] for payload in await site.payloads(window, 3)]
    assert kinds == ["block_actions", "view_submission", "view_closed"]


async def test_entered_text_survives_an_update_of_the_modal(site: Site) -> None:
    """The app updates a modal while a person is typing in it."""
    entry = field_block("field", "Field", {"type": "plain_text_input", "action_id": "name"})
    site.app.modals["edit"] = modal(entry, title="Before")
    view = home({"type": "actions", "elements": [button("edit", "Edit")]})
    await site.bot.views_publish(user_id=site.dana.id, view=view)
    window = await site.open_as(site.dana)
    await window.get_by_role("button", name="Edit").click()
    await window.get_by_label("Field").fill("CSM__c")

    await site.bot.views_update(view_id=site.slack.modal(site.dana.id).id, view=modal(entry, title="After"))

    await expect(window.locator("#modal h2")).to_have_text("After")
    await expect(window.get_by_label("Field")).to_have_value("CSM__c")
    await expect(window.get_by_label("Field")).to_be_focused()


async def test_the_response_to_a_command_is_shown_to_the_person_who_typed_it(site: Site) -> None:
    """It is marked as visible to them only, and others do not see it."""
    general = site.slack.add_channel(site.team, "general")
    window = await site.open_as(site.sam, f"&channel={general.id}")

    await window.get_by_label("Command").fill("/usergems-status")
    await window.keyboard.press("Enter")

    await expect(window.locator("article.only-you")).to_contain_text("Only visible to you")
    await expect(window.locator("article.only-you")).to_contain_text("No problems, @Sam Okafor.")
    other = await site.open_as(site.dana, f"&channel={general.id}")
    await expect(other.locator(".empty")).to_have_text("No messages yet.")


async def test_a_permalink_shows_its_message(site: Site) -> None:
    """The page is signed in as the recipient, scrolled to the message, and highlights it."""
    posted = [await site.bot.chat_postMessage(channel=site.sam.id, text=f"Ada {n}\n" * 8) for n in range(9)]
    link = await site.bot.chat_getPermalink(channel=posted[2]["channel"], message_ts=posted[2]["ts"])
    window = await site.browser.new_page()

    await window.goto(link["permalink"])

    await expect(window.locator("article.linked")).to_contain_text("Ada 2")
    await expect(window.locator("article.linked")).to_be_in_viewport()


async def test_everything_fits_on_a_phone(site: Site) -> None:
    """Nothing is wider than 390 pixels, and the sidebar opens with a button."""
    long = "Globex" * 30
    select = {"type": "static_select", "action_id": "pick", "options": options("A" * 70)}
    entry = field_block("field", "Field", {"type": "plain_text_input", "action_id": "name"})
    buttons = {"type": "actions", "elements": [button(f"b{n}", "A long label " * 2) for n in range(4)]}
    blocks = [{"type": "section", "text": plain(long), "accessory": select}, buttons]
    site.app.modals["b0"] = modal(*blocks, entry)
    posted = await site.bot.chat_postMessage(channel=site.sam.id, text=long, blocks=blocks)
    await site.bot.views_publish(user_id=site.sam.id, view=home(*blocks))

    for place in (f"&channel={posted['channel']}", "&tab=home"):
        window = await site.open_as(site.sam, place, PHONE)
        await window.locator(".block.actions").wait_for()
        assert await window.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert await window.evaluate("(e => e.scrollWidth <= e.clientWidth)(document.getElementById('content'))")
        await expect(window.locator("#side")).to_be_hidden()
        await window.get_by_role("button", name="Show sidebar").click()
        await expect(window.locator("#side")).to_be_visible()
        await window.locator("#shade").click(position={"x": 380, "y": 400})
        await window.locator("#content .button").first.click()
        await window.locator(".modal-body").wait_for()
        assert await window.evaluate("(e => e.scrollWidth <= e.clientWidth)(document.querySelector('.modal-body'))")
        await window.keyboard.press("Escape")
        await window.locator(".modal-body").wait_for(state="hidden")
