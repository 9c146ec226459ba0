"""How the sandbox org lets an app in, over HTTP."""

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


async def token(http: aiohttp.ClientSession, **asked: str) -> tuple[int, dict[str, str]]:
    async with http.post("/services/oauth2/token", data=APP | asked) as response:
        return response.status, await response.json()


async def consent(http: aiohttp.ClientSession, answer: str, user_id: str, **asked: str) -> dict[str, Any]:
    """What the callback is told when a person answers the consent page."""
    form = REQUEST | asked | {"user_id": user_id, "answer": answer}
    async with http.post("/services/oauth2/authorize", data=form, allow_redirects=False) as response:
        assert response.status == 302
        assert response.headers["Location"].startswith(CALLBACK + "?")
        return {name: one for name, (one,) in parse_qs(urlsplit(response.headers["Location"]).query).items()}


@pytest.fixture
def dana(org: SalesforceSandbox) -> str:
    return org.add("User", FirstName="Dana", LastName="<Reyes>", Email="dana@example.com")


async def test_client_credentials_are_answered_with_a_session(
    org: SalesforceSandbox, http: aiohttp.ClientSession
) -> None:
    """All that Salesforce tells with a token is there, and the id names the run-as user."""
    status, told = await token(http, grant_type="client_credentials")
    assert status == 200
    assert set(told) == {"access_token", "signature", "scope", "instance_url", "id", "token_type", "issued_at"}
    headers = {"Authorization": f"Bearer {told['access_token']}"}
    async with http.get(told["id"], headers=headers) as response:
        assert (await response.json())["user_id"] == org.oauth.run_as
    async with http.get("/services/oauth2/userinfo", headers=headers) as response:
        assert (await response.json())["organization_id"] == org.org.id


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"grant_type": "client_credentials", "client_id": "other"}, "invalid_client_id"),
        ({"grant_type": "client_credentials", "client_secret": "wrong"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "authorization_code", "code": "aPrxnone"}, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "5Aepnone"}, "invalid_grant"),
    ],
)
async def test_what_is_wrong_is_told(http: aiohttp.ClientSession, asked: dict[str, str], error: str) -> None:
    """400, with the error's name and a description."""
    status, told = await token(http, **asked)
    assert (status, told["error"]) == (400, error)
    assert told["error_description"]


async def test_client_credentials_need_somebody_to_run_as(org: SalesforceSandbox, http: aiohttp.ClientSession) -> None:
    """No run-as user, or one who was deactivated: no session."""
    org.org.update(str(org.oauth.run_as), IsActive=False)
    status, told = await token(http, grant_type="client_credentials")
    assert (status, told["error_description"]) == (400, "no client credentials user enabled")


async def test_a_person_can_say_yes_or_no(http: aiohttp.ClientSession, dana: str) -> None:
    """The consent page names the active users, escaped; a refusal comes back as access_denied, with the state."""
    async with http.get("/services/oauth2/authorize", params=REQUEST) as response:
        page = await response.text()
    assert "Dana &lt;Reyes&gt;" in page
    assert 'value="s&amp;1"' in page
    assert (await consent(http, "deny", dana))["error"] == "access_denied"
    allowed = await consent(http, "allow", dana)
    assert (allowed["state"], "code" in allowed) == ("s&1", True)


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"client_id": "other"}, "invalid_client_id"),
        ({"redirect_uri": "https://evil.example/"}, "redirect_uri_mismatch"),
        ({"response_type": "token"}, "unsupported_response_type"),
    ],
)
async def test_a_request_that_is_not_the_apps_never_leaves(
    http: aiohttp.ClientSession, asked: dict[str, str], error: str
) -> None:
    """A wrong client or callback is told to the browser, not sent to the callback."""
    async with http.get("/services/oauth2/authorize", params=REQUEST | asked) as response:
        assert (response.status, (await response.json())["error"]) == (400, error)


async def test_pkce_is_required(http: aiohttp.ClientSession, dana: str) -> None:
    """Without a challenge there is no code."""
    assert (await consent(http, "allow", dana, code_challenge=""))["error"] == "invalid_request"


async def test_a_code_is_good_once_for_its_verifier(http: aiohttp.ClientSession, clock: Clock, dana: str) -> None:
    """The wrong verifier, the wrong callback, a second use and a late use are all refused."""
    asked = {"grant_type": "authorization_code", "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    code = (await consent(http, "allow", dana))["code"]
    assert (await token(http, **asked | {"code": code, "code_verifier": "w" * 43}))[1]["error"] == "invalid_grant"
    assert (await token(http, **asked | {"code": code, "redirect_uri": "x"}))[1]["error"] == "redirect_uri_mismatch"
    status, told = await token(http, **asked, code=code)
    assert (status, told["id"].endswith(dana), "refresh_token" in told) == (200, True, True)
    assert (await token(http, **asked, code=code))[1]["error_description"] == "expired authorization code"

    late = (await consent(http, "allow", dana))["code"]
    clock.advance(seconds=15 * 60)
    assert (await token(http, **asked, code=late))[1]["error_description"] == "expired authorization code"


async def refresh_token(http: aiohttp.ClientSession, user_id: str) -> dict[str, str]:
    code = (await consent(http, "allow", user_id))["code"]
    asked = {"grant_type": "authorization_code", "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    return (await token(http, **asked, code=code))[1]


async def is_signed_in(http: aiohttp.ClientSession, told: dict[str, str]) -> bool:
    headers = {"Authorization": f"Bearer {told['access_token']}"}
    async with http.get("/services/data/v66.0/limits", headers=headers) as response:
        return response.status == 200


async def test_a_refresh_token_is_good_once(http: aiohttp.ClientSession, dana: str) -> None:
    """Each refresh brings the next token; one that comes back ends the whole family."""
    first = await refresh_token(http, dana)
    status, second = await token(http, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert (status, await is_signed_in(http, second)) == (200, True)
    status, told = await token(http, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert (status, told["error"]) == (400, "invalid_grant")
    assert await is_signed_in(http, second) is False
    status, _ = await token(http, grant_type="refresh_token", refresh_token=second["refresh_token"])
    assert status == 400


async def test_rotation_can_be_off(org: SalesforceSandbox, http: aiohttp.ClientSession, dana: str) -> None:
    """Then a refresh token stays, and no other is told; a deactivated user gets nothing."""
    org.oauth.rotates = False
    first = await refresh_token(http, dana)
    for _ in range(2):
        status, told = await token(http, grant_type="refresh_token", refresh_token=first["refresh_token"])
        assert (status, "refresh_token" in told) == (200, False)
    org.org.update(dana, IsActive=False)
    status, told = await token(http, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert (status, told["error_description"]) == (400, "inactive user")


async def test_a_session_ends_by_itself_or_when_revoked(http: aiohttp.ClientSession, clock: Clock, dana: str) -> None:
    """Two hours, or until the refresh token it came with is revoked."""
    told = await refresh_token(http, dana)
    clock.advance(seconds=2 * 60 * 60)
    assert await is_signed_in(http, told) is False

    told = await refresh_token(http, dana)
    assert await is_signed_in(http, told) is True
    async with http.post("/services/oauth2/revoke", data={"token": told["refresh_token"]}) as response:
        assert response.status == 200
    assert await is_signed_in(http, told) is False
    async with http.post("/services/oauth2/revoke", data={"token": told["refresh_token"]}) as response:
        assert response.status == 400
