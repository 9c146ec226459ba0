"""Builds the parts and runs them; the only reader of the environment."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiohttp import web
from dotenv import load_dotenv
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_sdk.web.async_client import AsyncWebClient

from listeners import register_listeners
from listeners.cli import table
from listeners.cli.running.preparing import UMASK
from listeners.home.app_home import AppHome
from listeners.http import health
from listeners.http.metrics import Metrics
from listeners.http.server import create_monitoring, create_web
from listeners.intake import api as intake
from listeners.ownership.dialogs import OwnershipDialogs
from listeners.pages import Pages
from listeners.salesforce.connect import ConnectRoutes
from listeners.slack.install import Installing
from listeners.slack.oauth import Authorize, OAuthParts, create_oauth
from listeners.slack.requests import SlackRequests
from listeners.slack.socket_mode import SocketMode
from listeners.status.status import StatusCommand
from services.clock import SteadyClock
from services.delivery.courier import Courier
from services.delivery.explain import Explainer
from services.delivery.failed import FailedJobChanges
from services.delivery.router import Router
from services.delivery.worker import Worker, WorkEvents
from services.home.home import Home
from services.home.member_home import MemberHomes
from services.home.member_preferences import MemberPreferences
from services.home.preferences import Preferences
from services.home.signal_channels import SignalChannels
from services.home.status import Status
from services.intake.files.importer import FileImporter
from services.intake.intake import Intake
from services.intake.keys import IntakeKeys
from services.intake.rate_limit import RateLimiter
from services.intake.salesforce.poller import SalesforcePoller
from services.intake.salesforce.sources import SalesforceSources
from services.intake.sample import SampleSender
from services.intake.senders.field_mappings import FieldMappings
from services.journal import Journal
from services.messages.actions import DeliveryActions
from services.messages.managers import Managers
from services.messages.notices import Notices
from services.messages.redraws import Redrawer
from services.messages.reminders import ReminderSender
from services.operations.doctor import Doctor
from services.operations.heartbeat import Heartbeat
from services.operations.housekeeping import Housekeeping
from services.operations.salesforce_watch import SalesforceWatch
from services.operations.vendor_calls import traced
from services.operations.watchdog import Watchdog
from services.ownership.decider import Decider
from services.ownership.draft_editor import DraftEditor
from services.ownership.org_schema import OrgSchemas
from services.ownership.rulebook import Rulebook
from services.ownership.simulation import Simulation
from services.ownership.unmatched_owners import UnmatchedOwners
from services.ownership.user_groups import UserGroups
from services.salesforce.connect import SalesforceConnect
from services.salesforce.queries.describe import SalesforceDescribe
from services.salesforce.queries.lookup import Salesforce
from services.salesforce.sessions import SalesforceSessions
from services.settings import Settings
from services.slack.api import Slack
from services.slack.directory import Directory
from services.slack.inbound_health import InboundRecorder
from services.slack.install import SlackInstall
from services.slack.manifest import Manifest
from services.slack.socket import SlackSocket
from store.database import Database
from store.encryption import Cipher
from store.notify import WorkNotifier
from store.slack.installations import AsyncInstallationStore
from store.slack.oauth_states import AsyncOAuthStateStore

HERE = Path(__file__).parent
CALL_TIMEOUT = aiohttp.ClientTimeout(total=10, connect=5)
"""Of every call to Slack; the courier's lease counts on it."""


@dataclass(frozen=True)
class App:
    """What the verbs at the terminal run, or ask."""

    settings: Settings
    database: Database
    monitoring: web.Application
    web: web.Application
    socket_mode: SocketMode | None
    heartbeat: Heartbeat | None
    worker: Worker
    intake: Intake
    importing: FileImporter
    doctor: Doctor
    rulebook: Rulebook
    simulation: Simulation
    intake_keys: IntakeKeys
    status: Status


@dataclass(frozen=True)
class _Ground:
    """What all the parts stand on."""

    settings: Settings
    cipher: Cipher
    database: Database
    http: aiohttp.ClientSession
    metrics: Metrics
    now: Callable[[], int]
    work_events: WorkEvents
    notifier: WorkNotifier

    def accepted(self) -> None:
        """There is something to route, here and in every other replica."""
        self.work_events.to_route.set()
        self.notifier.notify()

    def promised(self) -> None:
        """There is something to post."""
        self.work_events.to_post.set()
        self.notifier.notify()

    def retried(self) -> None:
        """There is something to route, or to post."""
        self.work_events.to_route.set()
        self.promised()


@dataclass(frozen=True)
class _Slack:
    """All that speaks with Slack."""

    client: AsyncWebClient
    installations: AsyncInstallationStore
    api: Slack
    directory: Directory
    groups: UserGroups
    notices: Notices
    manifest: Manifest


@dataclass(frozen=True)
class _Salesforce:
    """All that speaks with Salesforce."""

    api: Salesforce
    describe: SalesforceDescribe
    shapes: OrgSchemas


@dataclass(frozen=True)
class _Doers:
    """What the listeners and the worker share."""

    intake: Intake
    intake_keys: IntakeKeys
    delivery_actions: DeliveryActions
    decider: Decider
    rulebook: Rulebook
    simulation: Simulation
    status: Status
    preferences: Preferences
    journal: Journal
    watchdog: Watchdog


@asynccontextmanager
async def build(settings: Settings, cipher: Cipher, now: Callable[[], int] | None = None) -> AsyncIterator[App]:
    """Every part, wired; their connections are closed at the end. *now* in milliseconds; None: the real clock."""
    database, metrics = Database(settings.database_url), Metrics()
    traces = [traced(metrics, settings.slack_api_url)]
    async with aiohttp.ClientSession(timeout=CALL_TIMEOUT, trace_configs=traces) as http:
        ground = _Ground(
            settings, cipher, database, http, metrics, now or SteadyClock(), WorkEvents(), WorkNotifier(database)
        )
        salesforce = _salesforce(ground)
        try:
            yield _wired(ground, _slack(ground), salesforce)
        finally:
            await salesforce.api.close()
            await database.close()


def _slack(ground: _Ground) -> _Slack:
    settings, database, now = ground.settings, ground.database, ground.now
    # Never retried by the SDK: whether a message is sent again is for the courier to decide.
    client = AsyncWebClient(base_url=settings.slack_api_url, session=ground.http, retry_handlers=[])
    installations = AsyncInstallationStore(database, settings.slack_client_id, ground.cipher)
    api = Slack(client, installations.bot_token, database, now)
    manifest = Manifest.parse((HERE / "manifest.json").read_text())
    return _Slack(
        client=client,
        installations=installations,
        api=api,
        directory=Directory(api, database, now),
        groups=UserGroups(api, database, now),
        notices=Notices(database, api, now),
        manifest=manifest,
    )


def _salesforce(ground: _Ground) -> _Salesforce:
    sessions = SalesforceSessions(
        database=ground.database,
        cipher=ground.cipher,
        http=ground.http,
        login_url=ground.settings.salesforce_login_url,
        client_id=ground.settings.salesforce_client_id,
        client_secret=ground.settings.salesforce_client_secret,
        now=ground.now,
    )
    api = Salesforce(sessions, measures=ground.metrics)
    describe = SalesforceDescribe(api)
    return _Salesforce(api, describe, OrgSchemas(describe, ground.now))


def _wired(ground: _Ground, slack: _Slack, salesforce: _Salesforce) -> App:
    settings, doers = ground.settings, _doers(ground, slack, salesforce)
    pages = Pages.of(slack.manifest.name)
    connect = SalesforceConnect(salesforce.api.sessions, slack.directory, salesforce.describe, settings.public_url)
    connecting = ConnectRoutes(connect, pages, ground.cipher)
    slack_install = SlackInstall(slack.client, slack.installations.bot_token)
    # Without all of the credentials the verbs that do not serve still work.
    flow = _oauth(ground, slack, slack_install, pages) if settings.has_slack_credentials else None
    bolt = _bolt(ground, slack, flow) if flow else None
    if bolt:
        register_listeners(bolt, **_parts(ground, slack, salesforce, doers), connecting=connecting)
    installing = Installing(
        manifest=slack.manifest,
        public_url=settings.public_url,
        pages=pages,
        flow=flow,
        slack=slack.api,
        slack_install=slack_install,
        preferences=doers.preferences,
        database=ground.database,
        cipher=ground.cipher,
        now=ground.now,
    )
    watching = health.routes(ground.database, ground.metrics, settings.metrics_token, doers.watchdog)
    taking = intake.routes(doers.intake, doers.intake_keys, RateLimiter(ground.now), ground.metrics)
    routes = [*connecting.routes(), *taking, *watching]
    return App(
        settings=settings,
        database=ground.database,
        web=create_web(_slack_requests(ground, bolt), installing, routes),
        monitoring=create_monitoring(watching),
        socket_mode=_socket_mode(ground, slack, bolt),
        heartbeat=_heartbeat(ground, doers.watchdog),
        worker=_worker(ground, slack, salesforce, doers),
        intake=doers.intake,
        importing=FileImporter(doers.intake, ground.database, ground.now),
        rulebook=doers.rulebook,
        simulation=doers.simulation,
        doctor=_doctor(ground, slack, salesforce),
        intake_keys=doers.intake_keys,
        status=doers.status,
    )


def _doers(ground: _Ground, slack: _Slack, salesforce: _Salesforce) -> _Doers:
    database, now = ground.database, ground.now
    journal = Journal(ground.metrics)
    decider = Decider(database, salesforce.api, salesforce.shapes, slack.directory, slack.groups, now)
    return _Doers(
        intake=Intake(database, now, ground.accepted, journal),
        intake_keys=IntakeKeys(database, ground.cipher, now),
        delivery_actions=DeliveryActions(database, slack.api, Redrawer(database, slack.api, now), now),
        decider=decider,
        rulebook=Rulebook(database, salesforce.shapes, now),
        simulation=Simulation(database, decider),
        status=Status(database, now),
        preferences=Preferences(slack.api, database, now),
        journal=journal,
        watchdog=Watchdog(now),
    )


def _oauth(ground: _Ground, slack: _Slack, slack_install: SlackInstall, pages: Pages) -> AsyncOAuthFlow:
    states = AsyncOAuthStateStore(ground.database)
    parts = OAuthParts(slack.installations, states, slack_install, ground.cipher, pages)
    return create_oauth(ground.settings, slack.manifest, parts)


def _bolt(ground: _Ground, slack: _Slack, flow: AsyncOAuthFlow) -> AsyncApp:
    return AsyncApp(
        client=slack.client,
        signing_secret=ground.settings.slack_signing_secret,
        authorize=Authorize(slack.installations),  # type: ignore[arg-type]  # Bolt takes it, its annotation forgot so
        installation_store=slack.installations,
        user_facing_authorize_error_message=(
            f"The app is not installed here (any more): {ground.settings.public_url} adds it."
        ),
        oauth_flow=flow,
        oauth_settings=flow.settings,
    )


def _parts(ground: _Ground, slack: _Slack, salesforce: _Salesforce, doers: _Doers) -> dict[str, object]:
    """What listeners ask for by name."""
    database, now = ground.database, ground.now
    public_url = ground.settings.public_url
    retention_days = ground.settings.retention_days
    failed_job_changes = FailedJobChanges(database, ground.retried, now)
    member_homes = MemberHomes(database, slack.directory, now)
    home = Home(
        database,
        slack.directory,
        salesforce.api.sessions,
        doers.intake_keys,
        member_homes,
        public_url,
        retention_days,
        now,
    )
    home_tab = AppHome(home)
    return {
        "database": database,
        "now": now,
        "installations": slack.installations,
        "directory": slack.directory,
        "notices": slack.notices,
        "preferences": doers.preferences,
        "home": home,
        "home_tab": home_tab,
        "member_homes": member_homes,
        "member_preferences": MemberPreferences(database, member_homes, slack.notices, now),
        "signal_channels": SignalChannels(slack.api, database, now),
        "failed_job_changes": failed_job_changes,
        "status_command": StatusCommand(
            directory=slack.directory,
            status=doers.status,
            sample_sender=SampleSender(doers.intake, slack.api),
            explainer=Explainer(database),
            failed_job_changes=failed_job_changes,
        ),
        "intake_keys": doers.intake_keys,
        "status": doers.status,
        "delivery_actions": doers.delivery_actions,
        "salesforce_sources": SalesforceSources(database, salesforce.describe, now),
        "field_mappings": FieldMappings(database, now),
        "ownership": OwnershipDialogs(
            directory=slack.directory,
            groups=slack.groups,
            home_tab=home_tab,
            rulebook=doers.rulebook,
            draft_editor=DraftEditor(doers.rulebook),
            simulation=doers.simulation,
            unmatched=UnmatchedOwners(database, slack.directory, salesforce.shapes, ground.promised, now),
        ),
    }


def _worker(ground: _Ground, slack: _Slack, salesforce: _Salesforce, doers: _Doers) -> Worker:
    database, now = ground.database, ground.now
    managers = Managers(database, salesforce.describe, slack.directory)
    return Worker(
        database,
        Router(database, doers.decider, slack.notices, now, doers.journal),
        Courier(database, slack.api, slack.notices, now, doers.journal),
        ground.work_events,
        ground.notifier,
        Housekeeping(database, ground.settings.retention_days, now),
        now,
        (
            doers.delivery_actions.catch_up,
            slack.notices.catch_up,
            ReminderSender(database, slack.api, managers, now).catch_up,
            SalesforcePoller(database, salesforce.describe, doers.intake, now).find_due,
            SalesforceWatch(salesforce.api.sessions, salesforce.describe, slack.notices, now).check,
        ),
        doers.watchdog.beat,
    )


def _doctor(ground: _Ground, slack: _Slack, salesforce: _Salesforce) -> Doctor:
    return Doctor(
        ground.settings,
        ground.database,
        ground.cipher,
        ground.http,
        slack.api,
        salesforce.api,
        slack.manifest,
        ground.now,
    )


def _slack_requests(ground: _Ground, bolt: AsyncApp | None) -> SlackRequests | None:
    secret, recorder = ground.settings.slack_signing_secret, InboundRecorder(ground.database, ground.now)
    return SlackRequests.of(bolt, secret, recorder) if bolt else None


def _socket_mode(ground: _Ground, slack: _Slack, bolt: AsyncApp | None) -> SocketMode | None:
    token = ground.settings.slack_app_token
    return SocketMode(bolt, SlackSocket(slack.client, token), ground.http) if bolt and token else None


def _heartbeat(ground: _Ground, watchdog: Watchdog) -> Heartbeat | None:
    url = ground.settings.heartbeat_url
    return Heartbeat(url, ground.http, ground.database, watchdog) if url else None


def main() -> int:
    """Run the verb on the command line; answers the exit status."""
    os.umask(UMASK)
    load_dotenv()
    return table.run(sys.argv[1:], os.environ, build, _command())


def _command() -> str:
    """What was typed before the verb, so that hints can be typed as they are."""
    python = Path(sys.executable)
    if Path(shutil.which("python") or "") == python:
        return f"python {sys.argv[0]}"
    return f"{python.relative_to(Path.cwd()) if python.is_relative_to(Path.cwd()) else python} {sys.argv[0]}"


if __name__ == "__main__":
    sys.exit(main())
