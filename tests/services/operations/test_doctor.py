"""What is found when the app, really served, looks at itself, Slack and Salesforce; on both databases."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.fernet import Fernet
from slack_sdk.oauth.installation_store import Installation
from sqlalchemy import text, update

import app as our_app
from sandbox.salesforce import SalesforceSandbox
from sandbox.slack import SlackSandbox
from sandbox.slack.state import Channel, Team
from services.operations.check_results import CheckState
from services.settings import Settings
from store.database import Database
from store.encryption import Cipher
from store.schema import deliveries, salesforce_connections
from store.slack import inbound_health, workspaces
from store.slack.installations import AsyncInstallationStore
from tests.servers import free_port
from tests.store.sample_rows import add_routed
from tests.world import SCOPES

OK, FAILED, UNKNOWN = CheckState.OK, CheckState.FAILED, CheckState.UNKNOWN


@dataclass
class Place:
    """An installed workspace whose every part is well, and the app that serves it."""

    slack: SlackSandbox
    salesforce: SalesforceSandbox
    database: Database
    team: Team
    wins: Channel
    environ: dict[str, str]
    ahead_seconds: float = 0.0
    deadline_seconds: float = 5.0
    served: dict[str, str] = field(default_factory=dict)
    dana: str = ""
    heard: Callable[[], Awaitable[object]] | None = None
    """What comes from Slack, or from anybody, while the app is served."""

    def now(self) -> int:
        return round((time.time() + self.ahead_seconds) * 1_000)

    async def look(self, **environ: str) -> dict[str, tuple[CheckState, str]]:
        """What is found, by the names of the checks, the app being served with *served* beside its settings."""
        settings = Settings.from_environ(self.environ | environ)
        serving = Settings.from_environ(self.environ | self.served)
        async with (
            our_app.build(serving, Cipher.of(serving.encryption_keys)) as other,
            our_app.build(settings, Cipher.of(settings.encryption_keys), self.now) as ours,
        ):
            runner = web.AppRunner(other.web, access_log=None)
            await runner.setup()
            try:
                await web.TCPSite(runner, "127.0.0.1", int(self.environ["PORT"])).start()
                if self.heard:
                    await self.heard()
                doctor = replace(ours.doctor, deadline_seconds=self.deadline_seconds)
                found = {finding.name: (finding.state, finding.text) async for finding in doctor.run()}
            finally:
                await runner.cleanup()
            return {name.removeprefix(f"{self.team.id} "): what for name, what in found.items()}

    async def prefer(self, **preferences: object) -> None:
        await self.database.run(workspaces.change, self.team.id, None, **preferences)


@pytest.fixture
async def place(database_url: str) -> AsyncIterator[Place]:
    slack, salesforce = SlackSandbox(), SalesforceSandbox()
    server = TestServer(salesforce.web_app())
    await server.start_server()
    salesforce.url = str(server.make_url("")).rstrip("/")
    async with slack.serving() as url:
        port = free_port()
        environ = {
            "SLACK_CLIENT_ID": slack.app.client_id,
            "SLACK_CLIENT_SECRET": slack.app.client_secret,
            "SLACK_SIGNING_SECRET": slack.app.signing_secret,
            "SLACK_API_URL": f"{url}/api/",
            "SALESFORCE_LOGIN_URL": salesforce.url,
            "SALESFORCE_CLIENT_ID": salesforce.oauth.client_id,
            "SALESFORCE_CLIENT_SECRET": salesforce.oauth.client_secret,
            "PUBLIC_URL": f"http://127.0.0.1:{port}",
            "PORT": str(port),
            "DATABASE_URL": database_url,
            "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        }
        database = Database(database_url)
        team = slack.add_team("Acme")
        wins = slack.add_channel(team, "wins")
        place = Place(slack, salesforce, database, team, wins, environ)
        await install(place)
        slack.app_url = environ["PUBLIC_URL"]
        yield place
        await database.close()
    await server.close()


async def install(place: Place) -> None:
    dana = place.slack.add_user(place.team, "Dana Reyes", "dana@acme.example", is_admin=True)
    place.dana = dana.id
    token = place.slack.install(place.team.id, dana.id, SCOPES.split(","))
    cipher = Cipher.of([place.environ["ENCRYPTION_KEYS"]])
    installation = Installation(
        app_id=place.slack.app.id,
        team_id=place.team.id,
        team_name="Acme",
        user_id=dana.id,
        bot_token=token,
        bot_id="B1",
        bot_user_id=place.slack.world.tokens[token].bot_user,
        bot_scopes=SCOPES,
        installed_at=time.time(),
    )
    await AsyncInstallationStore(place.database, place.slack.app.client_id, cipher).async_save(installation)
    await place.prefer(default_channel_id=place.wins.id, default_channel_name="wins")


async def test_where_all_is_well_nothing_fails(place):
    """One finding a check; what nobody can know says how to find out."""
    await place.database.run(inbound_health.record, inbound_health.EVENT, place.now())

    found = await place.look()

    assert {name: state for name, (state, _) in found.items()} == {
        "database": OK,
        "migrations": OK,
        "encryption keys": OK,
        "Slack credentials": OK,
        "clock": OK,
        "public address": OK,
        "signing secret": OK,
        "event subscriptions": OK,
        "scopes": OK,
        "default channel": OK,
        "Messages tab": OK,
        "Salesforce": OK,
    }


async def test_asking_changes_nothing_and_posts_nothing(place):
    """It may be run at any time, by anybody who can read the settings."""
    await place.look()

    assert {call.method for call in place.slack.calls} == {"oauth.v2.access", "auth.test", "conversations.info"}


@pytest.mark.parametrize(
    ("name", "said"),
    [("SLACK_CLIENT_ID", "Slack does not know SLACK_CLIENT_ID"), ("SLACK_CLIENT_SECRET", "CLIENT_SECRET does not")],
)
async def test_a_wrong_credential_is_told_by_name(place, name, said):
    """Slack is asked with a code that is none, and looks at the credentials first."""
    place.served[name] = place.environ[name]

    state, told = (await place.look(**{name: "wrong"}))["Slack credentials"]

    assert state is FAILED
    assert said in told
    assert "wrong" not in told


async def test_a_client_id_of_another_slack_app_is_told_as_such(place):
    """And not as workspaces that have removed the app: their installations are there, under the other id."""
    place.served["SLACK_CLIENT_ID"] = place.environ["SLACK_CLIENT_ID"]

    found = await place.look(SLACK_CLIENT_ID="3333333333.4444444444")

    state, told = found["installation"]
    assert state is FAILED
    assert f"put its client id, {place.slack.app.client_id}, and its secrets back" in told
    assert "scopes" not in found


async def test_another_signing_secret_than_the_served_app_has_is_found(place):
    """Somebody changed .env and did not restart."""
    place.served["SLACK_SIGNING_SECRET"] = "another"

    state, told = (await place.look())["event subscriptions"]

    assert state is FAILED
    assert "refuses what is signed with SLACK_SIGNING_SECRET" in told


async def test_whether_slack_signs_with_our_secret_is_known_by_what_came(place):
    """Slack tells nobody; without anything there is a way to find out. What the doctor itself sends is no sign."""
    for _ in range(2):
        found = await place.look()

        assert found["signing secret"][0] is UNKNOWN
        assert "type /usergems-status" in found["signing secret"][1]
        assert found["event subscriptions"][0] is UNKNOWN
        assert "verify the Request URL" in found["event subscriptions"][1]


@pytest.mark.parametrize(("secret", "state"), [("sandbox-signing-secret", OK), ("another", FAILED)])
async def test_what_slack_sends_shows_whether_the_signing_secret_is_right(place, secret, state):
    """Anything does: here its challenge. That events reach us it does not show."""
    place.slack.app.signing_secret = secret
    place.heard = place.slack.verify_url

    found = await place.look()

    assert found["signing secret"][0] is state
    assert ("is not signed with SLACK_SIGNING_SECRET" in found["signing secret"][1]) is (state is FAILED)
    assert found["event subscriptions"][0] is UNKNOWN


async def test_an_event_shows_that_events_come(place):
    """For two days; what is older shows nothing any more."""
    event = {"type": "app_home_opened", "user": place.dana, "channel": "D0DANA", "tab": "home"}
    place.heard = partial(place.slack.send_event, place.team.id, event)
    found = await place.look()
    assert (found["signing secret"][0], found["event subscriptions"][0]) == (OK, OK)

    place.heard, place.ahead_seconds = None, 2 * 24 * 3_600
    found = await place.look()
    assert (found["signing secret"][0], found["event subscriptions"][0]) == (UNKNOWN, FAILED)  # by the clock


async def test_what_anybody_sends_is_no_sign_of_a_wrong_secret(place):
    """Scanners find every address; only what is signed in Slack's form, and now, could have been Slack's."""

    async def garbage():
        async with aiohttp.ClientSession() as http:
            for headers in ({}, {"X-Slack-Request-Timestamp": "9" * 5_000, "X-Slack-Signature": f"v0={'0' * 64}"}):
                async with http.post(f"{place.environ['PUBLIC_URL']}/slack/events", headers=headers) as response:
                    assert response.status == 401

    place.heard = garbage

    assert (await place.look())["signing secret"][0] is UNKNOWN


async def test_a_secret_that_was_mended_is_right_again(place):
    """The last word counts."""
    await place.database.run(inbound_health.record, inbound_health.REFUSED, place.now() - 5_000)
    place.heard = place.slack.verify_url

    assert (await place.look())["signing secret"][0] is OK


@pytest.mark.parametrize(
    ("url", "secret", "said"),
    [
        ("https://slack.com/api/", "not hexadecimal", "is not 32 of the digits 0-9a-f"),
        ("https://slack.com/api/", "0123456789abcdef0123456789abcdef", None),
    ],
)
async def test_slack_s_own_signing_secrets_have_a_form(place, url, secret, said):
    """A slip when copying is found without asking anybody."""
    from services.operations.doctor_slack import signing_secret  # noqa: PLC0415 - the only test of it alone

    settings = Settings.from_environ(place.environ | {"SLACK_API_URL": url, "SLACK_SIGNING_SECRET": secret})

    finding = signing_secret(settings, inbound_health.InboundHealth(), place.now())

    assert (finding.state is FAILED, said is not None and said in finding.text) == (said is not None, said is not None)


@pytest.mark.parametrize(("seconds", "way"), [(90, "ahead of"), (-90, "behind")])
async def test_a_clock_that_is_off_is_told(place, seconds, way):
    """Slack's requests look forged to it."""
    place.ahead_seconds = seconds

    state, told = (await place.look())["clock"]

    assert state is FAILED
    assert f"seconds {way} Slack's" in told


async def test_a_missing_scope_is_told_against_the_manifest(place):
    """An optional one may be missing."""
    for token in place.slack.world.tokens.values():
        token.scopes -= {"users:read.email", "im:history"}

    state, told = (await place.look())["scopes"]

    assert state is FAILED
    assert told.startswith("Acme has not granted users:read.email: install the app again")


async def test_a_revoked_token_is_told(place):
    """The workspace has thrown us out, and we have not heard of it."""
    for token in place.slack.world.tokens.values():
        token.error = "token_revoked"

    assert (await place.look())["scopes"][0] is FAILED


@pytest.mark.parametrize("change", ["none", "gone", "archived", "broken"])
async def test_a_default_channel_that_cannot_be_posted_to_is_told(place, change):
    """What finds nobody would wait for ever."""
    if change == "none":
        await place.prefer(default_channel_id=None)
    elif change == "gone":
        await place.prefer(default_channel_id="C0GONE")
    elif change == "archived":
        place.wins.is_archived = True
    else:
        await place.prefer(default_channel_problem="the channel is read-only for apps")
    said = {"none": "none is chosen", "gone": "is gone", "archived": "is archived", "broken": "read-only for apps"}

    state, told = (await place.look())["default channel"]

    assert state is FAILED
    assert said[change] in told


async def test_a_messages_tab_that_is_off_is_known_by_what_failed(place):
    """No method of Slack's tells it beforehand."""
    await place.database.run(add_routed, "U_DANA", workspace_id=place.team.id)
    said = "The app's Messages tab is off. Switch it on under App Home at https://api.slack.com/apps."
    await place.database.run(lambda connection: connection.execute(update(deliveries).values(last_error=said)))

    assert (await place.look())["Messages tab"][0] is FAILED


async def test_salesforce_that_refuses_is_told(place):
    """With what it says is wrong."""
    found = await place.look(SALESFORCE_CLIENT_SECRET="wrong")

    assert found["Salesforce"][0] is FAILED
    assert "wrong" not in found["Salesforce"][1]


async def test_an_org_that_has_moved_is_found_where_it_is_now(place):
    """The host of the stored session is gone: doctor asks for another one at once."""
    await place.look()
    gone = f"http://127.0.0.1:{free_port()}"
    await place.database.run(
        lambda connection: connection.execute(update(salesforce_connections).values(instance_url=gone))
    )

    assert (await place.look())["Salesforce"][0] is OK


async def test_a_workspace_without_salesforce_is_not_a_failure(place):
    """Senders may name the DRI themselves."""
    found = await place.look(SALESFORCE_CLIENT_ID="", SALESFORCE_CLIENT_SECRET="")

    assert found["Salesforce"][0] is UNKNOWN


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:9", "cannot be reached"),
        ("https://no-such-host.invalid", "cannot be reached"),
    ],
)
async def test_a_public_address_that_leads_nowhere_is_told(place, url, said):
    """Slack and senders would find nobody."""
    found = await place.look(PUBLIC_URL=url)

    assert found["public address"][0] is FAILED
    assert said in found["public address"][1]
    assert "event subscriptions" not in found


async def test_slack_cannot_reach_an_address_without_https(place):
    """http is for stand-ins on this machine."""
    found = await place.look(SLACK_API_URL="https://slack.invalid/api/")

    assert found["public address"][0] is FAILED
    assert "set PUBLIC_URL to the https://" in found["public address"][1]


async def test_an_address_that_leads_to_something_else_is_told(place):
    """A proxy that answers for itself."""

    async def hello(_request: web.Request) -> web.Response:
        return web.json_response({"hello": "world"})

    other = web.Application()
    other.add_routes([web.get("/healthz", hello)])
    async with TestServer(other) as server:
        found = await place.look(PUBLIC_URL=str(server.make_url("")).rstrip("/"))

    assert found["public address"][0] is FAILED
    assert "not as this app does" in found["public address"][1]


async def test_keys_that_are_not_those_of_the_data_are_told(place):
    """And what needs them is not looked at."""
    found = await place.look(ENCRYPTION_KEYS=Fernet.generate_key().decode())

    assert found["encryption keys"][0] is FAILED
    assert "Put the key back" in found["encryption keys"][1]
    assert found["workspaces"][0] is UNKNOWN


async def test_an_old_schema_is_told(place):
    """With the command that mends it."""
    await place.database.run(lambda connection: connection.execute(text("DELETE FROM alembic_version")))

    found = await place.look()

    assert found["migrations"][0] is FAILED
    assert "python app.py migrate" in found["migrations"][1]
    assert "encryption keys" not in found


async def test_slack_that_hangs_does_not_hang_us(place):
    """Every check has a deadline."""
    place.slack.api.latency, place.deadline_seconds = 2.0, 0.5

    found = await place.look()

    assert found["Slack credentials"][0] is FAILED
    assert found["scopes"][0] is FAILED
    assert found["Salesforce"][0] is OK


async def test_no_workspace_at_all_is_not_a_failure(place):
    """Somebody has to be the first."""
    await place.database.run(workspaces.mark_gone, place.team.id, place.now())

    found = await place.look()

    assert found["workspaces"][0] is UNKNOWN
    assert "open http://127.0.0.1" in found["workspaces"][1]


@pytest.mark.parametrize(
    ("answer", "state"),
    [({"ok": True, "url": "wss://wss.example/1"}, OK), ({"ok": False, "error": "invalid_auth"}, FAILED)],
)
async def test_in_socket_mode_slack_is_asked_about_the_app_token(place, answer, state):
    """And nobody needs to reach us from outside, so http is good enough."""
    asked = []

    async def opening(request: web.Request) -> web.Response:
        asked.append(request.headers["Authorization"])
        return web.json_response(answer)

    slack = web.Application()
    slack.add_routes([web.post("/api/apps.connections.open", opening)])
    async with TestServer(slack) as server:
        found = await place.look(SLACK_API_URL=str(server.make_url("/api/")), SLACK_APP_TOKEN="xapp-1")

    assert (asked, found["Socket Mode"][0]) == (["Bearer xapp-1"], state)
    assert found["public address"][0] is OK
    assert "event subscriptions" not in found
