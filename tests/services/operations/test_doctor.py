"""The doctor checks a served app, Slack and Salesforce."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.fernet import Fernet
from slack_sdk.oauth.installation_store import Installation as SlackInstallation
from sqlalchemy import text, update

import app as our_app
from domain.audit import AuditEntry
from sandbox.salesforce import SalesforceSandbox
from sandbox.slack import SlackSandbox
from sandbox.slack.state import Channel, Team
from services.operations.check_results import CheckState
from services.operations.doctor_slack import signing_secret_result
from services.ownership.rules.rule_set import RuleSet
from services.salesforce.refusals import GRANT
from services.settings import Settings
from store.database import Database
from store.encryption import Cipher
from store.ownership import rule_sets
from store.schema import deliveries, salesforce_connections
from store.slack import inbound_health, workspaces
from store.slack.installations import AsyncInstallationStore
from store.slack.sdk_stores import bots
from tests.servers import free_port
from tests.store.sample_rows import add_routed
from tests.world import SCOPES

OK, FAILED, UNKNOWN = CheckState.OK, CheckState.FAILED, CheckState.UNKNOWN


@dataclass
class Installation:
    """An installed workspace in which every check passes, and the app that serves it."""

    slack: SlackSandbox
    salesforce: SalesforceSandbox
    database: Database
    team: Team
    wins: Channel
    environ: dict[str, str]
    ahead_seconds: float = 0.0
    deadline_seconds: float = 30.0  # a busy machine is slow
    served: dict[str, str] = field(default_factory=dict)
    dana: str = ""
    send_requests: Callable[[], Awaitable[object]] | None = None
    """Sends requests to the app while it is served."""

    def now(self) -> int:
        return round((time.time() + self.ahead_seconds) * 1_000)

    async def run_doctor(self, **environ: str) -> dict[str, tuple[CheckState, str]]:
        """Return state and text by check, with these settings. The served app has the settings in `served` instead."""
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
                if self.send_requests:
                    await self.send_requests()
                doctor = replace(ours.doctor, deadline_seconds=self.deadline_seconds)
                results = {result.name: (result.state, result.text) async for result in doctor.run()}
            finally:
                await runner.cleanup()
            return {name.removeprefix(f"{self.team.id} "): result for name, result in results.items()}

    async def set_preferences(self, **preferences: object) -> None:
        await self.database.run(workspaces.change, self.team.id, None, **preferences)


@pytest.fixture
async def healthy(database_url: str) -> AsyncIterator[Installation]:
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
        healthy = Installation(slack, salesforce, database, team, wins, environ)
        await install(healthy)
        slack.app_url = environ["PUBLIC_URL"]
        yield healthy
        await database.close()
    await server.close()


async def install(healthy: Installation) -> None:
    dana = healthy.slack.add_user(healthy.team, "Dana Reyes", "dana@acme.example", is_admin=True)
    healthy.dana = dana.id
    token = healthy.slack.install(healthy.team.id, dana.id, SCOPES.split(","))
    cipher = Cipher.of([healthy.environ["ENCRYPTION_KEYS"]])
    installation = SlackInstallation(
        app_id=healthy.slack.app.id,
        team_id=healthy.team.id,
        team_name="Acme",
        user_id=dana.id,
        bot_token=token,
        bot_id="B1",
        bot_user_id=healthy.slack.world.tokens[token].bot_user,
        bot_scopes=SCOPES,
        installed_at=time.time(),
    )
    await AsyncInstallationStore(healthy.database, healthy.slack.app.client_id, cipher).async_save(installation)
    await healthy.set_preferences(default_channel_id=healthy.wins.id, default_channel_name="wins")


async def test_in_a_healthy_installation_every_check_passes(healthy):
    """Each check has one result."""
    await healthy.database.run(inbound_health.record, inbound_health.EVENT, healthy.now())

    results = await healthy.run_doctor()

    assert {name: state for name, (state, _) in results.items()} == {
        "database": OK,
        "database writes": OK,
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
        "Salesforce credentials": OK,
        "Salesforce": OK,
    }


async def test_the_doctor_changes_and_posts_nothing(healthy):
    """It only calls methods of Slack that change nothing."""
    await healthy.run_doctor()

    assert {call.method for call in healthy.slack.calls} == {"oauth.v2.access", "auth.test", "conversations.info"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [("SLACK_CLIENT_ID", "Slack does not know SLACK_CLIENT_ID"), ("SLACK_CLIENT_SECRET", "CLIENT_SECRET does not")],
)
async def test_a_wrong_credential_is_named(healthy, name, expected):
    """The advice names the setting, and does not show its value."""
    healthy.served[name] = healthy.environ[name]

    state, advice = (await healthy.run_doctor(**{name: "wrong"}))["Slack credentials"]

    assert state is FAILED
    assert expected in advice
    assert "wrong" not in advice


async def test_the_client_id_of_a_different_slack_app_is_reported(healthy):
    """It is not mistaken for a workspace that uninstalled the app."""
    healthy.served["SLACK_CLIENT_ID"] = healthy.environ["SLACK_CLIENT_ID"]

    results = await healthy.run_doctor(SLACK_CLIENT_ID="3333333333.4444444444")

    state, advice = results["installation"]
    assert state is FAILED
    assert f"restore the client ID {healthy.slack.app.client_id}" in advice
    assert "scopes" not in results


async def test_a_signing_secret_that_differs_from_the_served_apps_is_reported(healthy):
    """For example, .env was changed and the app was not restarted."""
    healthy.served["SLACK_SIGNING_SECRET"] = "another"

    state, advice = (await healthy.run_doctor())["event subscriptions"]

    assert state is FAILED
    assert "refuses requests signed with SLACK_SIGNING_SECRET" in advice


async def test_without_requests_from_slack_the_signing_secret_is_unknown(healthy):
    """The advice says how to find out. Requests of the doctor itself do not count."""
    for _ in range(2):
        results = await healthy.run_doctor()

        assert results["signing secret"][0] is UNKNOWN
        assert "Type /usergems-status" in results["signing secret"][1]
        assert results["event subscriptions"][0] is UNKNOWN
        assert "verify the Request URL" in results["event subscriptions"][1]


@pytest.mark.parametrize(("minutes", "state"), [(1, UNKNOWN), (61, FAILED)])
async def test_a_forged_request_does_not_make_the_signing_secret_look_wrong(healthy, minutes, state):
    """Anybody can send one. Without requests of Slack for an hour, it may be Slack's own."""
    now = healthy.now()
    health = inbound_health.InboundHealth(genuine=now - minutes * 60_000, refused=now)

    result = signing_secret_result(Settings.from_environ(healthy.environ), health, now)

    assert (result.state, "does not match SLACK_SIGNING_SECRET" in result.text) == (state, True)


@pytest.mark.parametrize(("secret", "state"), [("sandbox-signing-secret", OK), ("another", FAILED)])
async def test_a_request_from_slack_shows_whether_the_signing_secret_is_right(healthy, secret, state):
    """Here it is a challenge, which does not show whether events arrive."""
    healthy.slack.app.signing_secret = secret
    healthy.send_requests = healthy.slack.verify_url

    results = await healthy.run_doctor()

    assert results["signing secret"][0] is state
    assert ("does not match SLACK_SIGNING_SECRET" in results["signing secret"][1]) is (state is FAILED)
    assert results["event subscriptions"][0] is UNKNOWN


async def test_an_event_shows_that_events_arrive(healthy):
    """It counts for two days."""
    event = {"type": "app_home_opened", "user": healthy.dana, "channel": "D0DANA", "tab": "home"}
    healthy.send_requests = partial(healthy.slack.send_event, healthy.team.id, event)
    results = await healthy.run_doctor()
    assert (results["signing secret"][0], results["event subscriptions"][0]) == (OK, OK)

    healthy.send_requests, healthy.ahead_seconds = None, 2 * 24 * 3_600
    results = await healthy.run_doctor()
    assert (results["signing secret"][0], results["event subscriptions"][0]) == (
        UNKNOWN,
        FAILED,
    )  # the clock is off by two days


async def test_requests_of_scanners_do_not_mean_that_the_secret_is_wrong(healthy):
    """Only a recent request with a signature in Slack's format can be from Slack."""

    async def garbage():
        async with aiohttp.ClientSession() as http:
            for headers in ({}, {"X-Slack-Request-Timestamp": "9" * 5_000, "X-Slack-Signature": f"v0={'0' * 64}"}):
                async with http.post(f"{healthy.environ['PUBLIC_URL']}/slack/events", headers=headers) as response:
                    assert response.status == 401

    healthy.send_requests = garbage

    assert (await healthy.run_doctor())["signing secret"][0] is UNKNOWN


async def test_a_signing_secret_that_was_corrected_passes(healthy):
    """The latest request counts."""
    await healthy.database.run(inbound_health.record, inbound_health.REFUSED, healthy.now() - 5_000)
    healthy.send_requests = healthy.slack.verify_url

    assert (await healthy.run_doctor())["signing secret"][0] is OK


@pytest.mark.parametrize(
    ("url", "secret", "expected"),
    [
        ("https://slack.com/api/", "not hexadecimal", "is not 32 hexadecimal digits"),
        ("https://slack.com/api/", "0123456789abcdef0123456789abcdef", None),
    ],
)
async def test_a_signing_secret_must_have_slacks_format(healthy, url, secret, expected):
    """A mistake in copying it is noticed without a request."""
    settings = Settings.from_environ(healthy.environ | {"SLACK_API_URL": url, "SLACK_SIGNING_SECRET": secret})

    result = signing_secret_result(settings, inbound_health.InboundHealth(), healthy.now())

    assert (result.state is FAILED, expected is not None and expected in result.text) == (
        expected is not None,
        expected is not None,
    )


@pytest.mark.parametrize(("seconds", "way"), [(90, "ahead of"), (-90, "behind")])
async def test_a_wrong_clock_is_reported(healthy, seconds, way):
    """By a wrong clock, Slack's requests look forged."""
    healthy.ahead_seconds = seconds

    state, advice = (await healthy.run_doctor())["clock"]

    assert state is FAILED
    assert f"seconds {way} Slack's" in advice


async def test_a_missing_scope_is_reported(healthy):
    """Optional scopes may be missing."""
    for token in healthy.slack.world.tokens.values():
        token.scopes -= {"users:read.email", "im:history"}

    state, advice = (await healthy.run_doctor())["scopes"]

    assert state is FAILED
    assert advice.startswith("Acme has not granted users:read.email. Fix: install the app again")


async def test_a_revoked_token_is_reported(healthy):
    """The workspace uninstalled the app, but the event did not arrive."""
    for token in healthy.slack.world.tokens.values():
        token.error = "token_revoked"

    assert (await healthy.run_doctor())["scopes"][0] is FAILED


@pytest.mark.parametrize("change", ["none", "gone", "archived", "broken"])
async def test_a_default_channel_that_cannot_be_posted_to_is_reported(healthy, change):
    """Job changes without a DRI would wait forever."""
    if change == "none":
        await healthy.set_preferences(default_channel_id=None)
    elif change == "gone":
        await healthy.set_preferences(default_channel_id="C0GONE")
    elif change == "archived":
        healthy.wins.is_archived = True
    else:
        await healthy.set_preferences(default_channel_problem="the channel is read-only for apps")
    expected = {"none": "not set", "gone": "was deleted", "archived": "is archived", "broken": "read-only for apps"}

    state, advice = (await healthy.run_doctor())["default channel"]

    assert state is FAILED
    assert expected[change] in advice


async def test_a_messages_tab_that_is_off_is_known_from_failed_messages(healthy):
    """Slack has no method that returns it."""
    await healthy.database.run(add_routed, "U_DANA", workspace_id=healthy.team.id)
    code = "messages_tab_disabled"
    await healthy.database.run(lambda connection: connection.execute(update(deliveries).values(last_code=code)))

    assert (await healthy.run_doctor())["Messages tab"][0] is FAILED


async def test_credentials_that_salesforce_refuses_are_reported(healthy):
    """The advice does not show them."""
    results = await healthy.run_doctor(SALESFORCE_CLIENT_SECRET="wrong")

    assert results["Salesforce"][0] is FAILED
    assert "wrong" not in results["Salesforce"][1]


async def test_fields_that_rules_need_and_the_user_cannot_read_are_named(healthy):
    """Every one, with what to grant. The next run after access was given finds nothing."""
    rules = RuleSet.parse(
        {"rules": [{"name": "Parent", "tell": [{"source": "owner", "of": "parent_account"}, {"source": "manager"}]}]}
    )
    entry = AuditEntry(1, "U_DANA", "test", "")
    await healthy.database.run(rule_sets.publish, healthy.team.id, rules.to_json(), None, entry)
    hidden = {"Account": "ParentId", "User": "ManagerId", "Contact": "AccountId"}
    for sobject, name in hidden.items():
        healthy.salesforce.org.hide_field(sobject, name)

    state, text = (await healthy.run_doctor())["Salesforce"]

    assert state is FAILED
    for name in ("Account.ParentId", "Contact.AccountId"):
        assert f"{name} cannot be read in Salesforce. {GRANT}" in text
    for sobject, name in hidden.items():
        healthy.salesforce.org.show_field(sobject, name)
    assert (await healthy.run_doctor())["Salesforce"][0] is OK


async def test_an_org_that_has_moved_is_found_at_its_new_host(healthy):
    """The host of the stored session is gone, so the doctor asks for a new session at once."""
    await healthy.run_doctor()
    gone = f"http://127.0.0.1:{free_port()}"
    await healthy.database.run(
        lambda connection: connection.execute(update(salesforce_connections).values(instance_url=gone))
    )

    assert (await healthy.run_doctor())["Salesforce"][0] is OK


async def test_the_doctor_says_which_workspaces_read_the_operators_org(healthy):
    """A workspace that is not listed connects its own org, and the doctor says how to change that."""
    assert healthy.team.id in (await healthy.run_doctor())["Salesforce credentials"][1]

    results = await healthy.run_doctor(SALESFORCE_WORKSPACES="T0OTHER")

    assert results["Salesforce credentials"][0] is UNKNOWN
    assert "T0OTHER, where the app is not installed" in results["Salesforce credentials"][1]
    assert f"add {healthy.team.id} to it" in results["Salesforce"][1]


async def test_a_workspace_without_salesforce_is_not_a_failure(healthy):
    """Senders can name the DRI themselves."""
    results = await healthy.run_doctor(SALESFORCE_CLIENT_ID="", SALESFORCE_CLIENT_SECRET="")

    assert results["Salesforce"][0] is UNKNOWN


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:9", "no connection"),
        ("https://no-such-host.invalid", "no connection"),
    ],
)
async def test_a_public_address_that_cannot_be_reached_is_reported(healthy, url, expected):
    """The event subscriptions are then not checked."""
    results = await healthy.run_doctor(PUBLIC_URL=url)

    assert results["public address"][0] is FAILED
    assert expected in results["public address"][1]
    assert "event subscriptions" not in results


async def test_slack_cannot_reach_an_address_without_https(healthy):
    """http is for a sandbox on this machine only."""
    results = await healthy.run_doctor(SLACK_API_URL="https://slack.invalid/api/")

    assert results["public address"][0] is FAILED
    assert "set PUBLIC_URL to the https://" in results["public address"][1]


async def test_an_address_that_leads_to_a_different_server_is_reported(healthy):
    """For example, a proxy responds by itself."""

    async def hello(_request: web.Request) -> web.Response:
        return web.json_response({"hello": "world"})

    other = web.Application()
    other.add_routes([web.get("/healthz", hello)])
    async with TestServer(other) as server:
        results = await healthy.run_doctor(PUBLIC_URL=str(server.make_url("")).rstrip("/"))

    assert results["public address"][0] is FAILED
    assert "does not lead to this app" in results["public address"][1]


async def test_encryption_keys_that_cannot_decrypt_the_data_are_reported(healthy):
    """The checks that need them are not run."""
    results = await healthy.run_doctor(ENCRYPTION_KEYS=Fernet.generate_key().decode())

    assert results["encryption keys"][0] is FAILED
    assert "Put the key back" in results["encryption keys"][1]
    assert results["workspaces"][0] is UNKNOWN


async def test_an_outdated_schema_is_reported(healthy):
    """The advice has the command that updates it."""
    await healthy.database.run(lambda connection: connection.execute(text("DELETE FROM alembic_version")))

    results = await healthy.run_doctor()

    assert results["migrations"][0] is FAILED
    assert "python app.py migrate" in results["migrations"][1]
    assert "encryption keys" not in results


async def test_a_call_that_hangs_does_not_hang_the_doctor(healthy):
    """Every check has a deadline."""
    healthy.slack.api.latency, healthy.deadline_seconds = 6.0, 2.0

    results = await healthy.run_doctor()

    assert results["Slack credentials"][0] is FAILED
    assert results["scopes"][0] is FAILED
    assert results["Salesforce"][0] is OK


async def test_no_workspace_at_all_is_not_a_failure(healthy):
    """The advice has the address to install the app from."""
    await healthy.database.run(workspaces.mark_gone, healthy.team.id, healthy.now())

    results = await healthy.run_doctor()

    assert results["workspaces"][0] is UNKNOWN
    assert "open http://127.0.0.1" in results["workspaces"][1]


@pytest.mark.parametrize(("because", "state"), [("app_uninstalled", UNKNOWN), ("invalid_auth", FAILED)])
async def test_workspaces_that_are_gone_are_listed(healthy, because, state):
    """A workspace that removed the app is fine. One whose token Slack rejects needs attention."""
    await healthy.database.run(workspaces.mark_gone, healthy.team.id, healthy.now(), because)

    assert (await healthy.run_doctor())["installation"][0] is state


@pytest.mark.parametrize(
    ("answer", "state"),
    [({"ok": True, "url": "wss://wss.example/1"}, OK), ({"ok": False, "error": "invalid_auth"}, FAILED)],
)
async def test_in_socket_mode_the_app_token_is_checked(healthy, answer, state):
    """Slack needs no public address then, so http is allowed."""
    tokens = []

    async def opening(request: web.Request) -> web.Response:
        tokens.append(request.headers["Authorization"])
        return web.json_response(answer)

    slack = web.Application()
    slack.add_routes([web.post("/api/apps.connections.open", opening)])
    async with TestServer(slack) as server:
        results = await healthy.run_doctor(SLACK_API_URL=str(server.make_url("/api/")), SLACK_APP_TOKEN="xapp-1")

    assert (tokens, results["Socket Mode"][0]) == (["Bearer xapp-1"], state)
    assert results["public address"][0] is OK
    assert "event subscriptions" not in results


@pytest.mark.parametrize(
    ("refresh_token", "hours", "state", "expected"),
    [
        ("xoxe-1-a", 12, OK, "is renewed two hours before"),
        (None, 1, FAILED, "Slack no longer renews its token"),
        ("xoxe-1-a", -1, UNKNOWN, "as soon as a worker runs"),
    ],
)
async def test_the_end_of_a_rotating_token_is_shown(healthy, refresh_token, hours, state, expected):
    """If Slack has refused to renew it, an admin has to add the app again before its end."""
    end = datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=hours)
    encrypted = refresh_token and Cipher.of([healthy.environ["ENCRYPTION_KEYS"]]).encrypt(refresh_token)
    values = {"bot_token_expires_at": end, "bot_refresh_token": encrypted}
    await healthy.database.run(lambda connection: connection.execute(update(bots).values(values)))

    results = await healthy.run_doctor()

    assert results["installation"][0] is state
    assert expected in results["installation"][1]
    assert f"{end.day} {end:%b %Y, %H:%M} UTC" in results["installation"][1]
