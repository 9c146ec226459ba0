"""The sandbox in a real browser: a person reads, presses, chooses, fills in and types, and the app hears of it."""

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
from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, async_playwright, expect
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack import SlackSandbox
from sandbox.slack.page import page
from sandbox.slack.page.picture import CHROMIUM, take
from sandbox.slack.state import Team, User

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here"),
    pytest.mark.asyncio(loop_scope="module"),  # one browser for all of them
]

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
    """What was heard of people, and what to answer: `opens` for a pressed button, `answers` for a submission."""

    bot: AsyncWebClient | None = None
    heard: list[Any] = field(default_factory=list)
    opens: dict[str, Any] = field(default_factory=dict)
    answers: list[dict[str, object]] = field(default_factory=list)

    async def hear(self, request: web.Request) -> web.Response:
        if request.content_type == "application/json":
            return web.Response()
        form = parse_qs(await request.text())
        if "command" in form:
            return web.json_response({"text": f"*All is well*, <@{form['user_id'][0]}>."})
        payload = json.loads(form["payload"][0])
        self.heard.append(payload)
        assert self.bot
        if payload["type"] == "view_submission":
            return web.json_response(self.answers.pop(0)) if self.answers else web.Response()
        for action in payload.get("actions", []):
            if action["action_id"] in self.opens:
                await self.bot.views_open(trigger_id=payload["trigger_id"], view=self.opens[action["action_id"]])
        return web.Response()


@dataclass
class Desk:
    """Acme in a browser, and the app behind it."""

    slack: SlackSandbox
    team: Team
    dana: User
    sam: User
    app: SmallApp
    bot: AsyncWebClient
    url: str
    browser: BrowserContext

    async def sit(self, user: User, where: str = "", viewport: ViewportSize | None = None) -> Page:
        """This person's window; whatever its scripts complain about fails the test."""
        window = await self.browser.new_page()
        if viewport:
            await window.set_viewport_size(viewport)
        window.set_default_timeout(5_000)
        window.on("pageerror", _fail)
        window.on("dialog", _fail)
        await window.goto(f"{self.url}/?user={user.id}{where}")
        return window

    async def heard(self, window: Page, count: int = 1) -> list[Any]:
        """What the app heard, once it is as much as expected."""
        for _ in range(50):
            if len(self.app.heard) >= count:
                break
            await window.wait_for_timeout(50)
        return self.app.heard


def _fail(what: object) -> None:
    raise AssertionError(what)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with (
        async_playwright() as playwright,
        await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"]) as chromium,
    ):
        yield chromium


@pytest_asyncio.fixture(loop_scope="module")
async def desk(browser: Browser) -> AsyncIterator[Desk]:
    slack, app = SlackSandbox(rate_limits=False), SmallApp()
    team = slack.add_team("Acme")
    dana = slack.add_user(team, "Dana Reyes", "dana@acme.example", is_admin=True)
    sam = slack.add_user(team, "Sam Okafor", "sam@acme.example")
    token = slack.install(team.id, dana.id)
    slack.app.commands = {"/usergems-status"}
    door = web.Application()
    door.router.add_post("/slack/events", app.hear)
    async with TestServer(door) as server, slack.serving(0, page.routes(slack)) as url:
        slack.app_url, slack.world.permalink_base = str(server.make_url("")).rstrip("/"), url
        app.bot = AsyncWebClient(token, f"{url}/api/")
        context = await browser.new_context(locale="en-US")
        yield Desk(slack, team, dana, sam, app, app.bot, url, context)
        await context.close()


async def test_a_message_arrives_while_one_looks(desk: Desk) -> None:
    """One chooses who to be, sees how much is unread, opens it, and reads the next one as it comes."""
    await desk.bot.chat_postMessage(channel=desk.sam.id, text="*Ada Smith* joined Globex.")
    window = await desk.browser.new_page()
    await window.goto(desk.url)
    await expect(window.locator(".person", has_text="Sam Okafor").locator(".badge")).to_have_text("1")
    await window.get_by_role("button", name="Sam Okafor").click()
    await expect(window.locator("article strong")).to_have_text("Ada Smith")

    await desk.bot.chat_postMessage(channel=desk.sam.id, text="Grace Park left Initech.")

    await expect(window.locator("article")).to_have_count(2)
    await expect(window.locator("article").last).to_contain_text("Grace Park left Initech.")


async def test_foreign_markup_stays_text(desk: Desk) -> None:
    """Names are shown as they are written and never run: in messages, in the sidebar, in pickers, in Home."""
    evil = '<script>alert(1)</script><img src=x onerror="alert(2)">'
    desk.slack.add_user(desk.team, evil)
    channel = desk.slack.add_channel(desk.team, evil)
    escaped = evil.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    said = {"type": "section", "text": {"type": "mrkdwn", "text": f"{escaped} <javascript:alert(3)|click>"}}
    link = button("link", evil[:70], url="https://example.com/x")
    picker = {"type": "users_select", "action_id": "who", "placeholder": plain(evil)}
    blocks = [said, {"type": "header", "text": plain(evil)}, {"type": "actions", "elements": [link, picker]}]
    await desk.bot.chat_postMessage(channel=channel.id, text=evil, blocks=blocks)
    await desk.bot.views_publish(user_id=desk.sam.id, view=home(said, *blocks[1:]))

    for place, shown in ((f"&channel={channel.id}", "article"), ("&tab=home", ".home")):
        window = await desk.sit(desk.sam, place)
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
async def test_mrkdwn_reads_as_in_slack(desk: Desk, text: str, html: str) -> None:
    """Formatting at word boundaries, three escapes, quotes, mentions, emoji, links to the web only."""
    said = text.replace("{sam}", desk.sam.id)
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": said}}]
    posted = await desk.bot.chat_postMessage(channel=desk.sam.id, text="Ada", blocks=blocks)
    window = await desk.sit(desk.sam, f"&channel={posted['channel']}")

    shown = await window.locator("article .section-text > div").inner_html()

    assert re.sub(r'<span (?:class="mention"|role="img")[^>]*>([^<]*)</span>', r"\1", shown) == html


async def test_rich_text_tables_and_images_are_shown(desk: Desk) -> None:
    """What other apps send too."""
    words = [{"type": "text", "text": "Ada", "style": {"bold": True}}, {"type": "user", "user_id": desk.sam.id}]
    section = {"type": "rich_text_section", "elements": words}
    blocks = [
        {
            "type": "rich_text",
            "elements": [section, {"type": "rich_text_list", "style": "bullet", "elements": [section]}],
        },
        {"type": "table", "rows": [[{"type": "raw_text", "text": "Globex"}, {"type": "raw_text", "text": "CRO"}]]},
        {"type": "image", "image_url": f"{desk.url}/static/none.png", "alt_text": "A chart"},
        {
            "type": "context",
            "elements": [{"type": "mrkdwn", "text": "small"}, {"type": "plain_text", "text": "*print*"}],
        },
    ]
    posted = await desk.bot.chat_postMessage(channel=desk.sam.id, text="Ada", blocks=blocks)
    window = await desk.sit(desk.sam, f"&channel={posted['channel']}")

    await expect(window.locator("article li strong")).to_have_text("Ada")
    await expect(window.locator("article li .mention")).to_have_text("@Sam Okafor")
    await expect(window.locator("article td")).to_have_text(["Globex", "CRO"])
    await expect(window.get_by_role("img", name="A chart")).to_have_count(1)
    await expect(window.locator("article .context span")).to_have_text(["small", "*print*"])


async def test_a_button_tells_the_app_which_message_it_stands_under(desk: Desk) -> None:
    """Pressed with the keyboard, as well as with a pointer."""
    blocks = [{"type": "actions", "elements": [button("done", "Done", value="7"), button("done2", "Not mine")]}]
    posted = await desk.bot.chat_postMessage(channel=desk.sam.id, text="Ada", blocks=blocks)
    window = await desk.sit(desk.sam, f"&channel={posted['channel']}")

    await window.get_by_role("button", name="Done").focus()
    await window.keyboard.press("Enter")

    [payload] = await desk.heard(window)
    assert (payload["actions"][0]["action_id"], payload["actions"][0]["value"]) == ("done", "7")
    assert payload["container"]["message_ts"] == posted["ts"]
    assert payload["user"]["id"] == desk.sam.id


async def test_a_button_that_asks_first_acts_only_on_yes(desk: Desk) -> None:
    """Saying no tells the app nothing."""
    sure = {"title": plain("Sure?"), "text": plain("It stops."), "confirm": plain("Stop"), "deny": plain("Keep")}
    blocks = [{"type": "actions", "elements": [button("stop", "Stop it", confirm=sure)]}]
    posted = await desk.bot.chat_postMessage(channel=desk.sam.id, text="Ada", blocks=blocks)
    window = await desk.sit(desk.sam, f"&channel={posted['channel']}")

    await window.get_by_role("button", name="Stop it").click()
    await window.get_by_role("button", name="Keep").click()
    await window.get_by_role("button", name="Stop it").click()
    await window.get_by_role("button", name="Stop", exact=True).click()

    assert [payload["actions"][0]["action_id"] for payload in await desk.heard(window)] == ["stop"]
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
    ("kind", "more", "do", "choice", "told"),
    [
        ("static_select", {"options": options("Red", "Blue")}, _select, "blue", ("selected_option", "blue")),
        (
            "static_select",
            {"option_groups": [{"label": plain("Colours"), "options": options("Red", "Blue")}]},
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
async def test_every_picker_tells_the_app_what_was_chosen(
    desk: Desk, kind: str, more: dict[str, object], do: Callable[..., Any], choice: str, told: tuple[str, Any]
) -> None:
    """In Home, as in messages, a choice is told at once."""
    general = desk.slack.add_channel(desk.team, "general")
    picker = {"type": kind, "action_id": "pick", **more}
    view = home({"type": "actions", "block_id": "b", "elements": [picker]})
    await desk.bot.views_publish(user_id=desk.sam.id, view=view)
    window = await desk.sit(desk.sam)

    group = kind in ("radio_buttons", "checkboxes")
    await do(window.locator(".home .choices" if group else '[data-key="b/pick"]'), choice)

    [payload] = await desk.heard(window)
    value = payload["actions"][0][told[0]]
    value = [item["value"] for item in value] if isinstance(value, list) else value
    value = value["value"] if isinstance(value, dict) else value
    names = {"{sam}": desk.sam.id, "{general}": general.id}
    assert value == (names.get(told[1], told[1]) if isinstance(told[1], str) else told[1])


async def test_a_channel_picker_offers_what_one_can_see(desk: Desk) -> None:
    """Public ones, private ones one is in; none that is archived."""
    desk.slack.add_channel(desk.team, "general")
    desk.slack.add_channel(desk.team, "old", is_archived=True)
    desk.slack.add_channel(desk.team, "ops", is_private=True, members=[desk.dana.id])
    picker = {
        "type": "conversations_select",
        "action_id": "default_channel",
        "filter": {"include": ["public", "private"]},
    }
    view = home({"type": "section", "text": plain("Default channel"), "accessory": picker})

    for user, offered in ((desk.dana, ["#general", "🔒 ops"]), (desk.sam, ["#general"])):
        await desk.bot.views_publish(user_id=user.id, view=view)
        window = await desk.sit(user)
        await expect(window.locator(".home option:not([value=''])")).to_have_text(offered)


async def test_a_modal_is_filled_in_corrected_and_saved(desk: Desk) -> None:
    """An error stands at its field, what was typed stays, and the modal closes when the app takes it."""
    desk.app.opens["edit"] = modal(
        field_block("field", "Field", {"type": "plain_text_input", "action_id": "name"}),
        field_block("rule", "Rule", {"type": "static_select", "action_id": "r", "options": options("First", "Last")}),
        field_block("who", "Someone", {"type": "users_select", "action_id": "u"}, optional=True),
    )
    desk.app.answers = [{"response_action": "errors", "errors": {"field": "There is no such field."}}]
    view = home({"type": "actions", "elements": [button("edit", "Edit")]})
    await desk.bot.views_publish(user_id=desk.dana.id, view=view)
    window = await desk.sit(desk.dana)
    await window.get_by_role("button", name="Edit").click()
    dialog = window.get_by_role("dialog", name="Ownership")
    save = dialog.get_by_role("button", name="Save")

    await dialog.get_by_label("Field").fill("Nope__c")
    await save.click()
    await expect(dialog.locator(".error")).to_have_text("Please complete this required field.")
    await dialog.get_by_label("Rule").select_option("Last")
    await save.click()
    await expect(dialog.locator(".error")).to_have_text("There is no such field.")
    await expect(dialog.get_by_label("Field")).to_have_value("Nope__c")
    await expect(dialog.get_by_label("Field")).to_be_focused()
    await dialog.get_by_label("Field").fill("CSM__c")
    await save.click()
    await expect(dialog).to_be_hidden()

    values = (await desk.heard(window, 3))[-1]["view"]["state"]["values"]
    assert values["field"]["name"]["value"] == "CSM__c"
    assert values["rule"]["r"]["selected_option"]["value"] == "last"
    assert values["who"]["u"]["selected_user"] is None


async def test_a_pushed_modal_leads_back_and_escape_closes(desk: Desk) -> None:
    """The app hears of the closing where it asked to."""
    entry = field_block("field", "Field", {"type": "plain_text_input", "action_id": "name"}, optional=True)
    desk.app.opens["edit"] = modal(entry, title="First")
    desk.app.answers = [{"response_action": "push", "view": modal(entry, title="Second", notify_on_close=True)}]
    view = home({"type": "actions", "elements": [button("edit", "Edit")]})
    await desk.bot.views_publish(user_id=desk.dana.id, view=view)
    window = await desk.sit(desk.dana)
    await window.get_by_role("button", name="Edit").click()
    await window.get_by_role("button", name="Save").click()
    await expect(window.locator("#modal h2")).to_have_text("Second")

    await window.get_by_role("button", name="Back").click()
    await expect(window.locator("#modal h2")).to_have_text("First")
    await window.keyboard.press("Escape")
    await expect(window.locator("#modal")).to_be_hidden()

    kinds = [payload["type"] for payload in await desk.heard(window, 3)]
    assert kinds == ["block_actions", "view_submission", "view_closed"]


async def test_what_is_typed_survives_an_update_of_the_modal(desk: Desk) -> None:
    """The app changes a modal while somebody is in the middle of it."""
    entry = field_block("field", "Field", {"type": "plain_text_input", "action_id": "name"})
    desk.app.opens["edit"] = modal(entry, title="Before")
    view = home({"type": "actions", "elements": [button("edit", "Edit")]})
    await desk.bot.views_publish(user_id=desk.dana.id, view=view)
    window = await desk.sit(desk.dana)
    await window.get_by_role("button", name="Edit").click()
    await window.get_by_label("Field").fill("CSM__c")

    await desk.bot.views_update(view_id=desk.slack.modal(desk.dana.id).id, view=modal(entry, title="After"))

    await expect(window.locator("#modal h2")).to_have_text("After")
    await expect(window.get_by_label("Field")).to_have_value("CSM__c")
    await expect(window.get_by_label("Field")).to_be_focused()


async def test_a_command_is_answered_to_who_typed_it(desk: Desk) -> None:
    """The answer is marked as visible to nobody else, and nobody else sees it."""
    general = desk.slack.add_channel(desk.team, "general")
    window = await desk.sit(desk.sam, f"&channel={general.id}")

    await window.get_by_label("Command").fill("/usergems-status")
    await window.keyboard.press("Enter")

    await expect(window.locator("article.only-you")).to_contain_text("Only visible to you")
    await expect(window.locator("article.only-you")).to_contain_text("All is well, @Sam Okafor.")
    other = await desk.sit(desk.dana, f"&channel={general.id}")
    await expect(other.locator(".empty")).to_have_text("No messages yet.")


async def test_a_permalink_shows_its_message(desk: Desk) -> None:
    """As the person it was sent to, scrolled to it and marked."""
    posted = [await desk.bot.chat_postMessage(channel=desk.sam.id, text=f"Ada {n}\n" * 8) for n in range(9)]
    link = await desk.bot.chat_getPermalink(channel=posted[2]["channel"], message_ts=posted[2]["ts"])
    window = await desk.browser.new_page()

    await window.goto(link["permalink"])

    await expect(window.locator("article.linked")).to_contain_text("Ada 2")
    await expect(window.locator("article.linked")).to_be_in_viewport()


async def test_everything_fits_on_a_phone(desk: Desk) -> None:
    """Nothing is wider than 390 pixels; the sidebar comes when it is asked for."""
    long = "Globex" * 30
    select = {"type": "static_select", "action_id": "pick", "options": options("A" * 70)}
    entry = field_block("field", "Field", {"type": "plain_text_input", "action_id": "name"})
    buttons = {"type": "actions", "elements": [button(f"b{n}", "A long label " * 2) for n in range(4)]}
    blocks = [{"type": "section", "text": plain(long), "accessory": select}, buttons]
    desk.app.opens["b0"] = modal(*blocks, entry)
    posted = await desk.bot.chat_postMessage(channel=desk.sam.id, text=long, blocks=blocks)
    await desk.bot.views_publish(user_id=desk.sam.id, view=home(*blocks))

    for place in (f"&channel={posted['channel']}", "&tab=home"):
        window = await desk.sit(desk.sam, place, PHONE)
        await window.locator(".block.actions").wait_for()
        assert await window.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert await window.evaluate("(e => e.scrollWidth <= e.clientWidth)(document.getElementById('content'))")
        await expect(window.locator("#side")).to_be_hidden()
        await window.get_by_role("button", name="Show the sidebar").click()
        await expect(window.locator("#side")).to_be_visible()
        await window.locator("#shade").click(position={"x": 380, "y": 400})
        await window.locator("#content .button").first.click()
        await window.locator(".modal-body").wait_for()
        assert await window.evaluate("(e => e.scrollWidth <= e.clientWidth)(document.querySelector('.modal-body'))")
        await window.keyboard.press("Escape")
        await window.locator(".modal-body").wait_for(state="hidden")


async def test_a_message_can_be_taken_as_a_picture(tmp_path: Any) -> None:
    """By the same renderer, for documents."""
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "*Ada Smith* joined *Globex* as CRO"}}]
    await take(tmp_path / "card.png", blocks)
    assert (tmp_path / "card.png").read_bytes().startswith(b"\x89PNG")
