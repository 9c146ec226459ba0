"""From the installation in a browser to the message: a killed app loses and repeats nothing."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import aiohttp
import pytest
from playwright.async_api import async_playwright, expect

from sandbox.samples import DEFAULT_CHANNEL
from sandbox.sender import Sender
from tests.acceptance.process import Deployment, open_deployment, wait_for_outcomes, wait_until
from tests.conftest import CHROMIUM, NEEDS_CHROMIUM

OWNERS, JOB_CHANGES = 4, 100

pytestmark = [
    pytest.mark.process,
    pytest.mark.browser,
    NEEDS_CHROMIUM,
]


async def install(app: Deployment) -> None:
    """Install the app in a browser, as an admin does."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = await browser.new_page()
        await page.goto(app.url)
        await page.get_by_role("link", name="Add to Slack").click()
        await page.get_by_label("Sign in as").select_option(app.office.admin.id)
        await page.get_by_role("button", name="Allow").click()
        await page.get_by_label(DEFAULT_CHANNEL).check()
        await page.get_by_role("button", name=f"Use #{DEFAULT_CHANNEL}").click()
        await expect(page.get_by_text(f"#{DEFAULT_CHANNEL}").first).to_be_visible()
        await browser.close()


def add_owners(app: Deployment) -> list[str]:
    """Add Salesforce users who are members in Slack too. Returns their Salesforce ids."""
    ids = []
    for number in range(OWNERS):
        name, email = f"Owner {number:02}", f"owner{number:02}@acme.example"
        app.slack.add_user(app.office.team, name, email)
        ids.append(app.salesforce.add("User", FirstName="Owner", LastName=f"{number:02}", Email=email))
    return ids


def add_contact_and_job_change(app: Deployment, owner: str, number: int) -> dict[str, Any]:
    """A job change of a new contact of this owner, with a unique name."""
    name, email = f"Person {number:03}", f"person{number:03}@initech.example"
    app.salesforce.add("Contact", FirstName="Person", LastName=f"{number:03}", Email=email, OwnerId=owner)
    return {
        "source": "acceptance",
        "source_event_id": f"event-{number}",
        "signal": "contact_tracking",
        "change_type": "new_company",
        "person": {"full_name": name, "emails": [email]},
        "current": {"title": "CRO", "company": {"name": "Globex"}},
    }


async def send_until_answered(sender: Sender, body: dict[str, Any]) -> str:
    """Retry until there is a response, as senders should. Returns the id."""
    while True:
        try:
            status, answer = await sender.post(body)
        except aiohttp.ClientError:
            await asyncio.sleep(0.05)
            continue
        assert status in {200, 202}, answer
        return answer["id"]


async def test_every_accepted_job_change_is_delivered_once_even_when_the_app_is_killed(tmp_path):
    """Every job change that got 202 or 200 has one outcome and one message."""
    async with open_deployment(tmp_path) as app:
        app.slack.api.latency = 0.1  # so that the kill interrupts some calls
        process = await app.serve()
        await install(app)
        owners = add_owners(app)
        bodies = [add_contact_and_job_change(app, owners[number % OWNERS], number) for number in range(JOB_CHANGES)]
        key = (await app.run("intake-key", "--workspace", app.office.team.id)).out.strip()

        async with Sender.of(app.url, app.office.team.id, key) as sender:
            # Every owner gets one message first: the app can look for messages only in conversations that exist.
            early = [await send_until_answered(sender, body) for body in bodies[:OWNERS]]
            await wait_for_outcomes(sender, early)
            early += [await send_until_answered(sender, body) for body in bodies[OWNERS : JOB_CHANGES // 2]]
            late = [asyncio.create_task(send_until_answered(sender, body)) for body in bodies[JOB_CHANGES // 2 :]]
            await wait_until(lambda: len(app.direct_messages()) > OWNERS)
            killed = await app.stop(process, signal.SIGKILL)
            sent_before = len(app.direct_messages())
            process = await app.serve()
            ids = early + await asyncio.gather(*late)
            job_changes = await wait_for_outcomes(sender, ids)
        result = await app.stop(process, signal.SIGTERM)

        texts = app.direct_messages()
        messages = {number: sum(f"Person {number:03} " in text for text in texts) for number in range(JOB_CHANGES)}
        assert killed.status == -signal.SIGKILL
        assert sent_before < len(texts), "the process was killed too late"
        assert len(set(ids)) == JOB_CHANGES
        assert {(job_change["outcome"], job_change["sent_to"]) for job_change in job_changes} == {("delivered", "dri")}
        assert set(messages.values()) == {1}, messages
        assert (result.status, result.err) == (0, "")
