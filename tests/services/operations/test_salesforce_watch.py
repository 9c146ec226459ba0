"""Connections looked after: kept alive, told of once, and never a storm."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import pytest

from domain.errors import PermanentError, TransientError
from domain.salesforce import SalesforceConnection
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
from tests.services.salesforce.test_sessions import installed
from tests.world import World

CALLBACK = "http://localhost:3000/salesforce/callback"
VERIFIER = "v" * 64
DAY = 24 * 60 * 60


@dataclass
class Connected:
    """Acme, whose admin Alma has connected Salesforce in a browser."""

    world: World
    sessions: SalesforceSessions
    care: SalesforceWatch

    async def known(self) -> SalesforceConnection:
        found = await self.sessions.database.run(connections.find, self.sessions.cipher, self.world.workspace_id)
        assert found is not None
        return found

    async def minute(self, seconds: float = 61) -> None:
        self.world.clock.advance(seconds=seconds)
        await self.care.check()

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
    care = SalesforceWatch(
        sessions, SalesforceDescribe(salesforce), Notices(world.database, slack, world.clock), world.clock
    )
    made = Connected(world, sessions, care)
    await made.connect()
    return made


async def renew(sessions: SalesforceSessions, workspace_id: str, stale: str | None) -> Session | str | None:
    try:
        return await sessions.renew(workspace_id, stale)
    except TransientError as error:
        return str(error)


@pytest.mark.both_databases
async def test_two_replicas_that_race_use_a_refresh_token_once(acme: Connected, database: Database) -> None:
    """It is good once: one of them renews, the others are told to come back, and then they have the new session."""
    own = Database(database.engine.url.render_as_string(hide_password=False))
    replicas = [acme.sessions, replace(acme.sessions, database=own), replace(acme.sessions)]
    for _ in range(3):
        stale = (await acme.known()).access_token
        acme.world.salesforce.calls.clear()
        answers = await asyncio.gather(*(renew(each, acme.world.workspace_id, stale) for each in replicas * 5))
        sessions = {answer.access_token for answer in answers if isinstance(answer, Session)}
        assert len(sessions) == 1
        assert len(acme.world.salesforce.calls_of("token")) == 1
        assert sessions == {(await acme.known()).access_token}
    assert (await acme.known()).problem is None
    await own.close()


async def test_a_refused_refresh_token_is_one_notice_and_no_storm(acme: Connected) -> None:
    """Salesforce is not asked with it again, the admin is told once, and connecting again mends it."""
    org = acme.world.salesforce
    org.oauth.revoke(str((await acme.known()).refresh_token))
    org.expire_sessions()
    await acme.world.accept()
    for _ in range(20):
        acme.world.clock.advance(seconds=30)
        await acme.world.worker.drain()
        await acme.care.check()
    assert len(org.calls_of("token")) == 2  # connecting, and the one refusal
    (notice,) = acme.notices()
    assert "connect Salesforce again" in notice.text
    assert acme.world.channel_messages("job-changes") == []

    await acme.connect()
    dana = acme.world.add_owner("Dana Reyes")
    org.add("Contact", LastName="Smith", Email="ada@initech.example", OwnerId=dana)
    await acme.world.worker.drain()
    assert len(acme.world.direct_messages("Dana Reyes")) == 1


async def test_a_trouble_that_comes_and_goes_is_told_once_a_day(acme: Connected) -> None:
    """Not each time it comes."""
    workspace_id, database = acme.world.workspace_id, acme.world.database
    for _ in range(5):
        await database.run(connections.note_problem, workspace_id, "let us read Account")
        await acme.minute()
        await database.run(connections.note_answer, workspace_id, acme.world.clock(), None)
        await acme.minute()
    assert len(acme.notices()) == 1
    await acme.minute(DAY)
    await database.run(connections.note_problem, workspace_id, "let us read Account")
    await acme.minute()
    assert len(acme.notices()) == 2


async def test_a_renewal_that_came_too_late_does_not_end_the_newer_one(acme: Connected) -> None:
    """Whose lease ran out may be refused with the old token: the new one stays, and is used."""
    old = await acme.known()
    new = await acme.sessions.renew(acme.world.workspace_id, old.access_token)
    assert new is not None
    slow = await acme.sessions._renew(old)
    assert slow is not None
    assert slow.access_token == (await acme.known()).access_token
    assert (await acme.known()).refresh_token is not None


async def test_a_refresh_token_that_nobody_uses_is_used_weekly(acme: Connected) -> None:
    """Five days of silence are enough; before that nothing is asked."""
    org = acme.world.salesforce
    await acme.minute(DAY)
    asked = len(org.calls_of("token"))
    await acme.minute(IDLE_MS / 1_000)
    assert len(org.calls_of("token")) == asked + 1
    await acme.minute()
    assert len(org.calls_of("token")) == asked + 1
    assert (await acme.known()).renewed_at == acme.world.clock() - 61_000


async def test_a_use_that_failed_is_tried_again_within_the_hour(acme: Connected) -> None:
    """Salesforce was away just then; it is not asked each minute."""
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
    assert (await acme.known()).access_token is not None


async def test_most_of_the_orgs_calls_used_up_is_a_notice(acme: Connected) -> None:
    """At 80 %, once; and once more when it has been well below in between."""
    workspace_id, database = acme.world.workspace_id, acme.world.database

    async def use(calls: int) -> None:
        await database.run(connections.note_answer, workspace_id, acme.world.clock(), (calls, 15_000))
        await acme.minute()

    await use(11_000)
    assert acme.notices() == []
    await use(12_000)
    await use(14_000)
    (notice,) = acme.notices()
    assert "14,000" not in notice.text
    assert "12,000 of the 15,000" in notice.text
    acme.world.clock.advance(seconds=DAY)
    await use(9_000)
    await use(12_500)
    assert len(acme.notices()) == 2


async def test_the_daily_api_limit_is_kept(acme: Connected) -> None:
    """Every call counts. At the limit Salesforce is not called until the next day."""
    workspace_id, clock = acme.world.workspace_id, acme.world.clock
    await acme.world.database.run(workspaces.change, workspace_id, None, salesforce_daily_calls=3)
    for _ in range(3):
        assert await acme.care.describe.object(workspace_id, "Contact") is not None
    assert (await acme.known()).our_calls_on(clock()) == 3
    with pytest.raises(TransientError, match="daily limit of 3 "):
        await acme.care.describe.object(workspace_id, "Contact")
    clock.advance(seconds=DAY)
    assert (await acme.known()).our_calls_on(clock()) == 0
    assert await acme.care.describe.object(workspace_id, "Contact") is not None


async def test_without_a_refresh_token_an_admin_has_to_connect(acme: Connected) -> None:
    """An app without that scope gives none: when the session ends, it is over, and that is said."""
    acme.world.salesforce.expire_sessions()
    known = await acme.known()
    await acme.world.database.run(
        connections.refuse_renewal, acme.sessions.cipher, acme.world.workspace_id, str(known.refresh_token), "gone"
    )
    with pytest.raises(PermanentError, match="gone"):
        await acme.sessions.session_for(acme.world.workspace_id)
    assert len(acme.world.salesforce.calls_of("token")) == 1


async def test_an_org_that_nobody_connected_in_a_browser_is_asked_for_its_name(world: World) -> None:
    """With the operator's credentials the org is known by name once it has been used."""
    salesforce = world.worker.router.decider.salesforce
    describe = SalesforceDescribe(salesforce)
    world.salesforce.add("Organization", Name="Acme Corp", OrganizationType="Unlimited Edition")
    notices = Notices(world.database, world.worker.courier.slack, world.clock)
    care = SalesforceWatch(salesforce.sessions, describe, notices, world.clock)
    await describe.object(world.workspace_id, "Contact")
    for _ in range(3):
        world.clock.advance(seconds=61)
        await care.check()
    known = await salesforce.sessions.connection_of(world.workspace_id)
    assert known is not None
    assert (known.org_name, known.org_edition, known.user_name) == ("Acme Corp", "Unlimited Edition", "Integration")
    assert len(world.salesforce.calls_of("query")) == 2


def care_of(world: World) -> SalesforceWatch:
    salesforce = world.worker.router.decider.salesforce
    notices = Notices(world.database, world.worker.courier.slack, world.clock)
    return SalesforceWatch(salesforce.sessions, SalesforceDescribe(salesforce), notices, world.clock)


@pytest.mark.both_databases
async def test_the_operators_credentials_are_tried_right_after_the_installation(world: World) -> None:
    """Before the first job change: status says as whom, and Salesforce is nothing that is left to do."""
    world.salesforce.add("Organization", Name="Acme Corp", OrganizationType="Unlimited Edition")
    status = Status(world.database, world.clock)
    care = care_of(world)
    for _ in range(5):
        await care.check()
        world.clock.advance(seconds=6)
    found = await status.of(world.workspace_id)
    assert found is not None
    told = "Connected to Salesforce: Acme Corp (Unlimited Edition) as Integration"
    assert found.salesforce[0].text == told
    assert [call.kind for call in world.salesforce.calls] == ["token", "query", "query"]
    steps = await world.database.run(noticing.setup_steps, world.workspace_id, "usergems-test")
    assert steps.salesforce is True


async def test_credentials_that_are_refused_are_tried_every_ten_minutes(world: World) -> None:
    """A new app may take so long to work; or they are for a browser's flow, and an admin has to connect."""
    world.salesforce.faults.add("token", error="unsupported_grant_type", times=None)
    care = care_of(world)
    await world.database.run(workspaces.install, installed("T2"))
    for _ in range(5):
        await care.check()
        world.clock.advance(seconds=6)
    assert len(world.salesforce.calls_of("token")) == 2  # once each of two workspaces
    steps = await world.database.run(noticing.setup_steps, world.workspace_id, "usergems-test")
    assert steps.salesforce is False
    world.salesforce.faults.clear()
    world.clock.advance(seconds=600)
    await care.check()
    steps = await world.database.run(noticing.setup_steps, world.workspace_id, "usergems-test")
    assert steps.salesforce is True


async def test_an_org_that_is_away_is_tried_again_a_minute_later(world: World) -> None:
    """By one workspace for all of them, since it is the same org."""
    world.salesforce.faults.add("token", status=503, times=None)
    care = care_of(world)
    await world.database.run(workspaces.install, installed("T2"))
    for _ in range(5):
        await care.check()
        world.clock.advance(seconds=6)
    assert len(world.salesforce.calls_of("token")) == 1
    world.salesforce.faults.clear()
    world.clock.advance(seconds=60)
    await care.check()
    assert len(world.salesforce.calls_of("token")) == 3
    steps = await world.database.run(noticing.setup_steps, world.workspace_id, "usergems-test")
    assert steps.salesforce is True


async def test_where_an_admin_connects_nothing_is_tried(world: World) -> None:
    """On the shared login hosts client credentials are never answered."""
    care = care_of(world)
    care.sessions = replace(care.sessions, login_url="https://login.salesforce.com")
    await care.check()
    assert world.salesforce.calls == []
    assert await world.database.run(connections.status_of, world.workspace_id) is None
