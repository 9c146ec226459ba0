"""The ownership dialogs in a real browser, on the sandbox's page: from Home to a published rule, and a simulation."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Page, expect

from sandbox.slack.page import page as sandbox_page
from tests.conftest import BROWSER_TEST
from tests.listeners.ownership.ownership_world import AdminSession, accept_and_route, connect_org
from tests.listeners.salesforce.salesforce_world import SalesforceWorld, open_salesforce_world

pytestmark = BROWSER_TEST


@pytest_asyncio.fixture(loop_scope="session")
async def acme(sqlite_url: str) -> AsyncIterator[SalesforceWorld]:
    async with open_salesforce_world(sqlite_url) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def page(acme: SalesforceWorld, browser: Browser) -> AsyncIterator[Page]:
    """Dana's Home in the sandbox."""
    shown = web.Application()
    shown.add_routes(sandbox_page.routes(acme.slack))
    await AdminSession(acme, acme.dana).open_home()
    async with TestServer(shown) as server:
        page = await browser.new_page(locale="en-GB")
        await page.goto(str(server.make_url(f"/?user={acme.dana.id}&tab=home")))
        yield page
        await page.close()


async def test_an_admin_adds_a_preset_and_publishes_it(acme: SalesforceWorld, page: Page) -> None:
    """An admin uses the button in Home, the dialogs, and the list of rules."""
    await page.get_by_role("button", name="Ownership (DRIs)").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_text("You don't need any rules")).to_be_visible()
    await dialog.get_by_role("button", name="Add a rule").click()
    preset = page.locator(".section", has_text="Leaves an open opportunity")
    await preset.get_by_role("button", name="Use").click()
    await expect(dialog.get_by_label("Name")).to_have_value("Leaves an open opportunity")
    await dialog.get_by_label("Name").fill("A deal at risk")
    await dialog.get_by_role("button", name="Add a condition").click()
    await expect(dialog.get_by_label("Choose a field")).to_have_count(3)
    await dialog.get_by_label("Choose a field").last.select_option("Relationship")
    await dialog.get_by_label("Relationship is any of").fill("Champion")
    await dialog.get_by_role("button", name="Save to draft").click()
    sentence = "When a champion leaves an account with an open opportunity, notify the owner of the account's open"
    await expect(dialog.get_by_text(sentence)).to_be_visible()
    await expect(dialog.get_by_text("This is a draft")).to_be_visible()
    await dialog.get_by_role("button", name="Publish").click()
    await expect(dialog.get_by_text("There are no job changes to compare yet.")).to_be_visible()
    await dialog.get_by_role("button", name="Publish").click()
    await expect(dialog.get_by_text("Published as version 1.")).to_be_visible()
    assert [rule.name for rule in (await acme.app.rulebook.read(acme.team.id)).rules.rules] == ["A deal at risk"]


async def test_an_admin_simulates_a_job_change(acme: SalesforceWorld, page: Page) -> None:
    """The dialog shows who would be notified, and who was skipped and why."""
    await connect_org(acme)
    owner = acme.org.add("User", FirstName="Kim", LastName="Doe", Email="kim@elsewhere.example")
    ada = {"FirstName": "Ada", "LastName": "Smith", "Email": "ada@initech.example"}
    acme.org.add("Contact", OwnerId=owner, **ada)
    await accept_and_route(acme)
    await page.get_by_role("button", name="Ownership (DRIs)").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Simulate").click()
    await dialog.get_by_label("A recent job change").select_option("Ada Smith: Initech → Globex")
    await dialog.get_by_role("button", name="Simulate").click()
    await expect(dialog.get_by_text("Kim Doe: is not in Slack")).to_be_visible()
