"""Builds every service once, from the settings, the database and one HTTP session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp
from pydantic import BaseModel
from slack_sdk.web.async_client import AsyncWebClient

from domain.delivery import JobChangeRecord
from services.clock import steady_ms
from services.delivery.courier import Courier
from services.delivery.router import Router
from services.delivery.webhook_calls import WebhookCalls
from services.delivery.webhooks import Webhooks, WebhookSender
from services.delivery.worker import Worker, WorkEvents
from services.home.preferences import Preferences
from services.home.status import Status
from services.intake.added_senders import AddedSenders
from services.intake.intake import Intake
from services.intake.keys import IntakeKeys
from services.intake.rate_limit import Allowance
from services.intake.salesforce.poller import SalesforcePoller
from services.journal import Journal
from services.measures import Measures, Traces
from services.messages.actions import DeliveryActions
from services.messages.button_values import ButtonSigner
from services.messages.layouts import Layouts
from services.messages.notices import Notices
from services.messages.redraws import Redrawer
from services.messages.reminders import ReminderSender
from services.operations.database_watch import DatabaseWatch
from services.operations.doctor import Doctor
from services.operations.housekeeping import Housekeeping
from services.operations.salesforce_watch import SalesforceWatch
from services.operations.vendor_calls import ssl_context
from services.operations.watchdog import Watchdog
from services.ownership.decider import Decider
from services.ownership.managers import Managers
from services.ownership.org_schema import OrgSchemas
from services.ownership.rulebook import Rulebook
from services.ownership.simulation import Simulation
from services.ownership.user_groups import UserGroups
from services.salesforce.queries.describe import SalesforceDescribe
from services.salesforce.queries.lookup import Salesforce
from services.salesforce.sessions import SalesforceSessions
from services.settings import Settings, is_loopback
from services.slack.api import Slack
from services.slack.directory import Directory
from services.slack.install import SlackInstall
from services.slack.manifest import Manifest
from services.slack.organizations import Organizations
from services.slack.tokens.renewal import BotTokens
from store.database import Database
from store.encryption import Cipher
from store.operations.due_work import Queue
from store.operations.notify import WorkNotifier
from store.slack.installations import AsyncInstallationStore


@dataclass(frozen=True)
class Foundation:
    """What every service is built from. `now` and `wall` return milliseconds; see services/clock.py."""

    settings: Settings
    cipher: Cipher
    database: Database
    http: aiohttp.ClientSession
    measures: Measures
    traces: Traces
    now: Callable[[], int]
    wall: Callable[[], int]
    work_events: WorkEvents
    notifier: WorkNotifier

    def announce_accepted(self) -> None:
        """Wake the router, here and in every other replica."""
        self.work_events.to_route.set()
        self.notifier.notify()

    def announce_deliveries(self) -> None:
        """Wake the courier, here and in every other replica."""
        self.work_events.to_post.set()
        self.notifier.notify()

    def announce_retried(self) -> None:
        """Wake both, because a retried job change continues where it failed."""
        self.work_events.to_route.set()
        self.announce_deliveries()


@dataclass(frozen=True)
class SlackServices:
    """Everything that calls Slack."""

    client: AsyncWebClient
    installations: AsyncInstallationStore
    install: SlackInstall
    organizations: Organizations
    tokens: BotTokens
    api: Slack
    directory: Directory
    groups: UserGroups
    notices: Notices
    layouts: Layouts
    manifest: Manifest


@dataclass(frozen=True)
class SalesforceServices:
    """Everything that calls Salesforce."""

    api: Salesforce
    describe: SalesforceDescribe
    schemas: OrgSchemas


@dataclass(frozen=True)
class Services:
    """The services that listeners and the worker share."""

    slack: SlackServices
    salesforce: SalesforceServices
    intake: Intake
    allowance: Allowance
    intake_keys: IntakeKeys
    added_senders: AddedSenders
    delivery_actions: DeliveryActions
    webhooks: Webhooks
    decider: Decider
    rulebook: Rulebook
    simulation: Simulation
    status: Status
    preferences: Preferences
    journal: Journal
    watchdog: Watchdog
    database_watch: DatabaseWatch


def build_services(foundation: Foundation, manifest: Manifest) -> Services:
    """Build the services that listeners and the worker share."""
    database, now = foundation.database, foundation.now
    slack, salesforce = _build_slack(foundation, manifest), _build_salesforce(foundation)
    allowance = Allowance.of(now)
    journal, signer = Journal(foundation.measures, foundation.traces), ButtonSigner(foundation.cipher)
    redrawer = Redrawer(database, slack.api, signer, now, slack.layouts)
    intake = Intake(
        database,
        now,
        foundation.announce_accepted,
        journal,
        largest=foundation.settings.job_change_kib * 1024,
        spent=allowance.parsing.spend,
    )
    decider = Decider(database, salesforce.api, salesforce.schemas, slack.directory, slack.groups, now)
    return Services(
        slack=slack,
        salesforce=salesforce,
        intake=intake,
        allowance=allowance,
        intake_keys=IntakeKeys(database, foundation.cipher, now, foundation.wall),
        added_senders=AddedSenders(database, intake, foundation.settings.public_url, now),
        delivery_actions=DeliveryActions(database, slack.api, redrawer, signer, now),
        webhooks=_build_webhooks(foundation),
        decider=decider,
        rulebook=Rulebook(database, salesforce.schemas, now),
        simulation=Simulation(database, decider),
        status=Status(database, now),
        preferences=Preferences(slack.api, database, now),
        journal=journal,
        watchdog=Watchdog(steady_ms),
        database_watch=DatabaseWatch(database, foundation.cipher, now),
    )


def _build_slack(foundation: Foundation, manifest: Manifest) -> SlackServices:
    settings, database, now = foundation.settings, foundation.database, foundation.now
    # The SDK never retries by itself: the courier decides whether a message is sent again.
    client = AsyncWebClient(
        base_url=settings.slack_api_url,
        session=foundation.http,
        retry_handlers=[],
        proxy=settings.network.proxy_for(settings.slack_api_url),  # for Bolt's respond(), which has its own session
        ssl=ssl_context(settings.network),
    )
    installations = AsyncInstallationStore(database, settings.slack_client_id, foundation.cipher)
    tokens = BotTokens(
        client,
        installations,
        database,
        foundation.cipher,
        settings.slack_client_id,
        settings.slack_client_secret,
        now,
    )
    api = Slack(client, tokens.current, database, now, tokens.renew)
    install = SlackInstall(client, tokens.current, now=lambda: now() / 1_000)
    return SlackServices(
        client=client,
        installations=installations,
        install=install,
        organizations=Organizations(api, install, installations, database, now),
        tokens=tokens,
        api=api,
        directory=Directory(api, database, now),
        groups=UserGroups(api, database, now),
        notices=Notices(database, api, now, f"{settings.public_url}/slack/install"),
        layouts=Layouts(database, newer_blocks=settings.message_layout == "cards"),
        manifest=manifest,
    )


def _build_webhooks(foundation: Foundation) -> Webhooks:
    settings = foundation.settings
    is_stand_in = is_loopback(urlsplit(settings.slack_api_url).hostname)
    calls = WebhookCalls(settings.network, ssl_context(settings.network), is_stand_in, foundation.wall)
    return Webhooks(foundation.database, foundation.cipher, calls, foundation.now)


def _build_salesforce(foundation: Foundation) -> SalesforceServices:
    sessions = SalesforceSessions(
        database=foundation.database,
        cipher=foundation.cipher,
        http=foundation.http,
        login_url=foundation.settings.salesforce_login_url,
        client_id=foundation.settings.salesforce_client_id,
        client_secret=foundation.settings.salesforce_client_secret,
        now=foundation.now,
        operator_workspaces=foundation.settings.salesforce_workspaces,
    )
    api = Salesforce(sessions, measures=foundation.measures, network=foundation.settings.network)
    describe = SalesforceDescribe(api)
    return SalesforceServices(api, describe, OrgSchemas(describe, foundation.now))


def build_worker(foundation: Foundation, services: Services, shown: Callable[[JobChangeRecord], BaseModel]) -> Worker:
    """
    Build the worker with the router, the courier and everything else that it runs.

    `shown` is a job change as receivers of an outgoing webhook see it.
    """
    database, now = foundation.database, foundation.now
    slack, salesforce = services.slack, services.salesforce
    managers = Managers(database, salesforce.api, slack.directory)
    signer = services.delivery_actions.signer
    return Worker(
        database,
        Router(database, services.decider, slack.notices, now, services.journal),
        Courier(database, slack.api, slack.notices, signer, now, slack.layouts, services.journal),
        foundation.work_events,
        foundation.notifier,
        Housekeeping(
            database,
            foundation.settings.retention_days,
            now,
            slack.api,
            purge_days=foundation.settings.purge_days,
        ),
        now,
        {
            Queue.MESSAGES: services.delivery_actions.catch_up,
            Queue.NOTICES: slack.notices.catch_up,
            Queue.REMINDERS: ReminderSender(database, slack.api, managers, now).catch_up,
            Queue.DIRECTORIES: slack.directory.catch_up,
            Queue.WEBHOOKS: WebhookSender(database, foundation.cipher, services.webhooks.calls, shown, now).send_due,
            Queue.SOURCES: SalesforcePoller(database, salesforce.describe, services.intake, now).poll,
        },
        (
            slack.tokens.renew_due,
            slack.organizations.sync_all,
            SalesforceWatch(salesforce.api.sessions, salesforce.describe, slack.notices, now).check,
        ),
        services.watchdog.beat,
        lambda: services.database_watch.may_work,
        lambda: services.intake.requests.are_many,
    )


def build_doctor(foundation: Foundation, services: Services) -> Doctor:
    """Build the doctor, which checks settings, database, Slack and Salesforce."""
    return Doctor(
        foundation.settings,
        foundation.database,
        foundation.cipher,
        foundation.http,
        services.slack.api,
        services.salesforce.api,
        services.decider,
        services.slack.manifest,
        foundation.now,
    )
