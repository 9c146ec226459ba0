"""OAuth of the sandbox org over HTTP: flows, consent page, refresh tokens and sessions."""

import base64
import hashlib
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from sandbox.salesforce import SalesforceSandbox
from tests.conftest import Clock

CALLBACK = "http://localhost:3000/salesforce/callback"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
REQUEST = {
    "response_type": "code",
    "client_id": "app",
    "redirect_uri": CALLBACK,
    "state": "s&1",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}
APP = {"client_id": "app", "client_secret": "secret"}


@pytest.fixture
async def org(clock: Clock) -> AsyncIterator[SalesforceSandbox]:
    sandbox = SalesforceSandbox(now=lambda: clock() / 1000, client_id="app", client_secret="secret")
    sandbox.oauth.redirect_uris = frozenset({CALLBACK})
    server = TestServer(sandbox.web_app())
    await server.start_server()
    sandbox.url = str(server.make_url("")).rstrip("/")
    yield sandbox
    await server.close()


@pytest.fixture
async def http(org: SalesforceSandbox) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(org.url) as session:
        yield session


async def token(http: aiohttp.ClientSession, **params: str) -> tuple[int, dict[str, str]]:
    async with http.post("/services/oauth2/token", data=APP | params) as response:
        return response.status, await response.json()


async def consent(http: aiohttp.ClientSession, answer: str, user_id: str, **params: str) -> dict[str, Any]:
    """The query of the redirect after a person has answered the consent page."""
    form = REQUEST | params | {"user_id": user_id, "answer": answer}
    async with http.post("/services/oauth2/authorize", data=form, allow_redirects=False) as response:
        assert response.status == 302
        assert response.headers["Location"].startswith(CALLBACK + "?")
        return {name: value for name, (value,) in parse_qs(urlsplit(response.headers["Location"]).query).items()}


@pytest.fixture
def dana(org: SalesforceSandbox) -> str:
    return org.add("User", FirstName="Dana", LastName="<Reyes>", Email="dana@example.com")


async def test_client_credentials_start_a_session(org: SalesforceSandbox, http: aiohttp.ClientSession) -> None:
    """The response has all fields of Salesforce, and the id is that of the run-as user."""
    status, answer = await token(http, grant_type="client_credentials")
    assert status == 200
    assert set(answer) == {"access_token", "signature", "scope", "instance_url", "id", "token_type", "issued_at"}
    headers = {"Authorization": f"Bearer {answer['access_token']}"}
    async with http.get(answer["id"], headers=headers) as response:
        assert (await response.json())["user_id"] == org.oauth.run_as
    async with http.get("/services/oauth2/userinfo", headers=headers) as response:
        assert (await response.json())["organization_id"] == org.org.id


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"grant_type": "client_credentials", "client_id": "other"}, "invalid_client_id"),
        ({"grant_type": "client_credentials", "client_secret": "wrong"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "authorization_code", "code": "aPrxnone"}, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "5Aepnone"}, "invalid_grant"),
    ],
)
async def test_invalid_token_requests_fail(http: aiohttp.ClientSession, params: dict[str, str], error: str) -> None:
    """The response is a 400 with an error and a description."""
    status, answer = await token(http, **params)
    assert (status, answer["error"]) == (400, error)
    assert answer["error_description"]


async def test_client_credentials_require_an_active_user(org: SalesforceSandbox, http: aiohttp.ClientSession) -> None:
    """A deactivated user gets no session."""
    org.org.update(str(org.oauth.run_as), IsActive=False)
    status, answer = await token(http, grant_type="client_credentials")
    assert (status, answer["error_description"]) == (400, "no client credentials user enabled")


async def test_a_person_can_allow_or_deny(http: aiohttp.ClientSession, dana: str) -> None:
    """The page lists the active users, escaped; Deny redirects with access_denied and the state."""
    async with http.get("/services/oauth2/authorize", params=REQUEST) as response:
        page = await response.text()
    assert "Dana &lt;Reyes&gt;" in page
    assert 'value="s&amp;1"' in page
    assert (await consent(http, "deny", dana))["error"] == "access_denied"
    allowed = await consent(http, "allow", dana)
    assert (allowed["state"], "code" in allowed) == ("s&1", True)


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"client_id": "other"}, "invalid_client_id"),
        ({"redirect_uri": "https://evil.example/"}, "redirect_uri_mismatch"),
        ({"response_type": "token"}, "unsupported_response_type"),
    ],
)
async def test_an_invalid_authorization_request_is_not_redirected(
    http: aiohttp.ClientSession, params: dict[str, str], error: str
) -> None:
    """A wrong client or callback is an error in the browser."""
    async with http.get("/services/oauth2/authorize", params=REQUEST | params) as response:
        assert (response.status, (await response.json())["error"]) == (400, error)


async def test_pkce_is_required(http: aiohttp.ClientSession, dana: str) -> None:
    """Without a challenge the callback gets an error."""
    assert (await consent(http, "allow", dana, code_challenge=""))["error"] == "invalid_request"


async def test_a_code_is_valid_once_with_its_verifier(http: aiohttp.ClientSession, clock: Clock, dana: str) -> None:
    """A wrong verifier or callback, a second use and a late use are rejected."""
    params = {"grant_type": "authorization_code", "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    code = (await consent(http, "allow", dana))["code"]
    assert (await token(http, **params | {"code": code, "code_verifier": "w" * 43}))[1]["error"] == "invalid_grant"
    assert (await token(http, **params | {"code": code, "redirect_uri": "x"}))[1]["error"] == "redirect_uri_mismatch"
    status, answer = await token(http, **params, code=code)
    assert (status, answer["id"].endswith(dana), "refresh_token" in answer) == (200, True, True)
    assert (await token(http, **params, code=code))[1]["error_description"] == "expired authorization code"

    late = (await consent(http, "allow", dana))["code"]
    clock.advance(seconds=15 * 60)
    assert (await token(http, **params, code=late))[1]["error_description"] == "expired authorization code"


async def refresh_token(http: aiohttp.ClientSession, user_id: str) -> dict[str, str]:
    code = (await consent(http, "allow", user_id))["code"]
    params = {"grant_type": "authorization_code", "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    return (await token(http, **params, code=code))[1]


async def is_signed_in(http: aiohttp.ClientSession, answer: dict[str, str]) -> bool:
    headers = {"Authorization": f"Bearer {answer['access_token']}"}
    async with http.get("/services/data/v66.0/limits", headers=headers) as response:
        return response.status == 200


async def test_a_refresh_token_is_valid_once(http: aiohttp.ClientSession, dana: str) -> None:
    """Each refresh returns the next token; using an old one ends all tokens of the family."""
    first = await refresh_token(http, dana)
    status, second = await token(http, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert (status, await is_signed_in(http, second)) == (200, True)
    status, answer = await token(http, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert (status, answer["error"]) == (400, "invalid_grant")
    assert await is_signed_in(http, second) is False
    status, _ = await token(http, grant_type="refresh_token", refresh_token=second["refresh_token"])
    assert status == 400


async def test_rotation_can_be_switched_off(org: SalesforceSandbox, http: aiohttp.ClientSession, dana: str) -> None:
    """Then the refresh token stays valid, unless the user is deactivated."""
    org.oauth.rotates = False
    first = await refresh_token(http, dana)
    for _ in range(2):
        status, answer = await token(http, grant_type="refresh_token", refresh_token=first["refresh_token"])
        assert (status, "refresh_token" in answer) == (200, False)
    org.org.update(dana, IsActive=False)
    status, answer = await token(http, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert (status, answer["error_description"]) == (400, "inactive user")


async def test_a_session_expires_or_is_revoked(http: aiohttp.ClientSession, clock: Clock, dana: str) -> None:
    """It lasts two hours; revoking the refresh token ends it too."""
    answer = await refresh_token(http, dana)
    clock.advance(seconds=2 * 60 * 60)
    assert await is_signed_in(http, answer) is False

    answer = await refresh_token(http, dana)
    assert await is_signed_in(http, answer) is True
    async with http.post("/services/oauth2/revoke", data={"token": answer["refresh_token"]}) as response:
        assert response.status == 200
    assert await is_signed_in(http, answer) is False
    async with http.post("/services/oauth2/revoke", data={"token": answer["refresh_token"]}) as response:
        assert response.status == 400


async def test_use_extends_a_session(org: SalesforceSandbox, clock: Clock) -> None:
    """A session ends after a time without activity, not after a time."""
    token = org.oauth.token({"grant_type": "client_credentials", "client_id": "app", "client_secret": "secret"})
    hour = 60 * 60
    for _ in range(3):
        clock.advance(seconds=1.5 * hour)
        assert org.oauth.session(token["access_token"]) is not None
    clock.advance(seconds=2 * hour)
    assert org.oauth.session(token["access_token"]) is None


@pytest.mark.parametrize("description", ["ip restricted", "invalid login hours"])
async def test_a_restricted_login_leaves_the_refresh_token_valid(
    org: SalesforceSandbox, http: aiohttp.ClientSession, dana: str, description: str
) -> None:
    """Outside login hours and IP ranges, the answer is invalid_grant. Later the same token works."""
    code = (await consent(http, "allow", dana))["code"]
    _, tokens = await token(
        http, grant_type="authorization_code", code=code, redirect_uri=CALLBACK, code_verifier=VERIFIER
    )
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}

    org.oauth.restriction = description
    assert await token(http, **refresh) == (400, {"error": "invalid_grant", "error_description": description})
    org.oauth.restriction = None
    assert (await token(http, **refresh))[0] == 200


async def test_a_logged_in_browser_is_asked_who_it_is_only_with_prompt_login(
    org: SalesforceSandbox, http: aiohttp.ClientSession, dana: str
) -> None:
    """Otherwise an admin who is logged in connects as themselves."""
    org.add("User", FirstName="Ida", LastName="App")
    async with aiohttp.ClientSession(org.url, cookies={"sid": dana}) as browser:
        for prompt, choices in (({}, {"Dana"}), ({"prompt": "login"}, {"Dana", "Ida"})):
            async with browser.get("/services/oauth2/authorize", params=REQUEST | prompt) as response:
                page = await response.text()
            assert {name for name in ("Dana", "Ida") if name in page} == choices
