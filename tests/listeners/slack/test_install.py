"""Installing the app in a browser, over real HTTP against a sandbox Slack."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from html import unescape
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import aiohttp
import pytest
from sqlalchemy import insert, select

from domain.states import DEFAULT_CHANNEL
from listeners.slack.install import plain
from listeners.slack.oauth import failure
from sandbox.slack.state import Team, User
from store import audit
from store.database import Database
from store.schema import lanes as lanes_table
from store.slack import workspaces
from tests.listeners.slack.install_world import MANIFEST, InstallWorld, break_database, open_install_world


@pytest.fixture
async def acme(database: Database) -> AsyncIterator[InstallWorld]:
    async with open_install_world(database) as made:
        yield made


@pytest.fixture
async def here(sqlite_url: str) -> AsyncIterator[InstallWorld]:
    """The same on SQLite only, for tests in which the database does not matter."""
    database = Database(sqlite_url)
    async with open_install_world(database) as made:
        yield made
    await database.close()


# The landing page


async def test_the_landing_page_gives_a_reason_for_every_permission(here: InstallWorld) -> None:
    """Admins can read the reasons before Slack asks them to allow the permissions."""
    page = await here.get_page(here.url + "/")

    assert all(f"<code>{scope}</code>" in page for scope in MANIFEST.scopes)
    assert page.count("<dd>") == len(MANIFEST.scopes)
    assert page.count("optional</span>") == len(MANIFEST.optional_scopes)
    assert 'href="/slack/install"' in page
    assert "admin or owner" in page
    assert "not approved" in page


async def test_without_credentials_the_landing_page_explains_how_to_create_the_app(sqlite_url: str) -> None:
    """It links to Slack's page with the manifest filled in."""
    database = Database(sqlite_url)
    async with open_install_world(database, has_credentials=False) as made:
        page = await made.get_page(made.url + "/")
        async with made.http.get(made.url + "/slack/install") as answer:
            assert str(answer.url) == made.url + "/"
        async with made.http.get(made.url + "/slack/oauth_redirect") as answer:
            assert str(answer.url) == made.url + "/"

    assert "https://api.slack.com/apps?new_app=1" in page
    assert quote(f"{made.url}/slack/events", safe="") in page
    assert "SLACK_SIGNING_SECRET" in page
    assert 'href="/slack/install"' not in page
    await database.close()


# OAuth


async def test_add_to_slack_redirects_to_slacks_consent_page(acme: InstallWorld) -> None:
    """It requests the scopes of the manifest, and no user scopes."""
    async with acme.http.get(f"{acme.url}/slack/install", allow_redirects=False) as answer:
        location = urlsplit(answer.headers["Location"])
        cookie = answer.headers["Set-Cookie"]

    query = parse_qs(location.query, keep_blank_values=True)
    assert f"{location.scheme}://{location.netloc}" == acme.slack.url
    assert query["scope"] == [",".join(MANIFEST.scopes)]
    assert query["user_scope"] == [""]
    assert query["client_id"] == [acme.slack.app.client_id]
    assert query["redirect_uri"] == [f"{acme.url}/slack/oauth_redirect"]
    assert all(flag in cookie for flag in ("HttpOnly", "SameSite=Lax", "Max-Age=600"))

    assert f"slack-app-oauth-state={query['state'][0]}" in cookie


@pytest.mark.parametrize(("public_url", "is_secure"), [("https://signals.example.com", True), (None, False)])
async def test_the_cookie_is_secure_if_the_public_url_is_https(
    database: Database, public_url: str | None, is_secure: bool
):
    """Not every client sends a secure cookie back to http://localhost."""
    async with open_install_world(database, public_url=public_url) as acme:
        async with acme.http.get(f"{acme.url}/slack/install", allow_redirects=False) as answer:
            assert ("; Secure" in answer.headers["Set-Cookie"]) == is_secure
        async with acme.http.get(f"{acme.url}/slack/oauth_redirect") as answer:
            assert ("; Secure" in answer.headers["Set-Cookie"]) == is_secure


async def test_a_workspace_can_be_preselected_without_injecting_parameters(here: InstallWorld) -> None:
    """The value of `team` becomes part of Slack's URL and must not add scopes to it."""
    assert (await here.start_install("/slack/install?team=T0001"))["team"] == "T0001"
    slipped = await here.start_install("/slack/install?team=T1%26scope%3Dadmin")
    assert "team" not in slipped
    assert slipped["scope"] == ",".join(MANIFEST.scopes)


async def test_after_allowing_the_channels_page_is_shown(acme: InstallWorld) -> None:
    """The code is exchanged for a token, the workspace is stored and its channels are listed."""
    acme.slack.add_channel(acme.team, "signals")
    acme.slack.add_channel(acme.team, "old-stuff", is_archived=True)
    acme.slack.add_channel(acme.team, "secret", is_private=True)

    page = await acme.get_page(await acme.install(acme.dana))

    assert "<b>signals</b>" in page
    assert "old-stuff" not in page
    assert "secret" not in page
    workspace = await acme.database.run(workspaces.find, acme.team.id)
    assert workspace is not None
    assert workspace.installer_user_id == acme.dana.id
    assert workspace.scopes == set(MANIFEST.scopes)
    assert await acme.installations.bot_token(acme.team.id) == acme.slack.world.active_token(acme.team.id).value


async def test_the_redirects_through_slacks_page_work(here: InstallWorld) -> None:
    """A browser gets from our button through Slack's form to the channels by redirects alone."""
    here.slack.add_channel(here.team, "signals")
    async with here.http.get(f"{here.url}/slack/install") as consent:
        query = dict(consent.url.query)
        form = {**query, "user": here.dana.id, "optional": "im:history", "decision": "allow"}
        address = consent.url.with_query(None)

    async with here.http.post(address, data=form) as answer:
        assert answer.status == 200
        assert answer.url.path == "/slack/default-channel"
        assert "signals" in await answer.text()


async def test_optional_permissions_can_be_declined(here: InstallWorld) -> None:
    """The granted scopes are stored."""
    query = await here.start_install()
    granted = set(MANIFEST.scopes) - set(MANIFEST.optional_scopes)
    code = here.slack.issue_code(here.dana.id, granted, query["redirect_uri"])

    async with here.http.get(
        query["redirect_uri"], params={"code": code, "state": query["state"]}, allow_redirects=False
    ) as answer:
        assert answer.status == 303
        assert 'slack-app-oauth-state=""' in str(answer.headers.getall("Set-Cookie"))

    workspace = await here.database.run(workspaces.find, here.team.id)
    assert workspace is not None
    assert workspace.scopes == granted


async def test_canceling_shows_that_nothing_was_installed(here: InstallWorld) -> None:
    """Canceling is not an error, and the page offers to start again."""
    query = await here.start_install()

    page = await here.get_page(f"{query['redirect_uri']}?error=access_denied&state={query['state']}")

    assert "Nothing was installed" in page
    assert f'href="{here.url}/slack/install"' in page


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?state=&code=1",
        "?code=1",
        "?state=made-up&code=1",
        "?state=a&state=b&code=1",
        "?%FF=%FF&state=%00",
        "?code",
    ],
)
async def test_a_callback_without_a_started_installation_is_refused(here: InstallWorld, query: str) -> None:
    """A stranger's link must not complete an installation in someone's browser."""
    page = await here.get_page(f"{here.url}/slack/oauth_redirect{query}", status=400)

    assert "The installation cannot be completed in this browser" in page
    assert "Start again" in page
    assert here.slack.calls == []


async def test_another_browser_cannot_complete_an_installation(here: InstallWorld) -> None:
    """The state is tied to the cookie of the browser that started it."""
    query = await here.start_install()
    code = here.slack.issue_code(here.dana.id, MANIFEST.scopes, query["redirect_uri"])
    async with (
        aiohttp.ClientSession() as other,
        other.get(query["redirect_uri"], params={"code": code, "state": query["state"]}) as answer,
    ):
        assert answer.status == 400
        assert "The installation cannot be completed in this browser" in await answer.text()


async def test_a_used_state_is_refused(here: InstallWorld) -> None:
    """Going back and reloading does not install twice."""
    asked = await here.start_install()
    code = here.slack.issue_code(here.dana.id, MANIFEST.scopes, asked["redirect_uri"])
    query = {"code": code, "state": asked["state"]}
    cookie = {"Cookie": f"slack-app-oauth-state={asked['state']}"}
    async with here.http.get(asked["redirect_uri"], params=query, headers=cookie, allow_redirects=False) as first:
        assert first.status == 303

    async with here.http.get(asked["redirect_uri"], params=query, headers=cookie) as second:
        assert second.status == 400
        assert "This link has expired" in await second.text()


async def test_an_expired_state_is_refused(here: InstallWorld) -> None:
    """After 10 minutes the installation must be started again."""
    query = await here.start_install()
    here.clock_offset = 601

    page = await here.get_page(f"{query['redirect_uri']}?code=1&state={query['state']}", status=400)

    assert "This link has expired" in page


async def test_a_missing_code_is_reported(here: InstallWorld) -> None:
    """Slack redirected with the state but without a code."""
    query = await here.start_install()

    page = await here.get_page(f"{query['redirect_uri']}?state={query['state']}", status=400)

    assert "without the code" in page


@pytest.mark.parametrize(
    ("error", "text"),
    [
        ("invalid_code", "already used or has expired"),
        ("bad_client_secret", "Check SLACK_CLIENT_ID and SLACK_CLIENT_SECRET"),
        ("bad_redirect_uri", "redirect URLs"),
    ],
)
async def test_a_refused_code_is_reported_with_its_reason(here: InstallWorld, error: str, text: str) -> None:
    """Either the installer starts again, or the operator corrects the settings."""
    here.slack.faults.add("oauth.v2.access", error)
    answer = await here.approve_install(here.dana)

    page = await answer.text()

    assert answer.status == 400
    assert "Slack did not complete the installation" in page
    assert text in page
    assert await here.database.run(workspaces.find, here.team.id) is None


@pytest.mark.parametrize("method", ["oauth.v2.access", "auth.test"])
@pytest.mark.parametrize(
    "fault",
    [
        {"drop": "before"},
        {"status": 503},
        {"status": 502, "body": b"<html>bad gateway</html>"},
        {"retry_after": 30},
        {"body": b"[]"},
        {"body": b"{}"},
        {"error": "internal_error"},
    ],
    ids=["cut off", "503", "html", "429", "a list", "empty", "internal_error"],
)
async def test_an_unresponsive_slack_is_not_reported_as_a_refused_code(
    here: InstallWorld, method: str, fault: dict[str, object]
) -> None:
    """The installer made no mistake, and trying again may help."""
    here.slack.faults.add(method, **fault)  # type: ignore[arg-type]
    answer = await here.approve_install(here.dana)

    assert answer.status == 503
    assert answer.headers["Retry-After"] == "30"
    assert "Slack is not responding" in await answer.text()
    assert await here.installations.bot_token(here.team.id) is None


async def test_an_unavailable_database_is_reported(acme: InstallWorld) -> None:
    """The page shows no stack trace, and does not claim success."""
    query = await acme.start_install()
    code = acme.slack.issue_code(acme.dana.id, MANIFEST.scopes, query["redirect_uri"])
    break_database(acme.database)

    answer = await acme.http.get(query["redirect_uri"], params={"code": code, "state": query["state"]})

    assert answer.status == 503
    assert "our database is not responding" in await answer.text()


@pytest.mark.parametrize("reason", ["<script>alert(1)</script>", "x" * 500, "Weird Reason", ""])
def test_a_forged_reason_is_not_shown(reason: str) -> None:
    """Anyone can set the `error` parameter, so only error codes are shown."""
    notice = failure(reason, "https://gems.example.com")

    assert "Slack gave no reason" in notice.text[0]


def test_an_unknown_error_code_is_shown() -> None:
    """It helps to look it up."""
    assert "error code is invalid_team" in failure("invalid_team", "https://gems.example.com").text[0]


# Access to the channels page


async def test_a_member_is_not_asked_for_a_channel_that_is_set(acme: InstallWorld) -> None:
    """The page is no error, and says that nothing is left to do."""
    await acme.install(acme.dana)
    chosen = {"default_channel_id": "C0WINS", "default_channel_name": "wins"}
    await acme.database.run(workspaces.change, acme.team.id, None, **chosen)

    page = await acme.get_page(await acme.install(acme.noor))

    assert "An admin has chosen the default channel already: #wins." in page
    assert "choose the default" not in page


async def test_a_member_is_asked_to_contact_an_admin(acme: InstallWorld) -> None:
    """The app is installed, but only an admin can choose the default channel."""
    link = await acme.install(acme.noor)

    page = await acme.get_page(link)

    assert "A workspace admin needs to finish setup" in page
    assert "https://slack.com/app_redirect?team=" in page
    assert 'name="link"' not in page
    assert quote(link.partition("link=")[2]) not in page


async def test_a_member_cannot_choose_the_default_channel(acme: InstallWorld) -> None:
    """Hiding the form is not enough."""
    channel = acme.slack.add_channel(acme.team, "signals")
    link = await acme.install(acme.noor)

    await acme.choose_channel(link, channel.id, status=403)

    workspace = await acme.database.run(workspaces.find, acme.team.id)
    assert workspace is not None
    assert workspace.default_channel_id is None


@pytest.mark.parametrize("role", ["is_admin", "is_owner", "is_primary_owner"])
async def test_admins_and_owners_can_choose_the_default_channel(here: InstallWorld, role: str) -> None:
    """Slack has three such roles."""
    here.slack.add_channel(here.team, "signals")
    person = here.slack.add_user(here.team, "Kim Park", "kim@acme.example", **{role: True})

    assert "signals" in await here.get_page(await here.install(person))


async def test_a_former_admin_cannot_choose_the_default_channel(here: InstallWorld) -> None:
    """The role is checked at every step."""
    channel = here.slack.add_channel(here.team, "signals")
    link = await here.install(here.dana)
    await here.get_page(link)
    here.dana.is_admin = False

    await here.choose_channel(link, channel.id, status=403)


@pytest.mark.parametrize("link", ["", "made-up", "gAAAAAB" + "A" * 80, "\N{SNOWMAN}", "%00", "a" * 4000])
async def test_a_forged_link_is_refused(here: InstallWorld, link: str) -> None:
    """The page belongs to one installation, and its address cannot be guessed."""
    page = await here.get_page(f"{here.url}/slack/default-channel?link={quote(link)}", status=403)
    async with here.http.post(f"{here.url}/slack/default-channel", data={"link": link, "channel": "C1"}) as answer:
        assert answer.status == 403

    assert "This link has expired" in page
    assert here.slack.calls == []


async def test_a_link_for_another_purpose_is_refused(here: InstallWorld) -> None:
    """Every sealed link has one purpose."""
    await here.install(here.dana)
    sealed = here.cipher.seal("salesforce", {"workspace_id": here.team.id, "user_id": here.dana.id})

    await here.get_page(f"{here.url}/slack/default-channel?link={sealed}", status=403)


async def test_a_link_expires_after_an_hour(here: InstallWorld) -> None:
    """After that, the default channel can be chosen in the app's Home."""
    here.slack.add_channel(here.team, "signals")
    link = await here.install(here.dana)
    here.clock_offset = 3590
    await here.get_page(link)
    here.clock_offset = 3610

    page = await here.get_page(link, status=403)

    assert "in the app&#39;s Home" in page


async def test_a_new_installation_invalidates_older_links(here: InstallWorld) -> None:
    """An old link gives no access to a newer installation."""
    channel = here.slack.add_channel(here.team, "signals")
    old = await here.install(here.dana)
    new = await here.install(here.dana)

    await here.choose_channel(old, channel.id, status=403)
    await here.get_page(new)


async def test_a_link_is_refused_after_uninstalling(here: InstallWorld) -> None:
    """Uninstalling ends all access."""
    link = await here.install(here.dana)
    await here.database.run(workspaces.mark_gone, here.team.id, 1)

    await here.get_page(link, status=403)


async def test_a_revoked_token_is_reported(here: InstallWorld) -> None:
    """The app may have been removed before the event about it has arrived."""
    link = await here.install(here.dana)
    here.slack.world.active_token(here.team.id).error = "account_inactive"

    page = await here.get_page(link, status=409)

    assert "The app was removed from Slack" in page


# The channels page


async def test_every_channel_is_listed(here: InstallWorld) -> None:
    """12,000 channels are listed with few enough calls for Slack's rate limit, the first ones with the page itself."""
    here.slack.limits.enabled = True
    for number in range(12_000):
        here.slack.add_channel(here.team, f"team-{number:05}", is_archived=number % 3 == 0)
    link = await here.install(here.dana)

    page = await here.get_page(link)
    names = [part.partition("</b>")[0] for part in page.split("<b>")[1:]]
    position = position_in(page)
    while position:
        more = await more_channels(here, link, position)
        names += [channel["name"] for channel in more["channels"]]
        position = more["position"]

    assert names == [f"team-{number:05}" for number in range(12_000) if number % 3]
    calls = [call for call in here.slack.calls if call.method == "conversations.list"]
    assert len(calls) <= 20
    assert here.waits == []


async def test_the_page_is_shown_before_all_channels_are_listed(here: InstallWorld) -> None:
    """Slack needs minutes for 30,000 channels. The page has those of the first second, and lists the others later."""
    here.slack.limits.enabled = True
    for number in range(30_000):
        here.slack.add_channel(here.team, f"team-{number:05}")
    link = await here.install(here.dana)
    here.slack.api.latency = 0.3

    page = await here.get_page(link)

    assert position_in(page)
    assert "only some of your channels so far" in page
    assert page.count('name="channel"') <= 5 * 999
    assert len([call for call in here.slack.calls if call.method == "conversations.list"]) <= 5


async def test_a_rate_limit_is_left_to_the_browser(here: InstallWorld) -> None:
    """It asks for the rest of the channels after the wait. The page can be used meanwhile."""
    for number in range(2_500):
        here.slack.add_channel(here.team, f"team-{number:05}")
    link = await here.install(here.dana)
    here.slack.faults.add("conversations.list", retry_after=7, times=2, when=lambda query: bool(query.get("cursor")))

    page = await here.get_page(link)
    more = await more_channels(here, link, position_in(page))

    assert 'data-wait="7.0"' in page
    assert (more["channels"], more["position"], more["wait"]) == ([], position_in(page), 7)


async def test_more_channels_are_listed_for_the_installing_browser_only(here: InstallWorld) -> None:
    """The names of channels are not public."""
    link = await here.install(here.dana)
    here.http.cookie_jar.clear()

    await here.get_page(link.replace("/slack/default-channel", "/slack/default-channel/more"), status=403)


@pytest.mark.parametrize("typed", ["https://acme.slack.com/archives/{id}", "{id}", "#signals", "signals", " Signals "])
async def test_a_channel_can_be_typed(here: InstallWorld, typed: str) -> None:
    """As its link, id or name, since Slack may need minutes to list it."""
    channel = here.slack.add_channel(here.team, "signals", channel_id="C0SIGNALS1")
    link = await here.install(here.dana)

    page = await here.choose_channel(link, "", typed=typed.format(id=channel.id))

    assert "Default channel set to #signals" in page
    assert "We've posted a short message in the channel" in page
    assert 'class="note"' not in page


async def test_a_name_that_does_not_exist_is_not_saved(here: InstallWorld) -> None:
    """The page says what to do instead."""
    page = await here.choose_channel(await here.install(here.dana), "", typed="no-such-channel", status=409)

    assert "paste its link" in page


async def test_channels_that_need_an_invitation_are_marked(here: InstallWorld) -> None:
    """Without the optional permission, the app posts in its own channels only."""
    here.slack.add_channel(here.team, "signals")
    link = await here.install(here.dana, without={"chat:write.public"})

    page = await here.get_page(link)

    assert '<b>signals</b><span class="tag">invite the app first</span>' in page
    assert "chat:write.public" in page


@pytest.mark.parametrize("method", ["users.info", "conversations.list"])
async def test_a_failure_to_list_channels_can_be_retried(here: InstallWorld, method: str) -> None:
    """The app is installed, and reloading the page is enough."""
    here.slack.add_channel(here.team, "signals")
    link = await here.install(here.dana)
    here.slack.faults.add(method, status=500)

    assert "nothing is lost" in await here.get_page(link, status=503)
    assert "signals" in await here.get_page(link)


async def test_a_missing_permission_is_reported(here: InstallWorld) -> None:
    """The page says what to do."""
    link = await here.install(here.dana)
    here.slack.faults.add("conversations.list", "missing_scope", times=None)

    page = await here.get_page(link, status=409)

    assert "Slack could not list the channels" in page
    assert "permission" in page


async def test_a_workspace_without_channels_gets_an_explanation(here: InstallWorld) -> None:
    """An empty list is explained."""
    page = await here.get_page(await here.install(here.dana))

    assert "No channels found" in page


async def test_private_channels_that_the_app_is_in_can_be_chosen(here: InstallWorld) -> None:
    """They are marked as private. Other private channels are not listed, because the app cannot post there."""
    inside = here.slack.add_channel(here.team, "deals", is_private=True)
    here.slack.add_channel(here.team, "board", is_private=True)
    link = await here.install(here.dana)
    await here.slack.invite_bot(inside.id)

    page = await here.get_page(link)
    await here.choose_channel(link, inside.id)

    assert '<b>deals</b><span class="tag">private</span>' in page
    assert "board" not in page
    workspace = await here.database.run(workspaces.find, here.team.id)
    assert workspace is not None
    assert (workspace.default_channel_id, workspace.default_channel_is_public) == (inside.id, False)


async def test_without_the_scope_for_private_channels_public_ones_are_listed(here: InstallWorld) -> None:
    """Slack refuses to list both kinds if a scope for one is missing."""
    here.slack.add_channel(here.team, "signals")
    link = await here.install(here.dana)
    here.slack.faults.add(
        "conversations.list", "missing_scope", times=None, when=lambda query: "private" in query.get("types", "")
    )

    assert "<b>signals</b>" in await here.get_page(link)


async def test_a_shared_channel_is_marked(here: InstallWorld) -> None:
    """This is shown before and after it is chosen."""
    shared = here.slack.add_channel(here.team, "partners", is_ext_shared=True)
    link = await here.install(here.dana)

    page = await here.get_page(link)
    done = await here.choose_channel(link, shared.id)

    assert '<b>partners</b><span class="tag">shared with another company</span>' in page
    assert "#partners is shared with another company. People there will see job changes too." in done


async def test_names_from_slack_are_escaped(here: InstallWorld) -> None:
    """Names of workspaces and channels are shown as text."""
    here.team.name = "<img src=x onerror=alert(1)>"
    here.slack.add_channel(here.team, '"><script>alert(1)</script>', is_ext_shared=True)

    page = await here.get_page(await here.install(here.dana))

    assert "<img src=x" not in page
    assert "<script>alert" not in page
    assert "shared with another company" in page


async def test_the_current_default_channel_is_preselected(here: InstallWorld) -> None:
    """Installing again shows the current choice."""
    here.slack.add_channel(here.team, "general")
    channel = here.slack.add_channel(here.team, "signals")
    await here.choose_channel(await here.install(here.dana), channel.id)

    page = await here.get_page(await here.install(here.dana))

    assert f'value="{channel.id}" checked' in page


# Choosing a channel


async def test_the_chosen_channel_is_stored_confirmed_and_announced(acme: InstallWorld) -> None:
    """The page and a message in the channel confirm it, and the audit log says who chose it."""
    channel = acme.slack.add_channel(acme.team, "signals")
    link = await acme.install(acme.dana)

    page = await acme.choose_channel(link, channel.id)

    assert "#signals" in page
    assert f"slack://app?team={acme.team.id}&amp;id={acme.slack.app.id}" in page
    assert "Connect your Salesforce org" in page
    workspace = await acme.database.run(workspaces.find, acme.team.id)
    assert workspace is not None
    assert (workspace.default_channel_id, workspace.default_channel_name) == (channel.id, "signals")
    (message,) = channel.messages.values()
    assert "default channel" in message.text
    assert "\n" not in message.text
    change, installed = await acme.database.run(audit.recent, acme.team.id)
    assert (installed.actor, installed.action) == (acme.dana.id, "installed")
    assert change.actor == acme.dana.id


@pytest.mark.both_databases
async def test_deliveries_that_waited_for_a_default_channel_are_due_at_once(acme: InstallWorld) -> None:
    """Job changes that arrived before the choice are sent now."""
    channel = acme.slack.add_channel(acme.team, "signals")
    link = await acme.install(acme.dana)
    parked = insert(lanes_table).values(workspace_id=acme.team.id, destination=DEFAULT_CHANNEL, due_at=None)
    await acme.database.run(lambda connection: connection.execute(parked))

    await acme.choose_channel(link, channel.id)

    due = select(lanes_table.c.due_at).where(lanes_table.c.destination == DEFAULT_CHANNEL)
    assert await acme.database.run(lambda connection: connection.execute(due).scalar_one()) is not None


async def test_submitting_the_form_twice_posts_once(here: InstallWorld) -> None:
    """The second submission shows the same page and posts no message."""
    channel = here.slack.add_channel(here.team, "signals")
    link = await here.install(here.dana)

    await here.choose_channel(link, channel.id)
    page = await here.choose_channel(link, channel.id)

    assert "#signals" in page
    assert len(channel.messages) == 1


async def test_another_choice_replaces_the_first(here: InstallWorld) -> None:
    """It is possible as long as the link is valid."""
    first = here.slack.add_channel(here.team, "general")
    second = here.slack.add_channel(here.team, "signals")
    link = await here.install(here.dana)

    await here.choose_channel(link, first.id)
    await here.choose_channel(link, second.id)

    workspace = await here.database.run(workspaces.find, here.team.id)
    assert workspace is not None
    assert workspace.default_channel_id == second.id


async def test_a_channel_that_was_archived_meanwhile_is_refused(here: InstallWorld) -> None:
    """A channel can change between listing and choosing."""
    channel = here.slack.add_channel(here.team, "signals")
    link = await here.install(here.dana)
    channel.is_archived = True

    page = await here.choose_channel(link, channel.id, status=409)

    assert "#signals is archived" in page
    assert "Choose another channel" in page


@pytest.mark.parametrize("channel_id", ["", "C404", "../../etc", "x" * 500, "\N{SNOWMAN}", "C1&token=x"])
async def test_an_unknown_channel_is_refused(here: InstallWorld, channel_id: str) -> None:
    """It may have been deleted, or never existed."""
    link = await here.install(here.dana)

    page = await here.choose_channel(link, channel_id, status=409)

    assert "Default channel not changed" in page


async def test_a_channel_of_another_workspace_cannot_be_chosen(here: InstallWorld) -> None:
    """A link acts for its own workspace, whatever the form says."""
    elsewhere = here.slack.add_team("Globex")
    channel = here.slack.add_channel(elsewhere, "signals")
    link = await here.install(here.dana)

    await here.choose_channel(link, channel.id, status=409)

    assert channel.messages == {}


async def test_a_channel_that_the_app_cannot_post_to_is_refused(here: InstallWorld) -> None:
    """The problem is found now, not with the first job change."""
    channel = here.slack.add_channel(here.team, "announcements")
    link = await here.install(here.dana)
    here.slack.faults.add("chat.postMessage", "restricted_action")

    page = await here.choose_channel(link, channel.id, status=409)

    assert "only some people may post there" in page
    workspace = await here.database.run(workspaces.find, here.team.id)
    assert workspace is not None
    assert workspace.default_channel_id is None


async def test_a_rate_limit_does_not_undo_the_choice(here: InstallWorld) -> None:
    """The channel is valid as far as we know; its first message is optional."""
    channel = here.slack.add_channel(here.team, "signals")
    link = await here.install(here.dana)
    here.slack.faults.add("chat.postMessage", retry_after=60)

    page = await here.choose_channel(link, channel.id)

    assert "The test message could not be posted" in page


async def test_a_form_without_the_sealed_link_is_refused(here: InstallWorld) -> None:
    """A page of another site can submit a form, but does not know the link."""
    channel = here.slack.add_channel(here.team, "signals")
    await here.install(here.dana)

    async with here.http.post(f"{here.url}/slack/default-channel", data={"channel": channel.id}) as answer:
        assert answer.status == 403
    async with here.http.post(f"{here.url}/slack/default-channel", data=b"\xff\xfe\x00") as answer:
        assert answer.status == 403

    assert channel.messages == {}


# Installation in an organization


@pytest.fixture
def grid(acme: InstallWorld) -> tuple[Team, Team, User]:
    """Two workspaces of an organization and an owner of the organization."""
    east, west = (
        acme.slack.add_team(f"Acme {name}", enterprise_id="E0001", enterprise_name="Acme Group")
        for name in ("East", "West")
    )
    owner = acme.slack.add_user(east, "Kim Park", "kim@acme.example", more_teams=[west], is_org_owner=True)
    return east, west, owner


async def test_an_organization_can_install_the_app(acme: InstallWorld, grid: tuple[Team, Team, User]) -> None:
    """The page after it has a link for each workspace that uses the app, with the channels of that workspace."""
    east, west, owner = grid
    wins, losses = acme.slack.add_channel(east, "wins"), acme.slack.add_channel(west, "losses")

    page = await (await acme.approve_install(owner, org_wide=True, add_to=[east.id, west.id])).text()

    assert "The app is installed in Acme Group" in page
    links = dict(re.findall(r'<li><a href="([^"]+)">([^<]+)</a>', page))
    by_name = {name: acme.url + unescape(address) for address, name in links.items()}
    for team, channel, other in ((east, wins, losses), (west, losses, wins)):
        listed = await acme.get_page(by_name[team.name])
        assert f"<b>{channel.name}</b>" in listed
        assert f"<b>{other.name}</b>" not in listed
        await acme.choose_channel(by_name[team.name], channel.id)
        workspace = await acme.database.run(workspaces.find, team.id)
        assert workspace is not None
        assert (workspace.enterprise_id, workspace.is_enterprise_install) == ("E0001", True)
        assert (workspace.name, workspace.default_channel_name) == (team.name, channel.name)


async def test_an_organization_may_install_the_app_before_any_workspace_uses_it(
    acme: InstallWorld, grid: tuple[Team, Team, User]
) -> None:
    """The page leads to Slack's page that adds the app to workspaces."""
    page = await (await acme.approve_install(grid[2], org_wide=True, add_to=[])).text()

    assert "No workspace uses it yet" in page
    assert f"https://app.slack.com/manage/E0001/integrations/profile/{acme.slack.app.id}/workspaces/add" in page
    assert await acme.installations.bot_token("E0001")
    assert await acme.installations.organizations() == ["E0001"]


async def test_an_organization_is_installed_even_if_slack_does_not_list_its_workspaces(
    here: InstallWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """They are listed again within the hour."""
    grid = here.slack.add_team("Acme East", enterprise_id="E0001", enterprise_name="Acme Group")
    owner = here.slack.add_user(grid, "Kim Park", "kim@acme.example", is_org_owner=True)
    here.slack.faults.add("auth.teams.list", status=500)

    assert (await here.approve_install(owner, org_wide=True)).status == 200

    assert "Could not list the workspaces of the organization E0001" in caplog.text
    assert await here.installations.bot_token("E0001")


async def test_nothing_secret_is_logged(here: InstallWorld, caplog: pytest.LogCaptureFixture) -> None:
    """Neither codes, tokens and sealed links nor the installer's address are logged."""
    caplog.set_level("INFO")
    here.slack.faults.add("oauth.v2.access", "invalid_code")
    await here.approve_install(here.dana)
    channel = here.slack.add_channel(here.team, "signals")
    link = await here.install(here.dana)
    await here.choose_channel(link, channel.id)

    log = caplog.text
    assert "xoxb" not in log
    assert link.partition("link=")[2] not in log
    assert "dana@" not in log
    assert "sandbox-client-secret" not in log


@pytest.mark.parametrize(
    ("mrkdwn", "text"),
    [
        ("#a &amp; b is archived.", "#a & b is archived."),
        ("type `/invite` <@U123> in it", "type /invite the app in it"),
        (":warning: #a is shared", "#a is shared"),
        ("Saved: <#C1> is it.", "Saved: it is it."),
    ],
)
def test_mrkdwn_is_converted_to_plain_text(mrkdwn: str, text: str) -> None:
    """The same text is shown in Slack and on a page."""
    assert plain(mrkdwn) == text


async def test_a_loopback_address_redirects_to_the_public_url(acme: InstallWorld) -> None:
    """A cookie that is set at 127.0.0.1 is not sent to localhost."""
    other = acme.url.replace("localhost", "127.0.0.1")
    async with acme.http.get(f"{other}/slack/install?team=T1", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (307, f"{acme.url}/slack/install?team=T1")


@pytest.mark.parametrize("host", ["a:99999999", "[::1", "ex\u00e4mple:x", ""])
async def test_a_malformed_host_is_no_server_error(acme: InstallWorld, host: str, caplog) -> None:
    """Otherwise anybody could fill the log with stack traces."""
    async with acme.http.get(f"{acme.url}/slack/install", headers={"Host": host}, allow_redirects=False) as answer:
        assert answer.status < 500
    assert "failed" not in caplog.text


def position_in(page: str) -> str:
    """Where the list on the page goes on. Empty if it is complete."""
    _, _, rest = page.partition('data-position="')
    return unescape(rest.partition('"')[0])


async def more_channels(here: InstallWorld, link: str, position: str) -> dict[str, Any]:
    url = link.replace("/slack/default-channel", "/slack/default-channel/more")
    return json.loads(await here.get_page(f"{url}&{urlencode({'position': position})}"))
