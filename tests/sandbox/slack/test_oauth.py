"""Installation: the consent page, codes, tokens, and org-wide installations."""

import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import encode_basic_auth
from slack_sdk.errors import SlackApiError

from sandbox.slack.oauth import installs
from sandbox.slack.oauth.oauth import is_valid_redirect
from sandbox.slack.state import Json
from sandbox.visitor import Visitor
from tests.listeners.slack.install_world import MANIFEST

REDIRECT_URI = "http://localhost:3000/slack/oauth_redirect"


def link(acme, **changes: str) -> dict[str, str]:
    query = {"client_id": acme.slack.app.client_id, "scope": "chat:write,users:read", "redirect_uri": REDIRECT_URI}
    return {**query, "state": "st&te", **changes}


async def decide(acme, decision: str, **fields: str) -> dict[str, list[str]]:
    """Click Allow or Cancel, and return the query of the redirect."""
    form = {**link(acme), "user": acme.dana.id, "decision": decision, **fields}
    url = f"{acme.slack.url}/oauth/v2/authorize"
    async with acme.http.post(url, data=form, allow_redirects=False) as response:
        assert response.status == 302
        location = response.headers["Location"]
    assert location.startswith(f"{REDIRECT_URI}?")
    return parse_qs(urlsplit(location).query)


async def exchange(acme, code: str, **changes: str) -> Json:
    app = acme.slack.app
    arguments = {
        "client_id": app.client_id,
        "client_secret": app.client_secret,
        "redirect_uri": REDIRECT_URI,
        **changes,
    }
    async with acme.http.post(f"{acme.slack.url}/api/oauth.v2.access", data={**arguments, "code": code}) as response:
        return await response.json()


async def test_the_page_shows_the_app_scopes_and_people(acme) -> None:
    """Optional scopes have a checkbox, and all values are escaped."""
    acme.slack.app.name = "Job <changes>"
    acme.slack.app.optional_scopes = {"users:read"}
    async with acme.http.get(f"{acme.slack.url}/oauth/v2/authorize", params=link(acme)) as response:
        page = await response.text()
        assert response.status == 200
    assert "Job &lt;changes&gt; is requesting permission" in page
    assert "<li><code>chat:write</code></li>" in page
    assert 'name="optional" value="users:read" checked' in page
    assert f'<option value="{acme.dana.id}">Dana Reyes (admin)</option>' in page
    assert 'value="st&amp;te"' in page


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"client_id": "nobody"}, "invalid_client_id"),
        ({"scope": ""}, "no_scopes"),
        ({"redirect_uri": "http://elsewhere.example/"}, "bad_redirect_uri"),
    ],
)
async def test_an_invalid_link_shows_an_error(acme, changes: dict[str, str], problem: str) -> None:
    """Slack shows the error to the person and does not redirect."""
    acme.slack.app.redirect_urls = ["http://localhost:3000/"]
    url = f"{acme.slack.url}/oauth/v2/authorize"
    async with acme.http.get(url, params=link(acme, **changes)) as response:
        assert response.status == 400
        assert problem in await response.text()
    async with acme.http.post(url, data=link(acme, **changes), allow_redirects=False) as response:
        assert response.status == 400


async def test_allow_redirects_with_a_code_for_a_token(acme) -> None:
    """The redirect has the original state, and the code is exchanged for a bot token."""
    redirect = await decide(acme, "allow")
    assert redirect["state"] == ["st&te"]
    answer = await exchange(acme, redirect["code"][0])
    assert (answer["team"], answer["enterprise"]) == ({"id": acme.team.id, "name": "Acme"}, None)
    assert answer["authed_user"] == {"id": acme.dana.id}
    assert answer["token_type"] == "bot"
    assert (await acme.as_bot(answer["access_token"]).auth_test())["team_id"] == acme.team.id


async def test_cancel_redirects_with_access_denied(acme) -> None:
    """The redirect has the original state."""
    redirect = await decide(acme, "cancel")
    assert redirect == {"error": ["access_denied"], "state": ["st&te"]}


async def test_an_optional_scope_is_granted_only_if_selected(acme) -> None:
    """`scope` in the response has the granted scopes, which may be fewer than requested."""
    team = acme.slack.add_team("Globex")
    ada = acme.slack.add_user(team, "Ada Smith")
    acme.slack.app.optional_scopes = {"users:read"}
    unselected = await decide(acme, "allow", user=ada.id)
    assert (await exchange(acme, unselected["code"][0]))["scope"] == "chat:write"
    selected = await decide(acme, "allow", user=ada.id, optional="users:read")
    assert (await exchange(acme, selected["code"][0]))["scope"] == "chat:write,users:read"


async def test_a_code_is_valid_once_for_ten_minutes(acme, clock) -> None:
    """A used or expired code is `invalid_code`."""
    code = acme.slack.issue_code(acme.dana.id, ["chat:write"], REDIRECT_URI)
    await exchange(acme, code)
    assert (await exchange(acme, code))["error"] == "invalid_code"
    expired = acme.slack.issue_code(acme.dana.id, ["chat:write"], REDIRECT_URI)
    clock.advance(seconds=601)
    assert (await exchange(acme, expired))["error"] == "invalid_code"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_id": "nobody"}, "invalid_client_id"),
        ({"client_secret": "wrong"}, "bad_client_secret"),
        ({"redirect_uri": "http://localhost:3000/elsewhere"}, "bad_redirect_uri"),
        ({"grant_type": "refresh_token", "refresh_token": "xoxe-1"}, "invalid_refresh_token"),
        ({"grant_type": "password"}, "invalid_grant_type"),
    ],
)
async def test_a_rejected_exchange_does_not_use_the_code(acme, changes, error: str) -> None:
    """A wrong client, secret or redirect URI leaves the code valid."""
    code = acme.slack.issue_code(acme.dana.id, ["chat:write"], REDIRECT_URI)
    assert (await exchange(acme, code, **changes))["error"] == error
    assert (await exchange(acme, code))["ok"]


async def test_the_client_can_authenticate_with_form_fields_or_http_basic(acme) -> None:
    """Slack accepts the client's id and secret in either place."""
    app, url = acme.slack.app, f"{acme.slack.url}/api/oauth.v2.access"
    form = {"client_id": app.client_id, "client_secret": app.client_secret, "redirect_uri": REDIRECT_URI}
    basic = {"Authorization": encode_basic_auth(app.client_id, app.client_secret)}
    for headers, fields in (({}, form), (basic, {"redirect_uri": REDIRECT_URI})):
        code = acme.slack.issue_code(acme.dana.id, ["chat:write"], REDIRECT_URI)
        async with acme.http.post(url, data={**fields, "code": code}, headers=headers) as response:
            assert (await response.json())["ok"]


async def test_a_link_without_a_redirect_uri_uses_the_first_configured_one(acme) -> None:
    """`redirect_uri` is optional in the link and in the exchange."""
    acme.slack.app.redirect_urls = [REDIRECT_URI]
    redirect = await decide(acme, "allow", redirect_uri="")
    assert (await exchange(acme, redirect["code"][0], redirect_uri=""))["ok"]


async def test_a_workspace_of_an_organization_has_both_ids(acme) -> None:
    """On Enterprise Grid, the response has the team and the enterprise."""
    team = acme.slack.add_team("Globex West", enterprise_id="E1", enterprise_name="Globex")
    ada = acme.slack.add_user(team, "Ada Smith")
    answer = await exchange(acme, (await decide(acme, "allow", user=ada.id))["code"][0])
    assert answer["team"]["id"] == team.id
    assert answer["enterprise"] == {"id": "E1", "name": "Globex"}
    assert answer["is_enterprise_install"] is False


async def test_an_org_wide_installation_has_no_team(acme) -> None:
    """`team` is null and `is_enterprise_install` is true."""
    team = acme.slack.add_team("Globex West", enterprise_id="E1", enterprise_name="Globex")
    ada = acme.slack.add_user(team, "Ada Smith")
    answer = await exchange(acme, (await decide(acme, "allow", user=ada.id, org_wide="1"))["code"][0])
    assert (answer["team"], answer["enterprise"]["id"], answer["is_enterprise_install"]) == (None, "E1", True)


async def test_a_workspace_without_an_organization_cannot_be_installed_org_wide(acme) -> None:
    """Without an organization the request is rejected."""
    form = {**link(acme), "user": acme.dana.id, "decision": "allow", "org_wide": "1"}
    async with acme.http.post(f"{acme.slack.url}/oauth/v2/authorize", data=form) as response:
        assert response.status == 400


# The app's settings


@pytest.mark.parametrize(
    ("url", "is_valid"),
    [
        ("https://gems.example.com/slack/oauth_redirect", True),
        ("http://localhost:3000/slack/oauth_redirect", True),  # the sandbox has no certificate
        ("http://gems.example.com/slack/oauth_redirect", False),
        ("http://localhost.example.com/slack/oauth_redirect", False),
        ("", False),
    ],
)
def test_a_redirect_url_uses_https(acme, url: str, is_valid: bool) -> None:
    """A manifest with another one is refused as a whole."""
    assert is_valid_redirect(url) is is_valid
    manifest = {"display_information": {"name": "Gems"}, "oauth_config": {"redirect_urls": [url]}}
    if is_valid:
        acme.slack.configure(manifest)
    else:
        with pytest.raises(ValueError, match="must use https"):
            acme.slack.configure(manifest)


async def test_the_settings_page_installs_the_app(acme) -> None:
    """A saved manifest, an app-level token, and Install to Workspace, which shows the bot token."""
    manifest = json.dumps(MANIFEST.by_socket().values)
    async with Visitor.of(acme.slack.url) as visitor:
        settings = await visitor.open(f"{acme.slack.url}/apps")
        settings = await visitor.submit(settings, {}, press={"action": "manifest", "manifest": manifest})
        settings = await visitor.submit(settings, {}, press={"action": "app-token"})
        settings = await visitor.submit(settings, {"user": "Dana Reyes (admin)"}, press={"action": "install"})
        refused = await visitor.submit(settings, {}, press={"action": "manifest", "manifest": "{"})

    (app_token,) = re.findall(r'class="app-token">(xapp-[^<]+)<', settings.text)
    (bot_token,) = re.findall(r'class="bot-token">(xoxb-[^<]+)<', settings.text)
    assert app_token in acme.slack.sockets.tokens
    assert acme.slack.app.socket_mode_enabled
    assert (await acme.as_bot(bot_token).auth_test())["team_id"] == acme.team.id
    assert acme.slack.app.scopes == set(MANIFEST.scopes) <= acme.slack.world.tokens[bot_token].scopes
    assert (settings.status, refused.status) == (200, 400)


# Token rotation


async def test_a_rotating_token_expires_and_a_refresh_token_works_once(acme, clock) -> None:
    """The previous token works until its own end, and an uninstall ends all of them."""
    acme.slack.app.token_rotation_enabled = True
    acme.slack.world.tokens.clear()
    code = acme.slack.issue_code(acme.dana.id, ["chat:write"], REDIRECT_URI)
    first = await exchange(acme, code)
    assert first["access_token"].startswith("xoxe.xoxb-")
    assert first["expires_in"] == 12 * 3_600
    clock.advance(seconds=10 * 3_600)

    refreshing = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    second = await exchange(acme, "", **refreshing)
    again = await exchange(acme, "", **refreshing)

    assert second["refresh_token"] != first["refresh_token"]
    assert again == {"ok": False, "error": "invalid_refresh_token"}
    assert (await acme.as_bot(first["access_token"]).auth_test())["ok"]
    clock.advance(seconds=2 * 3_600)
    with pytest.raises(SlackApiError, match="token_expired"):
        await acme.as_bot(first["access_token"]).auth_test()
    assert (await acme.as_bot(second["access_token"]).auth_test())["ok"]
    installs.uninstall(acme.slack.world, acme.slack.world.tokens[second["access_token"]])
    with pytest.raises(SlackApiError, match="account_inactive"):
        await acme.as_bot(second["access_token"]).auth_test()
    assert (await exchange(acme, "", grant_type="refresh_token", refresh_token=second["refresh_token"]))["ok"] is False
