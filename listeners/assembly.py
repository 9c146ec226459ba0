"""Wires the listeners to the services: everything that serving needs, which verbs that do not serve never load."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow

from listeners.cli.terminal import MANIFEST, App
from listeners.dialogs.dialog import PATIENCE, Patience
from listeners.dialogs.metadata import ViewSigner
from listeners.home.app_home import AppHome
from listeners.http import health
from listeners.http.metrics import Metrics
from listeners.http.server import create_monitoring, create_web
from listeners.http.traces import open_traces
from listeners.intake import api as intake
from listeners.intake.api_view import State
from listeners.ownership.dialogs import OwnershipDialogs
from listeners.pages import Pages
from listeners.registering import register_listeners
from listeners.salesforce.connect import ConnectRoutes
from listeners.slack.install import Installing
from listeners.slack.oauth import Authorize, OAuthParts, create_oauth
from listeners.slack.requests import InboundRecorder, SlackRequests
from listeners.slack.socket_mode import SocketMode
from listeners.status.status import StatusCommand
from services.assembly import Foundation, Services, build_doctor, build_services, build_worker
from services.clock import SteadyClock, wall_ms
from services.delivery.explain import Explainer
from services.delivery.failed import FailedJobChanges
from services.delivery.worker import WorkEvents
from services.home.home import Home
from services.home.member_home import MemberHomes
from services.home.member_preferences import MemberPreferences
from services.home.signal_channels import SignalChannels
from services.intake.mapping.field_mappings import FieldMappings
from services.intake.salesforce.sources import SalesforceSources
from services.intake.sample import SampleSender
from services.operations.clock_watch import ClockWatch
from services.operations.heartbeat import Heartbeat
from services.operations.readiness import Readiness
from services.operations.vendor_calls import open_session
from services.ownership.draft_editor import DraftEditor
from services.ownership.person_keys import PersonKeys
from services.ownership.unmatched_owners import UnmatchedOwners
from services.salesforce.connect import SalesforceConnect
from services.settings import Settings
from services.slack.manifest import Manifest
from services.slack.socket import SlackSocket
from services.slack.tokens.install import TokenInstall
from store.database import Database
from store.encryption import Cipher
from store.operations.notify import WorkNotifier
from store.slack.oauth_states import AsyncOAuthStateStore


@asynccontextmanager
async def build(
    settings: Settings, cipher: Cipher, now: Callable[[], int] | None = None, patience: Patience = PATIENCE
) -> AsyncIterator[App]:
    """Wire every part, and close their connections at the end. `now` returns milliseconds; None is the real clock."""
    database, metrics, clock = Database(settings.database_url), Metrics(), SteadyClock()
    traces = open_traces(settings, now or clock)
    clock_watch = ClockWatch(clock, database)
    manifest = Manifest.parse(MANIFEST.read_text())
    async with open_session(settings, metrics, clock_watch.saw_date) as http:
        clock_watch.ask_slack = partial(http.post, f"{settings.slack_api_url}api.test")
        foundation = Foundation(
            settings=settings,
            cipher=cipher,
            database=database,
            http=http,
            measures=metrics,
            traces=traces,
            now=now or clock,
            wall=now or wall_ms,
            work_events=WorkEvents(),
            notifier=WorkNotifier(database, settings.database_direct_url),
        )
        services = build_services(foundation, manifest)
        try:
            yield _build_app(foundation, services, metrics, clock_watch, patience)
        finally:
            await services.salesforce.api.close()
            await asyncio.to_thread(traces.close)
            await database.close()


def _build_app(
    foundation: Foundation, services: Services, metrics: Metrics, clock_watch: ClockWatch, patience: Patience
) -> App:
    settings, database, now = foundation.settings, foundation.database, foundation.now
    slack, salesforce = services.slack, services.salesforce
    pages = Pages.of(slack.manifest.name)
    connect = SalesforceConnect(salesforce.api.sessions, slack.directory, salesforce.describe, settings.public_url)
    connect_routes = ConnectRoutes(connect, pages, foundation.cipher, foundation.wall)
    # Verbs that do not serve work without Slack's credentials, so there may be no Bolt app.
    bolt = _build_bolt(foundation, services, pages) if settings.has_slack_credentials else None
    if bolt:
        arguments = _listener_arguments(foundation, services) | {"patience": patience}
        register_listeners(bolt, database, now, **arguments, connect_routes=connect_routes)
    installing = _build_installing(foundation, services, pages, bolt.oauth_flow if bolt else None)
    readiness = Readiness(database, services.database_watch, clock_watch)
    is_public = settings.public_url.startswith("https://")
    monitoring = health.routes(
        database, metrics, settings.metrics_token, services.watchdog, readiness, now, is_public=is_public
    )
    intake_routes = intake.routes(services.intake, services.intake_keys, services.allowance, metrics)
    routes = [*connect_routes.routes(), *intake_routes, *monitoring]
    return App(
        settings=settings,
        database=database,
        web=create_web(_build_slack_requests(foundation, bolt), installing, routes),
        monitoring=create_monitoring(monitoring),
        socket_mode=_build_socket_mode(foundation, services, bolt),
        readiness=readiness,
        heartbeat=_build_heartbeat(foundation, services),
        watchdog=services.watchdog,
        worker=build_worker(foundation, services, State.of),
        intake=services.intake,
        rulebook=services.rulebook,
        simulation=services.simulation,
        doctor=build_doctor(foundation, services),
        intake_keys=services.intake_keys,
        added_senders=services.added_senders,
        token_install=TokenInstall(
            slack.client,
            slack.installations,
            slack.manifest,
            settings.slack_app_token,
            now,
            slack.organizations.try_sync,
        ),
    )


def _build_installing(
    foundation: Foundation, services: Services, pages: Pages, flow: AsyncOAuthFlow | None
) -> Installing:
    return Installing(
        manifest=services.slack.manifest,
        public_url=foundation.settings.public_url,
        pages=pages,
        flow=flow,
        can_redirect=foundation.settings.can_redirect,
        slack=services.slack.api,
        slack_install=services.slack.install,
        preferences=services.preferences,
        salesforce_sessions=services.salesforce.api.sessions,
        database=foundation.database,
        cipher=foundation.cipher,
        now=foundation.wall,
    )


def _build_bolt(foundation: Foundation, services: Services, pages: Pages) -> AsyncApp:
    slack, states = services.slack, AsyncOAuthStateStore(foundation.database, foundation.cipher, foundation.wall)
    parts = OAuthParts(slack.installations, states, slack.install, slack.organizations, foundation.cipher, pages)
    flow = create_oauth(foundation.settings, slack.manifest, parts)
    return AsyncApp(
        name="usergems-slack",  # otherwise Bolt takes 0.2 s to find the name of this file
        client=slack.client,
        signing_secret=foundation.settings.slack_signing_secret,
        authorize=Authorize(slack.installations, slack.tokens.current),  # type: ignore[arg-type]  # Bolt accepts it; its annotation does not
        installation_store=slack.installations,
        user_facing_authorize_error_message=(
            f"The app is not installed in this workspace. Add it at {foundation.settings.public_url}"
        ),
        oauth_flow=flow,
        oauth_settings=flow.settings,
    )


def _listener_arguments(foundation: Foundation, services: Services) -> dict[str, object]:
    """The arguments that listeners can name, besides the database."""
    database, now, settings = foundation.database, foundation.now, foundation.settings
    slack, salesforce = services.slack, services.salesforce
    failed_job_changes = FailedJobChanges(database, foundation.announce_retried, now)
    sample_sender = SampleSender(services.intake, slack.api)
    member_homes = MemberHomes(database, slack.directory, now)
    sessions = salesforce.api.sessions
    home = Home(database, slack.directory, sessions, settings.public_url, settings.retention_days, now)
    view_signer = ViewSigner(foundation.cipher)
    home_tab = AppHome(home, view_signer)
    return {
        "slack_organizations": slack.organizations,
        "directory": slack.directory,
        "notices": slack.notices,
        "preferences": services.preferences,
        "home": home,
        "home_tab": home_tab,
        "view_signer": view_signer,
        "member_homes": member_homes,
        "member_preferences": MemberPreferences(database, member_homes, slack.notices, now),
        "signal_channels": SignalChannels(slack.api, database, now),
        "failed_job_changes": failed_job_changes,
        "sample_sender": sample_sender,
        "status_command": StatusCommand(
            directory=slack.directory,
            status=services.status,
            sample_sender=sample_sender,
            explainer=Explainer(database),
            failed_job_changes=failed_job_changes,
        ),
        "intake_keys": services.intake_keys,
        "added_senders": services.added_senders,
        "webhooks": services.webhooks,
        "status": services.status,
        "delivery_actions": services.delivery_actions,
        "person_keys": PersonKeys(database, salesforce.schemas, now),
        "salesforce_sources": SalesforceSources(database, salesforce.describe, now),
        "field_mappings": FieldMappings(database, now),
        "ownership": _build_ownership_dialogs(foundation, services),
    }


def _build_ownership_dialogs(foundation: Foundation, services: Services) -> OwnershipDialogs:
    directory, schemas = services.slack.directory, services.salesforce.schemas
    return OwnershipDialogs(
        directory=directory,
        groups=services.slack.groups,
        rulebook=services.rulebook,
        draft_editor=DraftEditor(services.rulebook),
        simulation=services.simulation,
        unmatched=UnmatchedOwners(
            foundation.database, directory, schemas, foundation.announce_deliveries, foundation.now
        ),
    )


def _build_slack_requests(foundation: Foundation, bolt: AsyncApp | None) -> SlackRequests | None:
    recorder = InboundRecorder(foundation.database, foundation.now)
    return (
        SlackRequests.of(bolt, foundation.settings.slack_signing_secret, recorder, foundation.wall, foundation.measures)
        if bolt
        else None
    )


def _build_socket_mode(foundation: Foundation, services: Services, bolt: AsyncApp | None) -> SocketMode | None:
    token = foundation.settings.slack_app_token
    if not (bolt and token):
        return None
    return SocketMode(bolt, SlackSocket(services.slack.client, token), foundation.http, foundation.measures)


def _build_heartbeat(foundation: Foundation, services: Services) -> Heartbeat | None:
    url = foundation.settings.heartbeat_url
    if not url:
        return None
    return Heartbeat(
        url, foundation.http, foundation.database, services.watchdog, services.database_watch, foundation.now
    )
