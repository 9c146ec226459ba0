"""Connecting Salesforce in a browser, with real HTTP on all sides."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import aiohttp
import pytest

from domain.salesforce import SalesforceApp
from services.salesforce.connect import ATTEMPT_SECONDS
from store import audit
from store.salesforce import apps
from tests.listeners.salesforce.salesforce_world import SalesforceWorld, open_salesforce_world


@pytest.fixture
async def acme(database_url: str) -> AsyncIterator[SalesforceWorld]:
    async with open_salesforce_world(database_url) as made:
        yield made


@pytest.mark.both_databases
async def test_an_admin_connects(acme: SalesforceWorld) -> None:
    """The page shows org, user, edition and API use, and the audit log has who connected."""
    page = await acme.connect()

    for fact in ("Acme Corp", "sandbox", "Enterprise Edition", "Ines Integration", "of 15,000"):
        assert fact in page
    connection = await acme.connection()
    assert connection is not None
    assert (connection.connected_by, connection.user_id, connection.flow) == (
        acme.dana.id,
        acme.integration,
        "web_server",
    )
    assert connection.refresh_token in acme.org.oauth.refresh_tokens
    done = (await acme.app.database.run(audit.recent, acme.team.id))[0]
    assert (done.actor, done.action) == (acme.dana.id, "salesforce_connected")
    assert "Acme Corp" in done.detail


async def test_the_page_needs_a_link_from_app_home(acme: SalesforceWorld) -> None:
    """Without the sealed link, or with an expired or invalid one, it shows how to get one."""
    assert "This link has expired" in await acme.get(f"{acme.url}/salesforce/connect", status=403)
    assert "This link has expired" in await acme.get(f"{acme.url}/salesforce/connect?link=made-up", status=403)
    link = acme.connect_link()
    assert "Continue to Salesforce" in await acme.get(link)
    acme.clock_offset = 16 * 60
    await acme.get(link, status=403)
    await acme.submit_connect_form(link, status=403)
    assert await acme.connection() is None


async def test_only_admins_can_connect(acme: SalesforceWorld) -> None:
    """Slack is asked at the start, and again when the browser comes back."""
    assert "Only admins can connect" in await acme.submit_connect_form(acme.connect_link(acme.noor), status=403)
    back = await acme.answer_consent(await acme.submit_connect_form())
    acme.dana.is_admin = False
    await acme.get(back, status=403)
    assert await acme.connection() is None


async def test_an_attempt_works_once(acme: SalesforceWorld) -> None:
    """A second callback changes nothing."""
    back = await acme.answer_consent(await acme.submit_connect_form())
    await acme.get(back)
    first = await acme.connection()
    assert "This link has expired" in await acme.get(back, status=400)
    assert await acme.connection() == first


async def test_an_attempt_expires_after_ten_minutes(acme: SalesforceWorld) -> None:
    """The admin then has to start again."""
    back = await acme.answer_consent(await acme.submit_connect_form())
    acme.clock_offset = ATTEMPT_SECONDS + 1
    await acme.get(back, status=400)
    assert await acme.connection() is None


async def test_an_attempt_belongs_to_its_browser(acme: SalesforceWorld) -> None:
    """A callback in another browser connects nothing and uses the attempt up."""
    back = await acme.answer_consent(await acme.submit_connect_form())
    async with aiohttp.ClientSession() as stranger, stranger.get(back) as answer:
        assert answer.status == 400
    await acme.get(back, status=400)
    assert await acme.connection() is None


@pytest.mark.parametrize("query", ["", "code=x", "state=x", "code=x&state=x", "error=access_denied&state=x"])
async def test_an_invalid_callback_connects_nothing(acme: SalesforceWorld, query: str) -> None:
    """Salesforce is not called."""
    await acme.submit_connect_form()
    assert "This link has expired" in await acme.get(f"{acme.url}/salesforce/callback?{query}", status=400)
    assert acme.org.calls == []


async def test_an_admin_who_denies_consent_can_try_again(acme: SalesforceWorld) -> None:
    """Nothing is connected, and the page links back to the form."""
    page = await acme.get(await acme.answer_consent(await acme.submit_connect_form(), "deny"))
    assert "Salesforce not connected" in page
    assert "/salesforce/connect?link=" in page
    assert await acme.connection() is None


async def test_links_after_failed_attempts_expire_with_the_first_one(acme: SalesforceWorld) -> None:
    """A stolen link cannot be kept alive by attempts that fail."""
    page = await acme.get(await acme.answer_consent(await acme.submit_connect_form(), "deny"))
    again = re.search(r"/salesforce/connect\?link=[^\"&]+", page)
    assert again
    await acme.get(acme.url + again[0])

    acme.clock_offset = 601

    assert "This link has expired" in await acme.get(acme.url + again[0], status=403)


async def test_an_error_description_is_not_trusted(acme: SalesforceWorld) -> None:
    """The error code is shown, but no markup and no address."""
    back = await acme.answer_consent(await acme.submit_connect_form())
    state = back.rpartition("state=")[2]
    trouble = f"error=redirect_uri_mismatch&error_description=%3Cb%3Ego+to+https://evil.example&state={state}"
    page = await acme.get(f"{acme.url}/salesforce/callback?{trouble}", status=400)
    assert "redirect_uri_mismatch" in page
    assert "callback URL" in page
    assert "<b>" not in page
    assert "https://evil" not in page


async def test_a_code_for_another_verifier_is_refused(acme: SalesforceWorld) -> None:
    """PKCE: a code works only with the verifier of its own challenge."""
    link = await acme.submit_connect_form()
    other = await acme.submit_connect_form()  # in the same browser: its cookie takes the place of the first
    stolen = await acme.answer_consent(link)
    code = stolen.partition("code=")[2].partition("&")[0]
    state = (await acme.answer_consent(other)).rpartition("state=")[2]
    page = await acme.get(f"{acme.url}/salesforce/callback?code={code}&state={state}", status=409)
    assert "invalid code verifier" in page
    assert await acme.connection() is None


async def test_an_outage_changes_nothing(acme: SalesforceWorld) -> None:
    """The page says that Salesforce did not respond."""
    acme.org.faults.add("token", status=503)
    back = await acme.answer_consent(await acme.submit_connect_form())
    assert "did not respond" in await acme.get(back, status=503)
    assert await acme.connection() is None


async def test_an_org_whose_name_cannot_be_read_is_connected(acme: SalesforceWorld) -> None:
    """The page says that the name could not be read."""
    acme.org.org.hide_type("Organization")
    page = await acme.connect()
    assert "could not be read" in page
    assert "Ines Integration" in page


async def test_a_connection_without_a_refresh_token_shows_a_warning(acme: SalesforceWorld) -> None:
    """Without the scope refresh_token the session cannot be renewed."""
    page = (await acme.submit_connect_form()).replace("api+refresh_token", "api")
    assert "returned no refresh token" in await acme.get(await acme.answer_consent(page))
    connection = await acme.connection()
    assert connection is not None
    assert connection.refresh_token is None


async def test_connecting_again_replaces_the_connection(acme: SalesforceWorld) -> None:
    """This also resolves a revoked token."""
    await acme.connect()
    first = await acme.connection()
    await acme.connect()
    second = await acme.connection()
    assert first is not None
    assert second is not None
    assert first.refresh_token != second.refresh_token


@pytest.mark.parametrize("typed", ["evil.example", "acme.my.salesforce.com.evil.example", "", "10.0.0.1"])
async def test_a_domain_outside_salesforce_is_refused(acme: SalesforceWorld, typed: str) -> None:
    """The page says what to enter and keeps the typed text."""
    page = await acme.submit_connect_form(status=400, choice="domain", domain=typed)
    assert "such as acme.my.salesforce.com" in page
    assert f'value="{typed}"' in page


async def test_a_workspace_may_have_its_own_app(sqlite_url: str) -> None:
    """Without any app the page says what is missing. The workspace's own is stored encrypted."""
    async with open_salesforce_world(sqlite_url, has_app=False) as acme:
        page = await acme.get(acme.connect_link(), status=409)
        assert f"{acme.url}/salesforce/callback" in page
        own = SalesforceApp("3MVG9sample", "sample-secret", acme.dana.id, acme.now())
        await acme.app.database.run(apps.save, acme.cipher, acme.team.id, own)
        await acme.connect()
        connection = await acme.connection()
        assert connection is not None
        assert connection.client_id == "3MVG9sample"
        await acme.app.database.run(apps.remove, acme.team.id)
        connection = await acme.connection()
        assert connection is not None
        assert connection.client_secret == "sample-secret"


async def test_with_a_cloud_login_url_all_three_choices_are_offered(sqlite_url: str) -> None:
    """Production, sandbox and My Domain each lead to their own host."""
    async with open_salesforce_world(sqlite_url, login_url="https://login.salesforce.com") as acme:
        page = await acme.get(acme.connect_link())
        assert all(choice in page for choice in ('value="production"', 'value="sandbox"', 'value="domain"'))
        for form, host in (
            ({"choice": "production"}, "https://login.salesforce.com/"),
            ({"choice": "sandbox"}, "https://test.salesforce.com/"),
            ({"choice": "domain", "domain": "acme--uat.sandbox"}, "https://acme--uat.sandbox.my.salesforce.com/"),
        ):
            if form["choice"] == "domain":
                form["domain"] += ".my.salesforce.com"
            departing = await acme.submit_connect_form(**form)
            assert f'content="0; url={host}services/oauth2/authorize?' in departing
            assert "code_challenge_method=S256" in departing
