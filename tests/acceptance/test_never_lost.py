"""The promise, from the browser to the message: installed, killed in the middle, started again, nothing lost."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import aiohttp
import pytest
from playwright.async_api import async_playwright, expect

from sandbox.samples import DEFAULT_CHANNEL
from sandbox.sender import Sender
from sandbox.slack.page.picture import CHROMIUM
from tests.acceptance.process import Served, ended_all, surroundings, until

OWNERS, JOB_CHANGES = 4, 100

pytestmark = [
    pytest.mark.process,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here"),
]


async def install(served: Served) -> None:
    """As an admin does it: the landing page, Slack's question, the default channel."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = await browser.new_page()
        await page.goto(served.url)
        await page.get_by_role("link", name="Add to Slack").click()
        await page.get_by_label("Sign in as").select_option(served.office.admin.id)
        await page.get_by_role("button", name="Allow").click()
        await page.get_by_label(DEFAULT_CHANNEL).check()
        await page.get_by_role("button", name=f"Use #{DEFAULT_CHANNEL}").click()
        await expect(page.get_by_text(f"#{DEFAULT_CHANNEL}").first).to_be_visible()
        await browser.close()


def hire_owners(served: Served) -> list[str]:
    """Salesforce users who are in Slack too; their Salesforce ids."""
    ids = []
    for number in range(OWNERS):
        name, email = f"Owner {number:02}", f"owner{number:02}@acme.example"
        served.slack.add_user(served.office.team, name, email)
        ids.append(served.salesforce.add("User", FirstName="Owner", LastName=f"{number:02}", Email=email))
    return ids


def job_change(served: Served, owner: str, number: int) -> dict[str, Any]:
    """Of a contact of this owner's, with a name that no other has."""
    name, email = f"Person {number:03}", f"person{number:03}@initech.example"
    served.salesforce.add("Contact", FirstName="Person", LastName=f"{number:03}", Email=email, OwnerId=owner)
    return {
        "source": "acceptance",
        "source_event_id": f"event-{number}",
        "signal": "contact_tracking",
        "change_type": "new_company",
        "person": {"full_name": name, "emails": [email]},
        "current": {"title": "CRO", "company": {"name": "Globex"}},
    }


async def send_until_answered(sender: Sender, body: dict[str, Any]) -> str:
    """As a sender should: what got no answer is sent again. The id that was answered."""
    while True:
        try:
            status, answer = await sender.post(body)
        except aiohttp.ClientError:
            await asyncio.sleep(0.05)
            continue
        assert status in {200, 202}, answer
        return answer["id"]


async def test_what_was_accepted_is_told_once_though_the_app_is_killed_in_the_middle(tmp_path):
    """Every job change answered with 202 or 200 has one outcome and one message, whenever the process dies."""
    async with surroundings(tmp_path) as served:
        served.slack.api.latency = 0.1  # so that some calls are under way when it dies
        process = await served.serve()
        await install(served)
        owners = hire_owners(served)
        bodies = [job_change(served, owners[number % OWNERS], number) for number in range(JOB_CHANGES)]
        key = (await served.run("intake-key", "--workspace", served.office.team.id)).out.strip()

        async with Sender.of(served.url, served.office.team.id, key) as sender:
            # Everybody has a direct message already: our scopes do not let us look for the very first one.
            early = [await send_until_answered(sender, body) for body in bodies[:OWNERS]]
            await ended_all(sender, early)
            early += [await send_until_answered(sender, body) for body in bodies[OWNERS : JOB_CHANGES // 2]]
            late = [asyncio.create_task(send_until_answered(sender, body)) for body in bodies[JOB_CHANGES // 2 :]]
            await until(lambda: len(served.direct_messages()) > OWNERS)
            killed = await served.end(process, signal.SIGKILL)
            told_before = len(served.direct_messages())
            process = await served.serve()
            ids = early + await asyncio.gather(*late)
            found = await ended_all(sender, ids)
        ended = await served.end(process, signal.SIGTERM)

        texts = served.direct_messages()
        times_told = {number: sum(f"Person {number:03} " in text for text in texts) for number in range(JOB_CHANGES)}
        assert killed.status == -signal.SIGKILL
        assert told_before < len(texts), "it was killed too late to show anything"
        assert len(set(ids)) == JOB_CHANGES
        assert {(each["outcome"], each["told"]) for each in found} == {("delivered", "dri")}
        assert set(times_told.values()) == {1}, times_told
        assert (ended.status, ended.err) == (0, "")
