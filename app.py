"""Builds the parts and runs them; the only reader of the environment."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiohttp import web
from dotenv import load_dotenv
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from listeners import cli, health, intake, register_listeners
from listeners.install import Installing
from listeners.metrics import Metrics
from listeners.oauth import Authorize, OAuthParts, create_oauth
from listeners.ownership_dialogs import OwnershipDialogs
from listeners.pages import Pages
from listeners.salesforce_connect import Connecting
from listeners.socket_mode import SocketMode
from listeners.web import create_watched, create_web
from services.acting import Acting
from services.allowance import Allowance
from services.checkup import Checkup
from services.clock import SteadyClock
from services.courier import Courier
from services.deciding import Deciding
from services.directory import Directory
from services.heartbeat import Heartbeat
from services.home import Home
from services.housekeeping import Housekeeping
from services.importing import Importing
from services.intake import Intake
from services.intake_keys import IntakeKeys
from services.journal import Journal
from services.manifest import Manifest
from services.notices import Notices
from services.org_shape import OrgShapes
from services.own_mappings import OwnMappings
from services.ownership_editing import OwnershipEditing
from services.ownership_pages import OwnershipPages
from services.preferences import Preferences
from services.pulse import Pulse
from services.redrawing import Redrawing
from services.router import Router
from services.rulebook import Rulebook
from services.salesforce import Salesforce
from services.salesforce_auth import SalesforceAuth
from services.salesforce_care import SalesforceCare
from services.salesforce_connect import SalesforceConnect
from services.salesforce_describe import SalesforceDescribe
from services.salesforce_finder import SalesforceFinder
from services.salesforce_source import SalesforceSource
from services.settings import Settings
from services.simulation import Simulation
from services.slack import Slack
from services.slack_install import SlackInstall
from services.slack_socket import SlackSocket
from services.status import Status
from services.unmatched import UnmatchedOwners
from services.vendor_calls import traced
from services.wakeups import Wakeups
from services.worker import Worker
from store.bell import Bell
from store.database import Database
from store.encryption import Cipher
from store.installations import AsyncInstallationStore, AsyncOAuthStateStore

HERE = Path(__file__).parent
CALL_TIMEOUT = aiohttp.ClientTimeout(total=10, connect=5)
"""Of every call to Slack; the courier's lease counts on it."""


@dataclass(frozen=True)
class App:
    """What the verbs at the terminal run, or ask."""

    settings: Settings
    database: Database
    watched: web.Application
    web: web.Application
    socket_mode: SocketMode | None
    heartbeat: Heartbeat | None
    worker: Worker
    intake: Intake
    importing: Importing
    checkup: Checkup
    rulebook: Rulebook
    simulation: Simulation
    intake_keys: IntakeKeys
    status: Status


@asynccontextmanager
async def build(settings: Settings, cipher: Cipher, now: Callable[[], int] | None = None) -> AsyncIterator[App]:
    """Every part, wired; their connections are closed at the end. *now* in milliseconds; None: the real clock."""
    now = now or SteadyClock()
    database = Database(settings.database_url)
    metrics = Metrics()
    traces = [traced(metrics, settings.slack_api_url)]
    async with aiohttp.ClientSession(timeout=CALL_TIMEOUT, trace_configs=traces) as http:
        auth = SalesforceAuth(
            database=database,
            cipher=cipher,
            http=http,
            login_url=settings.salesforce_login_url,
            client_id=settings.salesforce_client_id,
            client_secret=settings.salesforce_client_secret,
            now=now,
        )
        salesforce = Salesforce(auth, measures=metrics)
        try:
            yield _wired(settings, cipher, database, http, salesforce, metrics, now)
        finally:
            await salesforce.close()
            await database.close()


def _wired(
    settings: Settings,
    cipher: Cipher,
    database: Database,
    http: aiohttp.ClientSession,
    salesforce: Salesforce,
    metrics: Metrics,
    now: Callable[[], int],
) -> App:
    # Never retried by the SDK: whether a message is sent again is for the courier to decide.
    client = AsyncWebClient(base_url=settings.slack_api_url, session=http, retry_handlers=[])
    installations = AsyncInstallationStore(database, settings.slack_client_id, cipher)
    slack = Slack(client, installations.bot_token, database, now)
    directory, notices = Directory(slack, database, now), Notices(database, slack, now)
    intake_keys, wakeups = IntakeKeys(database, cipher, now), Wakeups()
    bell, journal, pulse = Bell(database), Journal(metrics), Pulse(now)

    def accepted() -> None:
        wakeups.to_route.set()
        bell.ring()

    taking = Intake(database, now, accepted, journal)
    status, preferences = Status(database, now), Preferences(slack, database, now)
    acting = Acting(database, slack, Redrawing(database, slack, now), now)
    manifest = Manifest.parse((HERE / "manifest.json").read_text())
    pages, slack_install = Pages.of(manifest.name), SlackInstall(client, installations.bot_token)
    states = AsyncOAuthStateStore(database)
    describe = SalesforceDescribe(salesforce)
    connect = SalesforceConnect(salesforce.auth, directory, describe, settings.public_url)
    connecting, source = Connecting(connect, pages, cipher), SalesforceSource(database, describe, now)
    shapes = OrgShapes(describe, now)
    deciding = Deciding(database, salesforce, shapes, directory, now)
    rulebook, simulation = Rulebook(database, shapes, now), Simulation(database, deciding)

    def promised() -> None:
        wakeups.to_post.set()
        bell.ring()

    ownership = OwnershipDialogs(
        directory=directory,
        rulebook=rulebook,
        editing=OwnershipEditing(rulebook),
        simulation=simulation,
        unmatched=UnmatchedOwners(database, directory, shapes, promised, now),
        pages=OwnershipPages(database),
    )
    flow = bolt = None
    # Without all of the credentials the verbs that do not serve still work.
    if settings.slack_client_id and settings.slack_client_secret and settings.slack_signing_secret:
        flow = create_oauth(settings, manifest, OAuthParts(installations, states, slack_install, cipher, pages))
        bolt = AsyncApp(
            client=client,
            signing_secret=settings.slack_signing_secret,
            authorize=Authorize(installations),  # type: ignore[arg-type]  # Bolt takes it, its annotation forgot so
            installation_store=installations,
            user_facing_authorize_error_message=(
                f"The app is not installed here (any more): {settings.public_url} adds it."
            ),
            oauth_flow=flow,
            oauth_settings=flow.settings,
        )
        register_listeners(
            bolt,
            database=database,
            now=now,
            installations=installations,
            directory=directory,
            preferences=preferences,
            home=Home(database, directory, salesforce.auth, intake_keys, settings.public_url, now),
            intake_keys=intake_keys,
            status=status,
            acting=acting,
            connecting=connecting,
            salesforce_source=source,
            own_mappings=OwnMappings(database, now),
            ownership=ownership,
        )
    installing = Installing(
        manifest=manifest,
        public_url=settings.public_url,
        pages=pages,
        flow=flow,
        slack=slack,
        slack_install=slack_install,
        preferences=preferences,
        database=database,
        cipher=cipher,
        now=now,
    )
    watching = health.routes(database, metrics, settings.metrics_token, pulse)
    app_token, heartbeat_url = settings.slack_app_token, settings.heartbeat_url
    routes = [
        *connecting.routes(),
        *intake.routes(taking, intake_keys, Allowance(now), metrics),
        *watching,
    ]
    return App(
        settings=settings,
        database=database,
        web=create_web(bolt, settings.slack_signing_secret, installing, routes, now),
        watched=create_watched(watching),
        socket_mode=SocketMode(bolt, SlackSocket(client, app_token), http) if bolt and app_token else None,
        heartbeat=Heartbeat(heartbeat_url, http, database, pulse) if heartbeat_url else None,
        worker=Worker(
            database,
            Router(database, deciding, notices, now, journal),
            Courier(database, slack, notices, now, journal),
            wakeups,
            bell,
            Housekeeping(database, settings.retention_days, now),
            now,
            (
                acting.catch_up,
                SalesforceFinder(database, describe, taking, now).find_due,
                SalesforceCare(salesforce.auth, describe, notices, now).look_after,
            ),
            pulse.beat,
        ),
        intake=taking,
        importing=Importing(taking, database, now),
        rulebook=rulebook,
        simulation=simulation,
        checkup=Checkup(settings, database, cipher, http, slack, salesforce, manifest, now),
        intake_keys=intake_keys,
        status=status,
    )


def main() -> int:
    """Run the verb on the command line; answers the exit status."""
    load_dotenv()
    return cli.run(sys.argv[1:], os.environ, build)


if __name__ == "__main__":
    sys.exit(main())
