"""Connecting Salesforce in a real browser, over the org's consent page and back."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.conftest import BROWSER_TEST
from tests.listeners.salesforce.salesforce_world import SalesforceWorld, open_salesforce_world

pytestmark = BROWSER_TEST


@pytest_asyncio.fixture(loop_scope="session")
async def acme(sqlite_url: str) -> AsyncIterator[SalesforceWorld]:
    async with open_salesforce_world(sqlite_url) as made:
        yield made


async def consent(page: Page, acme: SalesforceWorld, answer: str) -> None:
    await page.wait_for_url(f"{acme.org.url}/**")
    await page.get_by_label("Log in as").select_option(acme.integration)
    await page.get_by_role("button", name=answer).click()
    await page.wait_for_url(f"{acme.url}/**")


async def test_an_admin_connects_in_a_browser(page: Page, acme: SalesforceWorld) -> None:
    """They choose the org, log in, and see what was connected."""
    await page.goto(acme.connect_link())
    await expect(page.get_by_role("heading", name="Connect Salesforce to Acme")).to_be_visible()
    await expect(page.get_by_label("My Domain address")).to_be_hidden()
    await page.get_by_role("button", name="Continue to Salesforce").click()
    await consent(page, acme, "Allow")

    await expect(page.get_by_text("Acme Corp in Salesforce is connected to Acme in Slack.")).to_be_visible()
    await expect(page.get_by_text("Ines Integration")).to_be_visible()
    connection = await acme.connection()
    assert connection is not None
    assert connection.org_name == "Acme Corp"

    await page.reload()
    await expect(page.get_by_role("heading", name="This link has expired")).to_be_visible()


async def test_the_domain_field_works_with_the_keyboard(page: Page, acme: SalesforceWorld) -> None:
    """Errors are shown at the field, and the typed text is kept."""
    await page.goto(acme.connect_link())
    await page.get_by_role("radio").first.focus()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Tab")
    await expect(page.get_by_label("My Domain address")).to_be_focused()
    await page.keyboard.type("evil.example")
    await page.keyboard.press("Enter")

    await expect(page.get_by_role("alert")).to_contain_text("acme.my.salesforce.com")
    await expect(page.get_by_label("My Domain address")).to_have_value("evil.example")
    await page.get_by_label("My Domain address").fill(acme.org.url)
    await page.keyboard.press("Enter")
    await consent(page, acme, "Allow")
    await expect(page.get_by_text("Acme Corp in Salesforce is connected to Acme in Slack.")).to_be_visible()


async def test_an_admin_who_denies_consent_comes_back_to_the_form(page: Page, acme: SalesforceWorld) -> None:
    """It takes one click, and no way through Slack."""
    await page.goto(acme.connect_link())
    await page.get_by_role("button", name="Continue to Salesforce").click()
    await consent(page, acme, "Deny")
    await page.get_by_role("link", name="Try again").click()
    await expect(page.get_by_role("button", name="Continue to Salesforce")).to_be_visible()


async def test_the_form_works_without_scripts_and_on_a_phone(browser: Browser, acme: SalesforceWorld) -> None:
    """It is plain HTML, and nothing is wider than the screen."""
    context = await browser.new_context(java_script_enabled=False, viewport={"width": 360, "height": 740})
    page = await context.new_page()
    await page.goto(acme.connect_link())
    box = await page.locator("form").bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= 360
    await page.get_by_role("button", name="Continue to Salesforce").click()
    await consent(page, acme, "Allow")
    await expect(page.get_by_text("Acme Corp in Salesforce is connected to Acme in Slack.")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") == 360
    levels = await page.locator("h1, h2, h3").evaluate_all("all => all.map(one => Number(one.tagName[1]))")
    assert levels == [1, 2]
    await context.close()
