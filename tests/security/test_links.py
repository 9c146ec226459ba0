"""States, links and callbacks of OAuth: forged, used again, and carried from one browser to another."""

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
    """Come back from Slack in this browser, with a code that is good; the status."""
    address = f"{here.url}/slack/oauth_redirect"
    code = here.slack.issue_code(here.dana.id, MANIFEST.scopes, address)
    async with http.get(address, params={"code": code, "state": state}, allow_redirects=False) as answer:
        return answer.status


async def test_states_of_slacks_oauth_cannot_be_forged_reused_or_swapped(here: InstallWorld) -> None:
    """A hundred made up, one used twice, one begun elsewhere: nothing is installed by any of them."""
    asked = await here.start_install()
    for _ in range(50):
        assert await callback(here, here.http, secrets.token_urlsafe(24)) == 400
    for nearly in (asked["state"][:-1], asked["state"] + "0", asked["state"].upper(), "", "\x00", "é"):
        assert await callback(here, here.http, nearly) == 400
    async with aiohttp.ClientSession() as another:
        assert await callback(here, another, asked["state"]) == 400
    assert here.slack.world.tokens == {}

    asked = await here.start_install()
    assert await callback(here, here.http, asked["state"]) == 303
    assert await callback(here, here.http, asked["state"]) == 400


async def test_a_channel_link_opens_nothing_in_another_browser(here: InstallWorld) -> None:
    """Whoever finds the address, in a history or a screenshot, has not the cookie beside it."""
    link = await here.install(here.dana)
    form = {"link": parse_qs(urlsplit(link).query)["link"][0], "channel": next(iter(here.slack.world.channels))}
    async with aiohttp.ClientSession() as another:
        for cookies in ({}, {"default_channel": secrets.token_urlsafe(32)}, {"default_channel": ""}):
            async with another.get(link, cookies=cookies) as answer:
                assert answer.status == 403
                assert "This link is no longer valid" in await answer.text()
            async with another.post(link.partition("?")[0], data=form, cookies=cookies) as answer:
                assert answer.status == 403

    assert "signals" in await here.get_page(link)


async def test_a_channel_link_is_no_use_for_another_installation(here: InstallWorld) -> None:
    """Sealed by us with other claims, or of a workspace where the app is not installed: nothing."""
    link = await here.install(here.dana)
    (cookie,) = [each for each in here.http.cookie_jar if each.key == "default_channel"]
    assert cookie["httponly"]
    claims = {"workspace_id": "T_NONE", "team_id": "", "app_id": "", "user_id": here.dana.id}
    sealed = here.cipher.seal(CHANNEL_PURPOSE, {**claims, "installed_at": "1", "browser": cookie.value})
    assert link
    await here.get_page(f"{here.url}/slack/default-channel?link={sealed}", status=403)


@pytest.fixture
async def acme(sqlite_url: str) -> AsyncIterator[SalesforceWorld]:
    async with open_salesforce_world(sqlite_url) as made:
        yield made


async def test_a_salesforce_callback_with_anothers_state_connects_nothing(acme: SalesforceWorld) -> None:
    """Somebody's own org, slipped to an admin; or an admin's attempt, finished in somebody's browser."""
    callback = await acme.answer_consent(await acme.submit_connect_form())
    async with aiohttp.ClientSession() as another:
        for address in (callback, callback.replace("state=", "state=x"), f"{acme.url}/salesforce/callback?code=1"):
            async with another.get(address, cookies={"salesforce_connect": secrets.token_urlsafe(32)}) as answer:
                assert answer.status == 400
    assert (await acme.connection()) is None
    assert "attempt is over" in await acme.get(callback, status=400)  # whoever tried has used it up
