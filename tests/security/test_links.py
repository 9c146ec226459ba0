"""OAuth states, links and callbacks cannot be forged, reused or moved to another browser."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from listeners.slack.links import CHANNEL_PURPOSE
from store.database import Database
from tests.listeners.salesforce.salesforce_world import SalesforceWorld, open_salesforce_world
from tests.listeners.slack.install_world import MANIFEST, InstallWorld, open_install_world


@pytest.fixture
async def here(sqlite_url: str) -> AsyncIterator[InstallWorld]:
    database = Database(sqlite_url)
    async with open_install_world(database) as made:
        made.slack.add_channel(made.team, "signals")
        yield made
    await database.close()


async def callback(here: InstallWorld, http: aiohttp.ClientSession, state: str) -> int:
    """Return from Slack in this browser with a valid code. Returns the status."""
    address = f"{here.url}/slack/oauth_redirect"
    code = here.slack.issue_code(here.dana.id, MANIFEST.scopes, address)
    async with http.get(address, params={"code": code, "state": state}, allow_redirects=False) as answer:
        return answer.status


async def test_slack_oauth_states_cannot_be_forged_reused_or_swapped(here: InstallWorld) -> None:
    """A made-up state, a used state and another browser's state all get 400 and install nothing."""
    consent = await here.start_install()
    for _ in range(50):
        assert await callback(here, here.http, secrets.token_urlsafe(24)) == 400
    for wrong_state in (consent["state"][:-1], consent["state"] + "0", consent["state"].upper(), "", "\x00", "é"):
        assert await callback(here, here.http, wrong_state) == 400
    async with aiohttp.ClientSession() as another:
        assert await callback(here, another, consent["state"]) == 400
    assert here.slack.world.tokens == {}

    consent = await here.start_install()
    assert await callback(here, here.http, consent["state"]) == 303
    assert await callback(here, here.http, consent["state"]) == 400


async def test_a_channel_link_does_not_work_in_another_browser(here: InstallWorld) -> None:
    """The link alone, from a browser history or a screenshot, is useless without its cookie."""
    link = await here.install(here.dana)
    form = {"link": parse_qs(urlsplit(link).query)["link"][0], "channel": next(iter(here.slack.world.channels))}
    async with aiohttp.ClientSession() as another:
        for cookies in ({}, {"default_channel": secrets.token_urlsafe(32)}, {"default_channel": ""}):
            async with another.get(link, cookies=cookies) as answer:
                assert answer.status == 403
                assert "This link has expired" in await answer.text()
            async with another.post(link.partition("?")[0], data=form, cookies=cookies) as answer:
                assert answer.status == 403

    assert "signals" in await here.get_page(link)


async def test_a_channel_link_does_not_work_for_another_installation(here: InstallWorld) -> None:
    """A link sealed for a workspace without the app gets 403."""
    link = await here.install(here.dana)
    (cookie,) = [cookie for cookie in here.http.cookie_jar if cookie.key == "default_channel"]
    assert cookie["httponly"]
    claims = {"workspace_id": "T_NONE", "team_id": "", "app_id": "", "user_id": here.dana.id}
    sealed = here.cipher.seal(CHANNEL_PURPOSE, {**claims, "installed_at": "1", "browser": cookie.value})
    assert link
    await here.get_page(f"{here.url}/slack/default-channel?link={sealed}", status=403)


@pytest.fixture
async def acme(sqlite_url: str) -> AsyncIterator[SalesforceWorld]:
    async with open_salesforce_world(sqlite_url) as made:
        yield made


async def test_a_salesforce_callback_with_another_browsers_state_is_refused(acme: SalesforceWorld) -> None:
    """Neither can an attacker give an admin their own org, nor finish an admin's attempt in another browser."""
    callback = await acme.answer_consent(await acme.submit_connect_form())
    async with aiohttp.ClientSession() as another:
        for address in (callback, callback.replace("state=", "state=x"), f"{acme.url}/salesforce/callback?code=1"):
            async with another.get(address, cookies={"salesforce_connect": secrets.token_urlsafe(32)}) as answer:
                assert answer.status == 400
    assert (await acme.connection()) is None
    assert "This link has expired" in await acme.get(callback, status=400)  # the refused callback used up the state
