"""One person uses the whole app in a real browser: installs it, acts on a job change, mutes some, gets a digest."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest_asyncio
from aiohttp import web
from cryptography.fernet import Fernet
from playwright.async_api import Browser, Locator, Page, expect
from playwright.async_api import TimeoutError as PlaywrightTimeout

import app
from listeners.http.server import create_runner
from sandbox.slack import SlackSandbox
from sandbox.slack.page import page as sandbox_page
from sandbox.slack.state import Team, User
from services.settings import Settings
from services.slack.manifest import Manifest
from store.encryption import Cipher
from store.home import member_preferences
from tests.conftest import BROWSER_TEST
from tests.servers import free_port
from tests.world import sample_job_change

MANIFEST = Manifest.parse((Path(__file__).parents[2] / "manifest.json").read_text())

pytestmark = BROWSER_TEST


@dataclass
class Acme:
    """A Slack workspace without the app, with its page at `slack_url`. The app runs at `url`."""

    slack: SlackSandbox
    team: Team
    dana: User
    slack_url: str
    url: str
    late_by_ms: int = 0
    app: app.App = field(init=False)

    def now(self) -> int:
        """The real time, `late_by_ms` later."""
        return round(time.time() * 1_000) + self.late_by_ms

    async def send_job_change(self, event: str, name: str, **changes: object) -> None:
        """A sender reports a job change and names Dana as the DRI."""
        person = {"full_name": name, "emails": [f"{event}@initech.example"]}
        change = sample_job_change(source_event_id=event, person=person, dri_email="dana@acme.example", **changes)
        assert await self.app.intake.accept(self.team.id, change)

    async def wait_for_the_digest(self) -> None:
        """Move the clock to the time of the digest."""
        waiting = await self.app.database.run(member_preferences.held_back, self.team.id, self.dana.id, self.now())
        assert waiting.held_until is not None
        self.late_by_ms += waiting.held_until - self.now()


@pytest_asyncio.fixture(loop_scope="session")
async def acme(sqlite_url: str) -> AsyncIterator[Acme]:
    slack = SlackSandbox(rate_limits=False)
    team = slack.add_team("Acme")
    dana = slack.add_user(team, "Dana Reyes", "dana@acme.example", is_admin=True)
    for name in ("general", "job-changes"):
        slack.add_channel(team, name, members=[dana.id])
    port = free_port()  # the app must know its address before it is built
    async with slack.serving(0, sandbox_page.routes(slack)) as slack_url:
        acme = Acme(slack, team, dana, slack_url, f"http://localhost:{port}")
        settings = Settings.from_environ(
            {
                "SLACK_CLIENT_ID": slack.app.client_id,
                "SLACK_CLIENT_SECRET": slack.app.client_secret,
                "SLACK_SIGNING_SECRET": slack.app.signing_secret,
                "SLACK_API_URL": f"{slack_url}/api/",
                "SLACK_AUTHORIZE_URL": f"{slack_url}/oauth/v2/authorize",
                "PUBLIC_URL": acme.url,
                "DATABASE_URL": sqlite_url,
            }
        )
        slack.configure(MANIFEST.at(acme.url).values)
        slack.app_url = acme.url
        cipher = Cipher.of([Fernet.generate_key().decode()])
        async with app.build(settings, cipher, acme.now) as acme.app, running(acme.app, port):
            yield acme


@asynccontextmanager
async def running(built: app.App, port: int) -> AsyncIterator[None]:
    """The web server and the worker of the app."""
    stop = asyncio.Event()
    runner = create_runner(built.web)
    await runner.setup()
    working = asyncio.create_task(built.worker.run(stop))
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield
    finally:
        stop.set()
        await working
        await runner.cleanup()


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser) -> AsyncIterator[Page]:
    page = await browser.new_page(locale="en-GB")
    page.set_default_timeout(20_000)
    yield page
    await page.close()


async def test_from_the_installation_to_a_digest(page: Page, acme: Acme) -> None:
    """The whole way: Add to Slack, a channel, I'm on it, Mute messages like this, and a daily digest."""
    await install(page, acme)

    await acme.send_job_change("first", "Ada Smith")
    await page.goto(f"{acme.slack_url}/?user={acme.dana.id}&tab=messages")
    message = article(page, "Ada Smith")
    await message.get_by_role("button", name="I'm on it").click()
    await expect(message.get_by_text("✅ You're on it")).to_be_visible(timeout=20_000)

    dialog = page.get_by_role("dialog")
    await choose_until(message, "Mute messages like this…", dialog)
    await dialog.get_by_label("People who join another company").check()
    await dialog.get_by_role("button", name="Mute").click()
    await expect(dialog.get_by_role("button", name="Undo")).to_be_visible(timeout=20_000)
    await dialog.get_by_role("button", name="Close").first.click()
    await acme.send_job_change("second", "Eva Lund")
    await page.get_by_role("button", name="job-changes").click()
    await expect(article(page, "Eva Lund")).to_be_visible(timeout=20_000)

    await choose_a_daily_digest(page, acme)
    for event, name in (("third", "Tom Berg"), ("fourth", "Lea Roth")):
        await acme.send_job_change(event, name, change_type="promotion")
    await expect_waiting(page, acme, "2 job changes are on hold until")
    await acme.wait_for_the_digest()
    await page.goto(f"{acme.slack_url}/?user={acme.dana.id}&tab=messages")

    digest = article(page, "Your daily digest: 2 job changes")
    await expect(digest).to_be_visible(timeout=20_000)
    for name in ("Tom Berg", "Lea Roth"):
        await expect(digest.get_by_text(name)).to_be_visible()


async def install(page: Page, acme: Acme) -> None:
    await page.goto(acme.url)
    await page.get_by_role("link", name="Add to Slack").click()
    await page.locator("#user").select_option(label="Dana Reyes (admin)")
    await page.get_by_role("button", name="Allow").click()
    await page.get_by_text("job-changes").click()
    await page.get_by_role("button", name="Use #job-changes").click()
    await expect(page.get_by_role("heading", name="Default channel set to #job-changes")).to_be_visible(timeout=20_000)


async def choose_a_daily_digest(page: Page, acme: Acme) -> None:
    await page.goto(f"{acme.slack_url}/?user={acme.dana.id}&tab=home")
    section = page.locator(".block.section", has_text=re.compile("^\\s*Notifications")).first
    dialog = page.get_by_role("dialog")
    await press_until(section.get_by_role("button", name="Change…"), dialog.get_by_label("Daily digest"))
    await dialog.get_by_label("Daily digest").check()
    await dialog.get_by_label("Time of the digest").fill("17:30")
    await dialog.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Daily digest at 17:30.")).to_be_visible(timeout=20_000)


async def choose_until(message: Locator, name: str, shown: Locator) -> None:
    """A message that is updated closes its menu, so it is opened again, as people would do."""
    async with asyncio.timeout(20):
        while True:
            await message.get_by_label("More actions").click()
            with suppress(PlaywrightTimeout):
                await message.get_by_role("button", name=name).click(timeout=2_000)
                return await shown.wait_for()


async def press_until(button: Locator, shown: Locator) -> None:
    """Home is published again when it is opened, and a button pressed before that does nothing, so press it again."""
    async with asyncio.timeout(20):
        while True:
            await button.click()
            with suppress(PlaywrightTimeout):
                return await shown.wait_for(timeout=2_000)


async def expect_waiting(page: Page, acme: Acme, text: str) -> None:
    """Open Home until it shows the text: it is published only when it is opened."""
    async with asyncio.timeout(20):
        while True:
            await page.goto(f"{acme.slack_url}/?user={acme.dana.id}&tab=home")
            await page.get_by_text("Daily digest at 17:30.").wait_for()
            if await page.get_by_text(text).count():
                return


def article(page: Page, text: str) -> Locator:
    """The message with this text."""
    return page.locator("article", has_text=text)
