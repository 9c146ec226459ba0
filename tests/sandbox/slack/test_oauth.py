"""Installing: the consent page, the code, the token, and the organisation's installations."""

from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import encode_basic_auth

from sandbox.slack.state import Json

BACK = "http://localhost:3000/slack/oauth_redirect"


def link(office, **changes: str) -> dict[str, str]:
    asked = {"client_id": office.slack.app.client_id, "scope": "chat:write,users:read", "redirect_uri": BACK}
    return {**asked, "state": "st&te", **changes}


async def press(office, decision: str, **fields: str) -> dict[str, list[str]]:
    """Press one of the two buttons of the page; the query that the app is then called with."""
    form = {**link(office), "user": office.dana.id, "decision": decision, **fields}
    url = f"{office.slack.url}/oauth/v2/authorize"
    async with office.http.post(url, data=form, allow_redirects=False) as response:
        assert response.status == 302
        location = response.headers["Location"]
    assert location.startswith(f"{BACK}?")
    return parse_qs(urlsplit(location).query)


async def exchange(office, code: str, **changes: str) -> Json:
    app = office.slack.app
    arguments = {"client_id": app.client_id, "client_secret": app.client_secret, "redirect_uri": BACK, **changes}
    async with office.http.post(
        f"{office.slack.url}/api/oauth.v2.access", data={**arguments, "code": code}
    ) as response:
        return await response.json()


async def test_the_page_names_the_app_the_scopes_and_the_people(office) -> None:
    """Who allows sees what is asked for, with optional scopes to untick; everything foreign is escaped."""
    office.slack.app.name = "Job <changes>"
    office.slack.app.optional_scopes = {"users:read"}
    async with office.http.get(f"{office.slack.url}/oauth/v2/authorize", params=link(office)) as response:
        page = await response.text()
        assert response.status == 200
    assert "Job &lt;changes&gt; is requesting permission" in page
    assert "<li><code>chat:write</code></li>" in page
    assert 'name="optional" value="users:read" checked' in page
    assert f'<option value="{office.dana.id}">Dana Reyes (admin)</option>' in page
    assert 'value="st&amp;te"' in page


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"client_id": "nobody"}, "invalid_client_id"),
        ({"scope": ""}, "no_scopes"),
        ({"redirect_uri": "http://elsewhere.example/"}, "bad_redirect_uri"),
    ],
)
async def test_a_link_that_is_wrong_shows_why_instead_of_asking(office, changes: dict[str, str], problem: str) -> None:
    """Slack tells a wrong link to the person who followed it and redirects nowhere."""
    office.slack.app.redirect_urls = ["http://localhost:3000/"]
    url = f"{office.slack.url}/oauth/v2/authorize"
    async with office.http.get(url, params=link(office, **changes)) as response:
        assert response.status == 400
        assert problem in await response.text()
    async with office.http.post(url, data=link(office, **changes), allow_redirects=False) as response:
        assert response.status == 400


async def test_allow_leads_back_with_a_code_that_becomes_a_token(office) -> None:
    """The state comes back as it was sent, and the code is exchanged for a bot token of that workspace."""
    back = await press(office, "allow")
    assert back["state"] == ["st&te"]
    answer = await exchange(office, back["code"][0])
    assert (answer["team"], answer["enterprise"]) == ({"id": office.team.id, "name": "Acme"}, None)
    assert answer["authed_user"] == {"id": office.dana.id}
    assert answer["token_type"] == "bot"
    assert (await office.as_bot(answer["access_token"]).auth_test())["team_id"] == office.team.id


async def test_cancel_leads_back_with_access_denied(office) -> None:
    """A refusal comes back to the redirect URL with the state, as an error."""
    back = await press(office, "cancel")
    assert back == {"error": ["access_denied"], "state": ["st&te"]}


async def test_an_optional_scope_is_granted_only_when_ticked(office) -> None:
    """The answer's `scope` is what was granted, which may be less than what was asked for."""
    team = office.slack.add_team("Globex")
    ada = office.slack.add_user(team, "Ada Smith")
    office.slack.app.optional_scopes = {"users:read"}
    without = await press(office, "allow", user=ada.id)
    assert (await exchange(office, without["code"][0]))["scope"] == "chat:write"
    ticked = await press(office, "allow", user=ada.id, optional="users:read")
    assert (await exchange(office, ticked["code"][0]))["scope"] == "chat:write,users:read"


async def test_a_code_is_good_once_for_ten_minutes(office, clock) -> None:
    """A code that was used or is older than that is `invalid_code`."""
    code = office.slack.issue_code(office.dana.id, ["chat:write"], BACK)
    await exchange(office, code)
    assert (await exchange(office, code))["error"] == "invalid_code"
    stale = office.slack.issue_code(office.dana.id, ["chat:write"], BACK)
    clock.advance(seconds=601)
    assert (await exchange(office, stale))["error"] == "invalid_code"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_id": "nobody"}, "invalid_client_id"),
        ({"client_secret": "wrong"}, "bad_client_secret"),
        ({"redirect_uri": "http://localhost:3000/elsewhere"}, "bad_redirect_uri"),
        ({"grant_type": "refresh_token", "refresh_token": "xoxe-1"}, "invalid_grant_type"),
    ],
)
async def test_an_exchange_that_is_wrong_is_refused_and_leaves_the_code_good(office, changes, error: str) -> None:
    """Only the app itself spends a code; a wrong secret or address does not."""
    code = office.slack.issue_code(office.dana.id, ["chat:write"], BACK)
    assert (await exchange(office, code, **changes))["error"] == error
    assert (await exchange(office, code))["ok"]


async def test_the_client_may_name_itself_in_the_form_or_by_http_basic(office) -> None:
    """Slack takes the client's id and secret in either place."""
    app, url = office.slack.app, f"{office.slack.url}/api/oauth.v2.access"
    form = {"client_id": app.client_id, "client_secret": app.client_secret, "redirect_uri": BACK}
    basic = {"Authorization": encode_basic_auth(app.client_id, app.client_secret)}
    for headers, fields in (({}, form), (basic, {"redirect_uri": BACK})):
        code = office.slack.issue_code(office.dana.id, ["chat:write"], BACK)
        async with office.http.post(url, data={**fields, "code": code}, headers=headers) as response:
            assert (await response.json())["ok"]


async def test_a_link_without_an_address_leads_to_the_first_one_configured(office) -> None:
    """`redirect_uri` may be left out of the link and of the exchange."""
    office.slack.app.redirect_urls = [BACK]
    back = await press(office, "allow", redirect_uri="")
    assert (await exchange(office, back["code"][0], redirect_uri=""))["ok"]


async def test_a_workspace_of_an_organisation_has_both_ids(office) -> None:
    """On Enterprise Grid a workspace's installation names its team and its organisation."""
    team = office.slack.add_team("Globex West", enterprise_id="E1", enterprise_name="Globex")
    ada = office.slack.add_user(team, "Ada Smith")
    answer = await exchange(office, (await press(office, "allow", user=ada.id))["code"][0])
    assert answer["team"]["id"] == team.id
    assert answer["enterprise"] == {"id": "E1", "name": "Globex"}
    assert answer["is_enterprise_install"] is False


async def test_an_installation_for_the_whole_organisation_has_no_team(office) -> None:
    """An organisation's installation has `team` null and says that it is one."""
    team = office.slack.add_team("Globex West", enterprise_id="E1", enterprise_name="Globex")
    ada = office.slack.add_user(team, "Ada Smith")
    answer = await exchange(office, (await press(office, "allow", user=ada.id, org_wide="1"))["code"][0])
    assert (answer["team"], answer["enterprise"]["id"], answer["is_enterprise_install"]) == (None, "E1", True)


async def test_a_workspace_on_its_own_cannot_be_installed_for_an_organisation(office) -> None:
    """Without an organisation there is nothing wider to install to."""
    form = {**link(office), "user": office.dana.id, "decision": "allow", "org_wide": "1"}
    async with office.http.post(f"{office.slack.url}/oauth/v2/authorize", data=form) as response:
        assert response.status == 400
