"""Salesforce sessions are requested over HTTP and shared through the database."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.fernet import Fernet

from domain.errors import PermanentError, TransientError
from domain.salesforce import SalesforceConnection
from sandbox.salesforce import SalesforceSandbox
from services.salesforce.login import authorize_url, challenge_of
from services.salesforce.sessions import SalesforceSessions
from store.database import Database
from store.encryption import Cipher
from store.operations import workspace_erasure
from store.salesforce import connections
from store.salesforce.connections import RENEWAL_LEASE_MS
from store.slack import workspaces
from tests.conftest import Clock
from tests.world import installed

CALLBACK = "http://localhost:3000/salesforce/callback"
VERIFIER = "v" * 64


@pytest.fixture
async def org(clock: Clock) -> AsyncIterator[SalesforceSandbox]:
    sandbox = SalesforceSandbox(now=lambda: clock() / 1000, client_id="app", client_secret="secret")
    server = TestServer(sandbox.web_app())
    await server.start_server()
    sandbox.url = str(server.make_url("")).rstrip("/")
    yield sandbox
    await server.close()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def cipher() -> Cipher:
    return Cipher.of([Fernet.generate_key().decode()])


@pytest.fixture
async def sessions(
    org: SalesforceSandbox, http: aiohttp.ClientSession, database: Database, cipher: Cipher, clock: Clock
) -> SalesforceSessions:
    """Sessions with the operator's credentials and a workspace T1."""
    await database.run(workspaces.install, installed("T1"))
    return SalesforceSessions(database, cipher, http, org.url, "app", "secret", clock)


def replica_of(sessions: SalesforceSessions) -> SalesforceSessions:
    """Return another process with the same settings and database."""
    return replace(sessions)


async def stored_connection(sessions: SalesforceSessions) -> SalesforceConnection:
    connection = await sessions.database.run(connections.find, sessions.cipher, "T1")
    assert connection is not None
    return connection


async def connect(sessions: SalesforceSessions, org: SalesforceSandbox, http: aiohttp.ClientSession) -> None:
    """Connect the workspace as Dana: give consent in the browser, then exchange the code."""
    dana = org.add("User", FirstName="Dana", LastName="Reyes")
    url = authorize_url(
        org.url, client_id="app", redirect_uri=CALLBACK, state="s1", code_challenge=challenge_of(VERIFIER)
    )
    form = {name: value for name, (value,) in parse_qs(urlsplit(url).query).items()}
    form |= {"user_id": dana, "answer": "allow"}
    async with http.post(url, data=form, allow_redirects=False) as response:
        answer = parse_qs(urlsplit(response.headers["Location"]).query)
    assert answer["state"] == ["s1"]
    await sessions.exchange_code(
        "T1",
        login_url=org.url,
        connected_by="U1",
        code=answer["code"][0],
        code_verifier=VERIFIER,
        redirect_uri=CALLBACK,
    )


async def test_the_operators_org_is_for_the_first_workspace_only(
    sessions: SalesforceSessions, org: SalesforceSandbox
) -> None:
    """Workspaces that install the app later connect an org of their own, even if the first workspace is erased."""
    assert await sessions.session_for("T1") is not None
    await sessions.database.run(workspaces.install, replace(installed("T0"), installed_at=0))
    await sessions.database.run(workspaces.install, replace(installed("T1"), installed_at=2))
    assert await sessions.session_for("T0") is None
    assert await sessions.session_for("T1") is not None
    await sessions.database.run(workspace_erasure.erase_rest, "T1", 3)
    assert await sessions.session_for("T0") is None


async def test_the_operator_lists_the_workspaces_that_read_their_org(
    sessions: SalesforceSessions, org: SalesforceSandbox
) -> None:
    """A workspace that is not listed any more is disconnected at once."""
    assert await sessions.session_for("T1") is not None
    await sessions.database.run(workspaces.install, installed("T2"))
    listed = replace(sessions, operator_workspaces=frozenset({"T2"}))
    assert await listed.session_for("T1") is None
    assert await listed.session_for("T2") is not None
    assert await sessions.database.run(connections.status_of, "T1") is None


@pytest.mark.parametrize(
    ("login_url", "proposed"),
    [
        ("https://acme.my.salesforce.com", "https://login.salesforce.com"),
        ("https://test.salesforce.com", "https://test.salesforce.com"),
    ],
)
async def test_other_workspaces_are_not_offered_the_operators_org(
    sessions: SalesforceSessions, login_url: str, proposed: str
) -> None:
    """Its address is neither shown to them nor proposed as their own."""
    await sessions.database.run(workspaces.install, installed("T2"))
    there = replace(sessions, login_url=login_url)
    assert await there.login_url_for("T1") == login_url
    assert await there.login_url_for("T2") == proposed


async def test_the_operators_credentials_connect_their_workspace(
    sessions: SalesforceSessions, org: SalesforceSandbox
) -> None:
    """The first call gets a session, later ones reuse it, and an unknown workspace has none."""
    session = await sessions.session_for("T1")
    assert session is not None
    assert session.instance_url == org.url
    assert await sessions.session_for("T1") == session
    assert len(org.calls_of("token")) == 1
    assert (await stored_connection(sessions)).org_id == org.org.id
    assert await sessions.session_for("T9") is None


@pytest.mark.parametrize(
    ("login_url", "client_id"),
    [("https://login.salesforce.com", "app"), ("https://test.salesforce.com", "app"), ("http://localhost:1", None)],
)
async def test_without_an_orgs_own_login_url_nothing_is_connected(
    sessions: SalesforceSessions, login_url: str, client_id: str | None
) -> None:
    """Client credentials need an org's own domain. On shared login hosts an admin has to connect first."""
    other = replace(sessions, login_url=login_url, client_id=client_id, client_secret=client_id)
    assert await other.session_for("T1") is None


async def test_the_operator_may_change_to_another_org(sessions: SalesforceSessions, org: SalesforceSandbox) -> None:
    """A changed login URL is used at once, and removed credentials connect nothing."""
    assert await sessions.session_for("T1") is not None
    moved = replace(sessions, login_url=org.url.replace("127.0.0.1", "localhost"))
    assert await moved.session_for("T1") is not None
    assert (await stored_connection(sessions)).login_url == moved.login_url
    assert len(org.calls_of("token")) == 2
    assert await replace(sessions, client_id=None).session_for("T1") is None


async def test_a_disconnected_session_is_not_renewed(
    sessions: SalesforceSessions, org: SalesforceSandbox, http: aiohttp.ClientSession
) -> None:
    """Another call may still be in progress when an admin disconnects."""
    await connect(sessions, org, http)
    stale = (await stored_connection(sessions)).access_token
    await sessions.disconnect("T1")
    assert await sessions.renew("T1", stale) is None


async def test_a_session_is_renewed_once_for_all_callers(sessions: SalesforceSessions, org: SalesforceSandbox) -> None:
    """All callers with the same expired session get the same new one."""
    old = await sessions.session_for("T1")
    assert old is not None
    org.expire_sessions()
    org.calls.clear()

    renewed = await asyncio.gather(*(sessions.renew("T1", old.access_token) for _ in range(20)))

    assert len(org.calls_of("token")) == 1
    assert len({session.access_token for session in renewed if session}) == 1
    assert await replica_of(sessions).renew("T1", old.access_token) == renewed[0]
    assert len(org.calls_of("token")) == 1


@pytest.mark.both_databases
async def test_while_one_replica_renews_another_waits(
    sessions: SalesforceSessions, org: SalesforceSandbox, clock: Clock
) -> None:
    """The error says how long. If the first one has died, it takes over when the lease has expired."""
    old = await sessions.session_for("T1")
    assert old is not None
    await sessions.database.run(connections.claim_renewal, sessions.cipher, "T1", old.access_token, clock())

    with pytest.raises(TransientError) as busy:
        await sessions.session_for("T1")
    assert busy.value.retry_after is not None

    clock.advance(seconds=RENEWAL_LEASE_MS / 1000)
    assert await sessions.session_for("T1") is not None
    assert len(org.calls_of("token")) == 2


async def test_an_admin_can_connect_and_disconnect(
    sessions: SalesforceSessions, org: SalesforceSandbox, http: aiohttp.ClientSession
) -> None:
    """The code is exchanged for tokens. Disconnecting revokes them in Salesforce too."""
    await connect(sessions, org, http)
    connection = await stored_connection(sessions)
    assert connection.refresh_token in org.oauth.refresh_tokens
    assert connection.user_id != org.oauth.run_as

    assert await sessions.disconnect("T1") is True
    assert org.oauth.sessions == {}
    assert await sessions.disconnect("T1") is False


async def test_a_rotated_refresh_token_is_stored(
    sessions: SalesforceSessions, org: SalesforceSandbox, http: aiohttp.ClientSession
) -> None:
    """Each refresh token works once, so every renewal needs the one before, on any replica."""
    await connect(sessions, org, http)
    for replica in (sessions, replica_of(sessions), sessions):
        stale = (await stored_connection(sessions)).access_token
        assert await replica.renew("T1", stale) is not None
    assert len({token.family for token in org.oauth.refresh_tokens.values()}) == 1


async def test_a_refused_renewal_needs_an_admin(
    sessions: SalesforceSessions, org: SalesforceSandbox, http: aiohttp.ClientSession
) -> None:
    """The problem is stored for status without secrets, and cleared by connecting again."""
    await connect(sessions, org, http)
    connection = await stored_connection(sessions)
    org.oauth.revoke(str(connection.refresh_token))
    with pytest.raises(PermanentError, match="Connect Salesforce again") as refused:
        await sessions.renew("T1", connection.access_token)
    assert "secret" not in str(refused.value)
    assert str(connection.refresh_token) not in str(refused.value)
    assert (await stored_connection(sessions)).problem == str(refused.value)

    await connect(sessions, org, http)
    assert (await stored_connection(sessions)).problem is None


@pytest.mark.parametrize("trouble", [{"status": 503}, {"drop": True}, {"garbage": True}])
async def test_an_outage_is_transient(
    sessions: SalesforceSessions, org: SalesforceSandbox, trouble: dict[str, object]
) -> None:
    """A missing or invalid answer may be retried at once."""
    org.faults.add("token", **trouble)  # type: ignore[arg-type]  # one of them at a time
    with pytest.raises(TransientError):
        await sessions.session_for("T1")
    assert (await stored_connection(sessions)).problem is None
    assert await sessions.session_for("T1") is not None


async def test_a_redirect_of_the_login_host_is_not_followed(
    sessions: SalesforceSessions, org: SalesforceSandbox
) -> None:
    """The client secret is only sent to the address in the settings."""

    async def elsewhere(_: web.Request) -> web.Response:
        raise web.HTTPPermanentRedirect(org.url + "/services/oauth2/token")

    app = web.Application()
    app.router.add_post("/services/oauth2/token", elsewhere)
    async with TestServer(app) as server:
        redirected = replace(sessions, login_url=str(server.make_url("")).rstrip("/"))
        with pytest.raises(PermanentError, match="SALESFORCE_LOGIN_URL"):
            await redirected.session_for("T1")
    assert org.calls == []


async def test_a_foreign_instance_gets_no_session(sessions: SalesforceSessions, org: SalesforceSandbox) -> None:
    """A session is only sent to Salesforce or this machine, whatever the login host answers."""
    org.url = "https://evil.example"
    with pytest.raises(PermanentError, match="outside its own domains"):
        await sessions.session_for("T1")
    assert (await stored_connection(sessions)).instance_url is None


@pytest.mark.parametrize("description", ["ip restricted", "IP restricted or invalid login hours"])
async def test_login_hours_do_not_end_the_connection(
    sessions: SalesforceSessions, org: SalesforceSandbox, http: aiohttp.ClientSession, description: str
) -> None:
    """The token is kept and tried again after a quarter of an hour, and admins see the reason until it works."""
    await connect(sessions, org, http)
    session = await sessions.session_for("T1")
    assert session is not None
    token = (await stored_connection(sessions)).refresh_token
    org.oauth.restriction = description
    with pytest.raises(TransientError, match="login hours") as refused:
        await sessions.renew("T1", session.access_token)
    assert refused.value.retry_after == 15 * 60
    stored = await stored_connection(sessions)
    assert stored.refresh_token == token
    assert stored.problem == str(refused.value)

    org.oauth.restriction = None
    assert await sessions.session_for("T1") is not None
    assert (await stored_connection(sessions)).problem is None
