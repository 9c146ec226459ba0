"""A workspace in the sandbox and the listeners that handle its requests, over real HTTP on both sides."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.fernet import Fernet
from playwright.async_api import Browser, Page
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.oauth.installation_store import Installation
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import Connection, insert

from domain.salesforce import WEB_SERVER
from domain.workspace import Workspace
from listeners.dialogs.dialog import Patience
from listeners.dialogs.metadata import ViewSigner
from listeners.home.app_home import AppHome
from listeners.ownership.dialogs import OwnershipDialogs
from listeners.pages import Pages
from listeners.registering import register_listeners
from listeners.salesforce.connect import ConnectRoutes
from listeners.status.status import StatusCommand
from sandbox.slack import SlackSandbox
from sandbox.slack.state import Channel, Team, User
from services.delivery.explain import Explainer
from services.delivery.failed import FailedJobChanges
from services.delivery.webhook_calls import WebhookCalls
from services.delivery.webhooks import Webhooks
from services.home.home import Home
from services.home.member_home import MemberHomes
from services.home.member_preferences import MemberPreferences
from services.home.preferences import Preferences
from services.home.signal_channels import SignalChannels
from services.home.status import Status
from services.intake.added_senders import AddedSenders
from services.intake.intake import Intake
from services.intake.keys import IntakeKeys
from services.intake.mapping.field_mappings import FieldMappings
from services.intake.salesforce.sources import SalesforceSources
from services.intake.sample import SampleSender
from services.messages.actions import DeliveryActions
from services.messages.button_values import ButtonSigner
from services.messages.layouts import Layouts
from services.messages.notices import Notices
from services.messages.redraws import Redrawer
from services.ownership.decider import Decider
from services.ownership.draft_editor import DraftEditor
from services.ownership.org_schema import OrgSchemas
from services.ownership.person_keys import PersonKeys
from services.ownership.rulebook import Rulebook
from services.ownership.simulation import Simulation
from services.ownership.unmatched_owners import UnmatchedOwners
from services.ownership.user_groups import UserGroups
from services.salesforce.connect import SalesforceConnect
from services.salesforce.queries.describe import SalesforceDescribe
from services.salesforce.queries.lookup import Salesforce
from services.salesforce.sessions import SalesforceSessions
from services.settings import DIRECT
from services.slack.api import Slack
from services.slack.directory import Directory
from services.slack.install import SlackInstall
from services.slack.organizations import Organizations
from store.database import Database
from store.encryption import Cipher
from store.schema import salesforce_connections
from store.slack import workspaces
from store.slack.installations import AsyncInstallationStore
from tests.conftest import SOMEDAY
from tests.listeners.dialogs.patience import AMPLE
from tests.servers import GENEROUS_TIMEOUT

PUBLIC_URL = "https://usergems.example.com"


@dataclass
class Office:
    """The workspace Acme: Dana, an admin, installed the app; Mo is a member; there is one channel, #wins."""

    slack: SlackSandbox
    team: Team
    dana: User
    mo: User
    wins: Channel
    database: Database
    installations: AsyncInstallationStore
    api: Slack
    intake_keys: IntakeKeys
    bolt: AsyncApp
    parts: dict[str, object]
    handled_events: list[object]

    async def workspace(self) -> Workspace:
        workspace = await self.database.run(workspaces.find, self.team.id)
        assert workspace is not None
        return workspace

    async def settled(self) -> None:
        """Return once every listener has run: Bolt runs them after it has answered."""
        while running := [task for task in asyncio.all_tasks() if "run_ack_function" in task.get_coro().__qualname__]:
            await asyncio.wait(running)

    async def home_of(self, user: User) -> str:
        """The blocks of this person's Home, as one text."""
        await self.settled()
        return str(self.slack.world.homes[user.id].definition["blocks"])

    async def open_home(self, user: User) -> str:
        assert await self.slack.open_home(user.id) == 200
        return await self.home_of(user)

    async def pick(self, user: User, action_id: str, value: str | None = None) -> str:
        """Use an element of someone's Home. Returns the blocks of their Home afterwards."""
        reply = await self.slack.act_in_home(user.id, action_id, value)
        assert reply.status == 200
        return await self.home_of(user)


@pytest.fixture
def patience() -> Patience:
    return AMPLE


@pytest.fixture
async def office(database, clock) -> AsyncIterator[Office]:
    slack = SlackSandbox(now=lambda: clock() / 1000)
    slack.app_client.timeout = GENEROUS_TIMEOUT
    team = slack.add_team("Acme")
    dana = slack.add_user(team, "Dana Reyes", "dana@acme.example", is_admin=True)
    mo = slack.add_user(team, "Mo Chen", "mo@acme.example")
    wins = slack.add_channel(team, "wins")
    async with slack.serving() as url, aiohttp.ClientSession() as http:
        client = AsyncWebClient(base_url=f"{url}/api/", session=http, retry_handlers=[])
        cipher = Cipher.of([Fernet.generate_key().decode()])
        store = AsyncInstallationStore(database, "client", cipher)
        api = Slack(client, store.bot_token, database, clock)
        bolt = _bolt(slack, client, store)
        directory = Directory(api, database, clock)
        intake_keys = IntakeKeys(database, cipher, clock, clock)
        salesforce_auth = SalesforceSessions(database, cipher, http, "https://login.salesforce.com", None, None, clock)
        salesforce = Salesforce(salesforce_auth)
        describe = SalesforceDescribe(salesforce)
        connect = SalesforceConnect(salesforce_auth, directory, describe, PUBLIC_URL)
        notices = Notices(database, api, clock)
        member_homes = MemberHomes(database, directory, clock)
        home = Home(database, directory, salesforce_auth, PUBLIC_URL, 90, clock)
        view_signer, signer = ViewSigner(cipher), ButtonSigner(cipher)
        home_tab = AppHome(home, view_signer)
        failed_job_changes = FailedJobChanges(database, lambda: None, clock)
        intake = Intake(database, clock, lambda: None)
        sample_sender = SampleSender(intake, api)
        parts: dict[str, object] = {
            "connect_routes": ConnectRoutes(connect, Pages.of("UserGems"), cipher, clock),
            "person_keys": PersonKeys(database, OrgSchemas(describe, clock), clock),
            "salesforce_sources": SalesforceSources(database, describe, clock),
            "field_mappings": FieldMappings(database, clock),
            "ownership": _ownership(database, directory, salesforce, clock),
            "delivery_actions": DeliveryActions(
                database, api, Redrawer(database, api, signer, clock, Layouts(database)), signer, clock
            ),
            "slack_organizations": Organizations(api, SlackInstall(client, store.bot_token), store, database, clock),
            "directory": directory,
            "home": home,
            "home_tab": home_tab,
            "view_signer": view_signer,
            "member_homes": member_homes,
            "member_preferences": MemberPreferences(database, member_homes, notices, clock),
            "signal_channels": SignalChannels(api, database, clock),
            "failed_job_changes": failed_job_changes,
            "sample_sender": sample_sender,
            "status_command": StatusCommand(
                directory=directory,
                status=Status(database, clock),
                sample_sender=sample_sender,
                explainer=Explainer(database),
                failed_job_changes=failed_job_changes,
            ),
            "intake_keys": intake_keys,
            "added_senders": AddedSenders(database, intake, PUBLIC_URL, clock),
            "webhooks": Webhooks(
                database, cipher, WebhookCalls(DIRECT, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), True, clock), clock
            ),
            "notices": notices,
            "now": clock,
            "patience": AMPLE,
            "preferences": Preferences(api, database, clock),
            "status": Status(database, clock),
        }
        register_listeners(bolt, database, **parts)
        async with TestServer(_web(bolt)) as server:
            slack.app_url = str(server.make_url("")).rstrip("/")
            office = Office(
                slack, team, dana, mo, wins, database, store, api, intake_keys, bolt, parts, bolt.handled_events
            )
            await install(office, dana)
            yield office
            await office.settled()


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page that fails the test on any error, and on any request to another host than ours and the sandbox's."""
    problems: list[str] = []
    page = await browser.new_page(locale="en-GB")
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if "Security Policy" in message.text else None)
    page.on("request", lambda request: None if _is_local(request.url) else problems.append(request.url))
    yield page
    await page.close()
    assert problems == []


def _is_local(url: str) -> bool:
    return url.startswith(("http://localhost:", "http://127.0.0.1:"))


def connect_salesforce(connection: Connection, workspace_id: str) -> None:
    """Store a connection that has worked."""
    values = {
        "workspace_id": workspace_id,
        "flow": WEB_SERVER,
        "login_url": "https://login.salesforce.com",
        "connected_at": SOMEDAY,
        "last_success_at": SOMEDAY,
    }
    connection.execute(insert(salesforce_connections).values(values))


async def install(office: Office, user: User) -> None:
    """Someone installs the app, as OAuth would."""
    token = office.slack.world.tokens[office.slack.install(user.team_id, user.id)]
    await office.installations.async_save(
        Installation(
            app_id=office.slack.app.id,
            team_id=user.team_id,
            team_name="Acme",
            bot_token=token.value,
            bot_id=token.bot_id,
            bot_user_id=token.bot_user,
            bot_scopes=sorted(token.scopes),
            user_id=user.id,
            installed_at=office.slack.world.now(),
        )
    )


def _ownership(
    database: Database, directory: Directory, salesforce: Salesforce, clock: Callable[[], int]
) -> OwnershipDialogs:
    schemas = OrgSchemas(SalesforceDescribe(salesforce), clock)
    rulebook, groups = Rulebook(database, schemas, clock), UserGroups(directory.slack, database, clock)
    return OwnershipDialogs(
        directory=directory,
        groups=groups,
        rulebook=rulebook,
        draft_editor=DraftEditor(rulebook),
        simulation=Simulation(database, Decider(database, salesforce, schemas, directory, groups, clock)),
        unmatched=UnmatchedOwners(database, directory, schemas, lambda: None, clock),
    )


def _bolt(slack: SlackSandbox, client: AsyncWebClient, store: AsyncInstallationStore) -> RecordingApp:
    async def authorize(enterprise_id: str | None, team_id: str) -> AuthorizeResult | None:
        bot = await store.async_find_bot(enterprise_id=enterprise_id, team_id=team_id)
        if bot is None:
            return None
        return AuthorizeResult(
            enterprise_id=enterprise_id, team_id=team_id, bot_token=bot.bot_token, bot_user_id=bot.bot_user_id
        )

    return RecordingApp(name="test", signing_secret=slack.app.signing_secret, client=client, authorize=authorize)


class RecordingApp(AsyncApp):
    """Bolt, with a list of the events that have listeners."""

    def __init__(self, **settings: object) -> None:
        super().__init__(**settings)
        self.handled_events: list[object] = []

    def event(self, event, *args, **kwargs):
        self.handled_events.append(event)
        return super().event(event, *args, **kwargs)


def _web(bolt: AsyncApp) -> web.Application:
    async def handle(request: web.Request) -> web.Response:
        return await to_aiohttp_response(await bolt.async_dispatch(await to_bolt_request(request)))

    app = web.Application()
    app.router.add_post("/slack/events", handle)
    return app
