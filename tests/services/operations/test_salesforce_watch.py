"""Salesforce connections are kept alive, and problems are reported once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import pytest

from domain.errors import PermanentError, TransientError
from domain.messages.notices import SetupSteps
from domain.salesforce import CallsMade, SalesforceConnection
from sandbox.slack.state import Message
from services.home.status import Status
from services.messages.notices import Notices
from services.operations.salesforce_watch import IDLE_MS, SalesforceWatch
from services.salesforce.login import authorize_url, challenge_of
from services.salesforce.queries.describe import SalesforceDescribe
from services.salesforce.queries.lookup import Salesforce
from services.salesforce.sessions import SalesforceSessions, Session
from store.database import Database
from store.messages import notices as noticing
from store.salesforce import connections
from store.slack import workspaces
from tests.world import World, installed

CALLBACK = "http://localhost:3000/salesforce/callback"
VERIFIER = "v" * 64
DAY = 24 * 60 * 60


@dataclass
class Connected:
    """A workspace whose admin Alma has connected Salesforce in a browser."""

    world: World
    sessions: SalesforceSessions
    watch: SalesforceWatch

    async def connection(self) -> SalesforceConnection:
        found = await self.sessions.database.run(connections.find, self.sessions.cipher, self.world.workspace_id)
        assert found is not None
        return found

    async def minute(self, seconds: float = 61) -> None:
        self.world.clock.advance(seconds=seconds)
        await self.watch.check()

    def notices(self) -> list[Message]:
        return self.world.direct_messages("Alma Admin")

    async def connect(self) -> None:
        org = self.world.salesforce
        user = org.add("User", FirstName="Ines", LastName="Integration")
        url = authorize_url(
            org.url, client_id="3MVG9sandbox", redirect_uri=CALLBACK, state="s", code_challenge=challenge_of(VERIFIER)
        )
        form = {"user_id": user, "answer": "allow"}
        async with self.sessions.http.post(url, data=form | _query(url), allow_redirects=False) as response:
            code = _query(response.headers["Location"])["code"]
        await self.sessions.exchange_code(
            self.world.workspace_id,
            login_url=org.url,
            connected_by=self.world.admin.id,
            code=code,
            code_verifier=VERIFIER,
            redirect_uri=CALLBACK,
        )


def _query(url: str) -> dict[str, str]:
    from urllib.parse import parse_qsl, urlsplit  # noqa: PLC0415 - of this helper only

    return dict(parse_qsl(urlsplit(url).query))


@pytest.fixture
async def acme(world: World) -> Connected:
    salesforce: Salesforce = world.worker.router.decider.salesforce
    sessions, slack = salesforce.sessions, world.worker.courier.slack
    watch = SalesforceWatch(
        sessions, SalesforceDescribe(salesforce), Notices(world.database, slack, world.clock), world.clock
    )
    made = Connected(world, sessions, watch)
    await made.connect()
    return made


async def renew(sessions: SalesforceSessions, workspace_id: str, stale: str | None) -> Session | str | None:
    try:
        return await sessions.renew(workspace_id, stale)
    except TransientError as error:
        return str(error)


@pytest.mark.both_databases
async def test_replicas_use_a_refresh_token_once(acme: Connected, database: Database) -> None:
    """It is good once. One replica renews the session, the others retry and get the new one."""
    own = Database(database.engine.url.render_as_string(hide_password=False))
    replicas = [acme.sessions, replace(acme.sessions, database=own), replace(acme.sessions)]
    for _ in range(3):
        stale = (await acme.connection()).access_token
        acme.world.salesforce.calls.clear()
        answers = await asyncio.gather(*(renew(each, acme.world.workspace_id, stale) for each in replicas * 5))
        sessions = {answer.access_token for answer in answers if isinstance(answer, Session)}
        assert len(sessions) == 1
        assert len(acme.world.salesforce.calls_of("token")) == 1
        assert sessions == {(await acme.connection()).access_token}
    assert (await acme.connection()).problem is None
    await own.close()


async def test_a_refused_refresh_token_sends_one_notice(acme: Connected) -> None:
    """It is not used again. Connecting again fixes the problem."""
    org = acme.world.salesforce
    org.oauth.revoke(str((await acme.connection()).refresh_token))
    org.expire_sessions()
    await acme.world.accept()
    for _ in range(20):
        acme.world.clock.advance(seconds=30)
        await acme.world.worker.drain()
        await acme.watch.check()
    assert len(org.calls_of("token")) == 2  # connecting, and the one refusal
    (notice,) = acme.notices()
    assert "Connect again" in notice.text
    assert acme.world.channel_messages("job-changes") == []

    await acme.connect()
    dana = acme.world.add_owner("Dana Reyes")
    org.add("Contact", LastName="Smith", Email="ada@initech.example", OwnerId=dana)
    await acme.world.worker.drain()
    assert len(acme.world.direct_messages("Dana Reyes")) == 1


async def test_a_problem_that_comes_and_goes_is_reported_once_a_day(acme: Connected) -> None:
    """It is not reported each time it comes."""
    workspace_id, database = acme.world.workspace_id, acme.world.database
    for _ in range(5):
        await database.run(connections.note_problem, workspace_id, "let us read Account")
        await acme.minute()
        await database.run(connections.note_answer, workspace_id, acme.world.clock(), CallsMade(1))
        await acme.minute()
    assert len(acme.notices()) == 1
    await acme.minute(DAY)
    await database.run(connections.note_problem, workspace_id, "let us read Account")
    await acme.minute()
    assert len(acme.notices()) == 2


async def test_a_late_renewal_does_not_replace_a_newer_session(acme: Connected) -> None:
    """After its lease, a replica may be refused with the old token. The new session stays."""
    old = await acme.connection()
    new = await acme.sessions.renew(acme.world.workspace_id, old.access_token)
    assert new is not None
    slow = await acme.sessions._renew(old)
    assert slow is not None
    assert slow.access_token == (await acme.connection()).access_token
    assert (await acme.connection()).refresh_token is not None


async def test_an_idle_refresh_token_is_used_after_five_days(acme: Connected) -> None:
    """Before that, Salesforce is not called."""
    org = acme.world.salesforce
    await acme.minute(DAY)
    asked = len(org.calls_of("token"))
    await acme.minute(IDLE_MS / 1_000)
    assert len(org.calls_of("token")) == asked + 1
    await acme.minute()
    assert len(org.calls_of("token")) == asked + 1
    assert (await acme.connection()).renewed_at == acme.world.clock() - 61_000


async def test_a_failed_renewal_is_retried_after_an_hour(acme: Connected) -> None:
    """Salesforce is not called every minute."""
    org = acme.world.salesforce
    org.faults.add("token", status=503, times=None)
    await acme.minute(IDLE_MS / 1_000 + 61)
    asked = len(org.calls_of("token"))
    for _ in range(10):
        await acme.minute()
    assert len(org.calls_of("token")) == asked
    org.faults.clear()
    await acme.minute(60 * 60)
    assert len(org.calls_of("token")) == asked + 1
    assert (await acme.connection()).access_token is not None


async def test_a_notice_is_sent_when_most_api_calls_are_used(acme: Connected) -> None:
    """It is sent at 80%, and again only after usage was well below that."""
    workspace_id, database = acme.world.workspace_id, acme.world.database

    async def use(calls: int) -> None:
        await database.run(connections.note_answer, workspace_id, acme.world.clock(), CallsMade(1, (calls, 15_000)))
        await acme.minute()

    await use(11_000)
    assert acme.notices() == []
    await use(12_000)
    await use(14_000)
    (notice,) = acme.notices()
    assert "14,000" not in notice.text
    assert "12,000 of 15,000" in notice.text
    acme.world.clock.advance(seconds=DAY)
    await use(9_000)
    await use(12_500)
    assert len(acme.notices()) == 2


async def test_the_daily_api_limit_is_kept(acme: Connected) -> None:
    """Every response counts. At the limit, Salesforce is not called until the next day."""
    workspace_id, clock = acme.world.workspace_id, acme.world.clock
    await acme.world.database.run(workspaces.change, workspace_id, None, salesforce_daily_calls=3)
    for _ in range(3):
        assert await acme.watch.describe.object(workspace_id, "Contact") is not None
    assert (await acme.connection()).our_calls_on(clock()) == 3
    with pytest.raises(TransientError, match="daily limit of 3 "):
        await acme.watch.describe.object(workspace_id, "Contact")
    clock.advance(seconds=DAY)
    assert (await acme.connection()).our_calls_on(clock()) == 0
    assert await acme.watch.describe.object(workspace_id, "Contact") is not None


async def test_without_a_refresh_token_an_admin_has_to_connect_again(acme: Connected) -> None:
    """When the session ends, the connection has a problem."""
    acme.world.salesforce.expire_sessions()
    known = await acme.connection()
    await acme.world.database.run(
        connections.refuse_renewal, acme.sessions.cipher, acme.world.workspace_id, str(known.refresh_token), "gone"
    )
    with pytest.raises(PermanentError, match="gone"):
        await acme.sessions.session_for(acme.world.workspace_id)
    assert len(acme.world.salesforce.calls_of("token")) == 1


async def test_the_org_name_is_read_for_the_operators_credentials(world: World) -> None:
    """It is read after the first use of the connection."""
    salesforce = world.worker.router.decider.salesforce
    describe = SalesforceDescribe(salesforce)
    world.salesforce.add("Organization", Name="Acme Corp", OrganizationType="Unlimited Edition")
    notices = Notices(world.database, world.worker.courier.slack, world.clock)
    watch = SalesforceWatch(salesforce.sessions, describe, notices, world.clock)
    await describe.object(world.workspace_id, "Contact")
    for _ in range(3):
        world.clock.advance(seconds=61)
        await watch.check()
    known = await salesforce.sessions.connection_of(world.workspace_id)
    assert known is not None
    assert (known.org_name, known.org_edition, known.user_name) == ("Acme Corp", "Unlimited Edition", "Integration")
    assert len(world.salesforce.calls_of("query")) == 2


def watch_of(world: World) -> SalesforceWatch:
    salesforce = world.worker.router.decider.salesforce
    notices = Notices(world.database, world.worker.courier.slack, world.clock)
    sessions = replace(salesforce.sessions, operator_workspaces=frozenset({world.workspace_id, "T2"}))
    return SalesforceWatch(sessions, SalesforceDescribe(salesforce), notices, world.clock)


@pytest.mark.both_databases
async def test_the_operators_credentials_are_tested_after_the_installation(world: World) -> None:
    """The setup step is done before the first job change."""
    world.salesforce.add("Organization", Name="Acme Corp", OrganizationType="Unlimited Edition")
    status = Status(world.database, world.clock)
    watch = watch_of(world)
    for _ in range(5):
        await watch.check()
        world.clock.advance(seconds=6)
    found = await status.of(world.workspace_id)
    assert found is not None
    text = "Connected to Salesforce: Acme Corp (Unlimited Edition) as Integration"
    assert found.salesforce[0].text == text
    assert [call.kind for call in world.salesforce.calls] == ["token", "query", "query"]
    steps = await world.database.run(noticing.setup_steps, world.workspace_id)
    assert SetupSteps.SALESFORCE in steps


async def test_refused_credentials_are_retried_every_ten_minutes(world: World) -> None:
    """A new app may take that long to work, or an admin has to connect in a browser."""
    world.salesforce.faults.add("token", error="unsupported_grant_type", times=None)
    watch = watch_of(world)
    await world.database.run(workspaces.install, installed("T2"))
    for _ in range(5):
        await watch.check()
        world.clock.advance(seconds=6)
    assert len(world.salesforce.calls_of("token")) == 2  # once each of two workspaces
    steps = await world.database.run(noticing.setup_steps, world.workspace_id)
    assert SetupSteps.SALESFORCE not in steps
    world.salesforce.faults.clear()
    world.clock.advance(seconds=600)
    await watch.check()
    steps = await world.database.run(noticing.setup_steps, world.workspace_id)
    assert SetupSteps.SALESFORCE in steps


async def test_an_unreachable_org_is_retried_a_minute_later(world: World) -> None:
    """One workspace tries it for all, because it is the same org."""
    world.salesforce.faults.add("token", status=503, times=None)
    watch = watch_of(world)
    await world.database.run(workspaces.install, installed("T2"))
    for _ in range(5):
        await watch.check()
        world.clock.advance(seconds=6)
    assert len(world.salesforce.calls_of("token")) == 1
    world.salesforce.faults.clear()
    world.clock.advance(seconds=60)
    await watch.check()
    assert len(world.salesforce.calls_of("token")) == 3
    steps = await world.database.run(noticing.setup_steps, world.workspace_id)
    assert SetupSteps.SALESFORCE in steps


async def test_on_shared_login_hosts_credentials_are_not_tested(world: World) -> None:
    """Salesforce does not accept client credentials there."""
    watch = watch_of(world)
    watch.sessions = replace(watch.sessions, login_url="https://login.salesforce.com")
    await watch.check()
    assert world.salesforce.calls == []
    assert await world.database.run(connections.status_of, world.workspace_id) is None
