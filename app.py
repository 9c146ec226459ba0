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
from listeners.pages import Pages
from listeners.web import create_web
from services.allowance import Allowance
from services.clock import SteadyClock
from services.courier import Courier
from services.directory import Directory
from services.home import Home
from services.housekeeping import Housekeeping
from services.intake import Intake
from services.intake_keys import IntakeKeys
from services.manifest import Manifest
from services.notices import Notices
from services.preferences import Preferences
from services.router import Router
from services.salesforce import Salesforce
from services.salesforce_auth import SalesforceAuth
from services.settings import Settings
from services.slack import Slack
from services.slack_install import SlackInstall
from services.status import Status
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
    web: web.Application
    worker: Worker
    intake: Intake
    intake_keys: IntakeKeys
    status: Status


@asynccontextmanager
async def build(settings: Settings, cipher: Cipher, now: Callable[[], int] | None = None) -> AsyncIterator[App]:
    """Every part, wired; their connections are closed at the end. *now* in milliseconds; None: the real clock."""
    now = now or SteadyClock()
    database = Database(settings.database_url)
    async with aiohttp.ClientSession(timeout=CALL_TIMEOUT) as http:
        auth = SalesforceAuth(
            database=database,
            cipher=cipher,
            http=http,
            login_url=settings.salesforce_login_url,
            client_id=settings.salesforce_client_id,
            client_secret=settings.salesforce_client_secret,
            now=now,
        )
        salesforce = Salesforce(auth)
        try:
            yield _wired(settings, cipher, database, http, salesforce, now)
        finally:
            await salesforce.close()
            await database.close()


def _wired(
    settings: Settings,
    cipher: Cipher,
    database: Database,
    http: aiohttp.ClientSession,
    salesforce: Salesforce,
    now: Callable[[], int],
) -> App:
    # Never retried by the SDK: whether a message is sent again is for the courier to decide.
    client = AsyncWebClient(base_url=settings.slack_api_url, session=http, retry_handlers=[])
    installations = AsyncInstallationStore(database, settings.slack_client_id, cipher)
    slack = Slack(client, installations.bot_token, database, now)
    directory, notices = Directory(slack, database, now), Notices(database, slack, now)
    intake_keys, wakeups = IntakeKeys(database, cipher, now), Wakeups()
    bell = Bell(database)

    def accepted() -> None:
        wakeups.to_route.set()
        bell.ring()

    taking = Intake(database, now, accepted)
    status, preferences = Status(database, now), Preferences(slack, database, now)
    manifest = Manifest.parse((HERE / "manifest.json").read_text())
    pages, slack_install = Pages.of(manifest.name), SlackInstall(client, installations.bot_token)
    states = AsyncOAuthStateStore(database)
    flow = create_oauth(settings, manifest, OAuthParts(installations, states, slack_install, cipher, pages))
    bolt = AsyncApp(
        client=client,
        signing_secret=settings.slack_signing_secret,
        authorize=Authorize(installations),  # type: ignore[arg-type]  # Bolt takes it, its annotation forgot so
        installation_store=installations,
        user_facing_authorize_error_message=f"The app is not installed here (any more): {settings.public_url} adds it.",
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
    )
    has_credentials = bool(settings.slack_client_id)
    installing = Installing(
        manifest=manifest,
        public_url=settings.public_url,
        pages=pages,
        flow=flow if has_credentials else None,
        slack=slack,
        slack_install=slack_install,
        preferences=preferences,
        database=database,
        cipher=cipher,
        now=now,
    )
    metrics = Metrics()
    routes = [
        *intake.routes(taking, intake_keys, Allowance(now), metrics),
        *health.routes(database, metrics, settings.metrics_token, now),
    ]
    return App(
        settings=settings,
        database=database,
        web=create_web(bolt if has_credentials else None, settings.slack_signing_secret, installing, routes, now),
        worker=Worker(
            database,
            Router(database, salesforce, directory, notices, now),
            Courier(database, slack, notices, now),
            wakeups,
            bell,
            Housekeeping(database, settings.retention_days, now),
            now,
        ),
        intake=taking,
        intake_keys=intake_keys,
        status=status,
    )


def main() -> int:
    """Run the verb on the command line; answers the exit status."""
    load_dotenv()
    return cli.run(sys.argv[1:], os.environ, build)


if __name__ == "__main__":
    sys.exit(main())
