"""Takes the pictures in docs/pictures, in Chromium: the demo's output, and what its members and admins see in Slack.

`make pictures` runs it. Review and commit the pictures when the software looks different.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright
from rich.console import Console
from rich.text import Text
from slack_sdk.web.async_client import AsyncWebClient

from domain.rule_versions import EVERYTHING_ELSE, RuleFigures
from listeners.home.app_home_view import home_view
from listeners.ownership.effects.scorecard_view import scorecard_view
from sandbox.slack import SlackSandbox
from sandbox.slack.page import page as slack_page
from services.ownership.rules.current_rules import CurrentRules
from services.ownership.rules.presets import presets
from services.ownership.rules.rule_set import RuleSet
from services.ownership.rules.scorecard import Scorecard
from tests.conftest import CHROMIUM
from tests.listeners.home.home_states import admin_state, trouble_state
from tests.services.messages.test_golden_messages import MESSAGES, WORKFLOW

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"
COMMAND = "make demo"
COLUMNS = 112
SHARPNESS = 1.5
LOCALE = "en-GB"  # times in the 24-hour format of the app's own dates, such as 28 Nov 2026
WIDTH, HEIGHT = 1000, 400
HEIGHT_TO_FIT = """messages => {
  const content = document.getElementById("content"), articles = [...content.querySelectorAll("article")];
  const frame = innerHeight - content.clientHeight, shown = articles.slice(-messages);
  if (!messages || shown.length == articles.length) return frame + content.scrollHeight;
  return frame + 24 + shown.at(-1).getBoundingClientRect().bottom - shown[0].getBoundingClientRect().top | 0;
}"""
"""The window height that fits this number of latest messages; 0 fits all of the content."""

LAST_LINE = "Press Ctrl-C to stop"
TERMINAL = """<style>
  body {{ margin: 0; padding: 20px 24px; background: #1c1b22; color: #e8e6ee; width: max-content }}
  pre {{ margin: 0; font: 13px/1.45 "DejaVu Sans Mono", "Liberation Mono", monospace }}
</style><pre>{code}</pre>"""

HOUR_MS = 3_600_000
RULES = RuleSet(rules=presets(None, None)[:3])
FIGURES = {
    RULES.rules[0].key: {30: RuleFigures(42, 12, 6, 1, 9 * HOUR_MS), 90: RuleFigures(120, 58, 9, 2, 7 * HOUR_MS)},
    RULES.rules[1].key: {30: RuleFigures(31, 27, 1, 0, 2 * HOUR_MS), 90: RuleFigures(88, 79, 1, 3, 2 * HOUR_MS)},
    RULES.rules[2].key: {30: RuleFigures(6, 6, 0, 0, HOUR_MS), 90: RuleFigures(19, 17, 0, 0, HOUR_MS)},
    EVERYTHING_ELSE: {30: RuleFigures(64, 39, 4, 2, 5 * HOUR_MS), 90: RuleFigures(201, 132, 9, 4, 5 * HOUR_MS)},
}
SCORECARD = Scorecard.of(CurrentRules(3, RULES, None, None), FIGURES)

KINDS = (
    *("new company", "departure", "promotion", "fallback, claimed", "reassigned by a colleague", "added buttons"),
    "bundle",
)
"""The golden messages on the picture of message types."""


@asynccontextmanager
async def demo() -> AsyncIterator[str]:
    """Run the demo and yield its colored output."""
    variables = {"FORCE_COLOR": "1", "COLUMNS": str(COLUMNS), "TERM": "xterm-256color", "PYTHONUNBUFFERED": "1"}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "app.py",
        "demo",
        cwd=ROOT,
        env={**os.environ, **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout
    output = ""
    try:
        while LAST_LINE not in output:
            line = await process.stdout.readline()
            if not line:
                sys.exit(f"The demo ended too early:\n{output}")
            output += line.decode()
        yield output
    finally:
        process.terminate()
        await process.communicate()


@dataclass(frozen=True)
class Camera:
    """A browser page on the Slack sandbox at the URL `slack`."""

    slack: str
    page: Page

    async def open(self, url: str, selector: str, messages: int = 0) -> None:
        """Open `url`, wait for the selector, and fit the window to the content."""
        await self.page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
        await self.page.goto(url)
        await self.page.locator(selector).nth(max(messages - 1, 0)).wait_for()
        await self.fit(messages)
        await self.page.reload()
        await self.page.locator(selector).nth(max(messages - 1, 0)).wait_for()

    async def fit(self, messages: int = 0) -> None:
        await self.page.set_viewport_size({"width": WIDTH, "height": await self.page.evaluate(HEIGHT_TO_FIT, messages)})

    async def take(self, name: str) -> None:
        await self.page.screenshot(path=PICTURES / f"{name}.png")

    async def take_dialog(self, name: str) -> None:
        """Take a picture of the dialog that is opening, then close it."""
        await self.page.set_viewport_size({"width": WIDTH, "height": 900})
        dialog = self.page.locator("#modal")
        await dialog.locator(".block").first.wait_for()
        await dialog.get_by_text("Loading").wait_for(state="hidden")
        await dialog.screenshot(path=PICTURES / f"{name}.png")
        await self.page.keyboard.press("Escape")
        await dialog.wait_for(state="hidden")


async def take_terminal(browser: Browser, output: str) -> None:
    console = Console(record=True, width=COLUMNS, file=StringIO(), color_system="truecolor")
    console.print(Text.assemble((f"$ {COMMAND}\n", "bold"), Text.from_ansi(output)))
    page = await browser.new_page(device_scale_factor=SHARPNESS, locale=LOCALE)
    html = console.export_html(inline_styles=True, code_format=TERMINAL)
    await page.set_content(html)
    await page.locator("body").screenshot(path=PICTURES / "terminal.png")


async def take_slack(browser: Browser, output: str) -> None:
    """Messages of the demo by their permalinks, dialogs, Home and the command."""
    plain = Text.from_ansi(output).plain
    direct, channel = (re.findall(rf"http://\S+/archives/{kind}\w+/p\d+", plain)[0] for kind in "DC")
    slack = direct.partition("/archives/")[0]
    camera = Camera(slack, await browser.new_page(device_scale_factor=SHARPNESS, locale=LOCALE))
    people = (await (await camera.page.request.get(f"{slack}/page/people")).json())["people"]
    admin = next(person["id"] for person in people if person["role"] == "admin")
    await camera.open(f"{slack}/?user={admin}&channel={channel.split('/')[-2]}", "article", 3)
    await camera.take("default-channel")
    await camera.open(direct, "article", 2)
    await camera.take("direct-message")
    reader = await camera.page.evaluate("new URLSearchParams(location.search).get('user')")
    await take_message_dialogs(camera)
    await camera.open(f"{slack}/?user={reader}&tab=home", ".home .section")
    await camera.take("member-home")
    await take_home_dialogs(camera, admin)
    await take_command(camera, admin)


async def take_message_dialogs(camera: Camera) -> None:
    message = camera.page.locator("article").last
    await message.get_by_role("button", name="Not mine…").click()
    await camera.take_dialog("not-mine")
    await message.get_by_label("More actions").click()
    await message.get_by_role("button", name="Why me?").click()
    await camera.take_dialog("why-me")


async def take_home_dialogs(camera: Camera, admin: str) -> None:
    await camera.open(f"{camera.slack}/?user={admin}&tab=home", ".home .section")
    for section, button, name in (
        ("Channels by signal", "Change…", "signal-channels"),
        ("messages a minute", "Change…", "limits-and-data"),
        ("Buttons on cards", "Change…", "buttons-on-cards"),
        ("Ownership (DRIs)", "Change…", "ownership"),
    ):
        row = camera.page.locator(".home .section", has_text=section)
        await row.get_by_role("button", name=button).click()
        await camera.take_dialog(name)


async def take_command(camera: Camera, admin: str) -> None:
    """The response to the command, to an unknown subcommand, and the test message."""
    await camera.page.goto(f"{camera.slack}/?user={admin}&tab=messages")
    for number, typed in enumerate(("/usergems-status", "/usergems-status sttaus", "/usergems-status test"), 1):
        box = camera.page.get_by_label("Command")
        await box.fill(typed)
        await box.press("Enter")
        await camera.page.locator(".only-you").nth(number - 1).wait_for()
    await camera.page.locator("article:not(.only-you)", has_text="Test message").wait_for()
    await camera.fit(4)
    await camera.take("status")


async def take_samples(browser: Browser) -> None:
    """Admins' Home after a month in light and dark, one with problems, and messages of several types."""
    slack = SlackSandbox()
    team = slack.add_team("Acme")
    admin = slack.add_user(team, "Alma Admin", "alma@acme.example", is_admin=True)
    names = ("Dana Reyes", "Kim Lee", "Mo Chen", "Sue Park", "Lee Park")
    people = [slack.add_user(team, name, f"{name.split()[0].lower()}@acme.example").id for name in names]
    channel, hires = slack.add_channel(team, "job-changes").id, slack.add_channel(team, "new-hires").id
    client = AsyncWebClient(slack.install(team.id, admin.id))
    team.workflows[WORKFLOW.url] = set(WORKFLOW.inputs)
    async with slack.serving(0, slack_page.routes(slack)) as url:
        client.base_url = f"{url}/api/"
        for state, name in (
            (admin_state(channel, hires, people), "home"),
            (trouble_state(channel, people), "home-in-trouble"),
        ):
            await client.views_publish(user_id=admin.id, view=home_view(state))
            for scheme in ("light", "dark") if name == "home" else ("light",):
                page = await browser.new_page(device_scale_factor=SHARPNESS, locale=LOCALE, color_scheme=scheme)
                camera = Camera(url, page)
                await camera.open(f"{url}/?user={admin.id}&tab=home", ".home .section")
                await page.locator("#toast").evaluate("toast => toast.hidePopover()")  # it says that no app is running
                await camera.take(name if scheme == "light" else f"{name}-{scheme}")
        await client.views_open(trigger_id=slack.world.new_trigger(admin), view=scorecard_view(SCORECARD))
        camera = Camera(url, await browser.new_page(device_scale_factor=SHARPNESS, locale=LOCALE))
        await camera.page.goto(f"{url}/?user={admin.id}&tab=home")
        await camera.take_dialog("scorecard")
        await take_message_types(browser, client, url, admin.id, people[0])


async def take_message_types(browser: Browser, client: AsyncWebClient, url: str, reader: str, colleague: str) -> None:
    """Messages of several types; `colleague` is the member who acted on them."""
    messages = [MESSAGES[kind] for kind in KINDS]
    for message in messages:
        blocks = json.loads(json.dumps(message.blocks).replace("U0DANA", colleague))
        sent = await client.chat_postMessage(channel=reader, text=message.text, blocks=blocks)
        await asyncio.sleep(1.1)  # Slack accepts one message a second
    camera = Camera(url, await browser.new_page(device_scale_factor=SHARPNESS, locale=LOCALE))
    await camera.open(f"{url}/?user={reader}&channel={sent['channel']}", "article", len(messages))
    await camera.take("messages")


async def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        await take_samples(browser)
        async with demo() as output:
            await take_terminal(browser, output)
            await take_slack(browser, output)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
