"""The whole app between a sandbox Slack workspace and a sandbox Salesforce org."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp.test_utils import TestServer
from cryptography.fernet import Fernet
from slack_sdk.web.async_client import AsyncWebClient

from domain.delivery import JobChangeRecord
from sandbox.salesforce import SalesforceSandbox
from sandbox.slack import SlackSandbox
from sandbox.slack.state import Message, Team, User
from services.delivery.courier import Courier
from services.delivery.router import Router
from services.delivery.worker import Worker, WorkEvents
from services.intake.intake import Intake
from services.messages.button_values import ButtonSigner
from services.messages.layouts import Layouts
from services.messages.notices import Notices
from services.operations.housekeeping import Housekeeping
from services.ownership.decider import Decider
from services.ownership.org_schema import OrgSchemas
from services.ownership.user_groups import UserGroups
from services.salesforce.queries.describe import SalesforceDescribe
from services.salesforce.queries.lookup import Salesforce
from services.salesforce.sessions import SalesforceSessions
from services.slack.api import Slack
from services.slack.directory import Directory
from store.database import Database
from store.encryption import Cipher
from store.intake.job_changes import find
from store.operations.notify import WorkNotifier
from store.slack import workspaces
from tests.conftest import Clock
from tests.servers import GENEROUS_TIMEOUT

SCOPES = "chat:write,chat:write.public,commands,users:read,users:read.email,channels:read,groups:read,im:history"


@dataclass
class World:
    """One installed workspace, its sandboxes, and the parts of the app that accept and deliver job changes."""

    database: Database
    clock: Clock
    slack: SlackSandbox
    salesforce: SalesforceSandbox
    intake: Intake
    worker: Worker
    team: Team
    admin: User
    tokens: dict[str, str] = field(default_factory=dict)
    survived_bugs: list[str] = field(default_factory=list)
    """What the worker logged as an error and survived. A test that plants a bug takes it from here."""

    @property
    def workspace_id(self) -> str:
        return self.team.id

    async def accept(self, **changes: Any) -> str:
        """Accept a job change and return its id; it is not routed yet."""
        added = await self.intake.accept(self.workspace_id, sample_job_change(**changes))
        assert added is not None
        return added.id

    async def deliver(self, **changes: Any) -> str:
        """Accept a job change, run the worker until nothing is due, and return its id."""
        job_change_id = await self.accept(**changes)
        await self.worker.drain()
        return job_change_id

    def add_owner(self, name: str, *, in_slack: bool = True, **fields: Any) -> str:
        """Add a Salesforce user, by default also as a member of the Slack workspace. Returns the Salesforce id."""
        first, last = name.split()
        email = f"{first.lower()}@acme.example"
        if in_slack:
            self.slack.add_user(self.team, name, email)
        return self.salesforce.add("User", FirstName=first, LastName=last, Email=email, **fields)

    def direct_messages(self, name: str) -> list[Message]:
        """The direct messages this person received, oldest first."""
        member = next(user for user in self.slack.world.users.values() if user.real_name == name)
        channels = [channel for channel in self.slack.world.channels.values() if channel.im_user == member.id]
        return [message for channel in channels for message in channel.messages.values()]

    def channel_messages(self, channel: str) -> list[Message]:
        """The messages in a channel, given by its name; empty when there is no such channel."""
        sandbox_channel = self.slack.world.channel_by_name(self.team.id, channel)
        return list(sandbox_channel.messages.values()) if sandbox_channel else []

    async def default_channel(self, name: str = "job-changes") -> str:
        """Create a public channel, make it the default channel, and return its id."""
        channel = self.slack.add_channel(self.team, name)

        def choose(connection: Any) -> None:
            workspaces.change(connection, self.workspace_id, None, default_channel_id=channel.id)
            workspaces.open_default_lane(connection, self.workspace_id, self.clock())

        await self.database.run(choose)
        return channel.id

    async def set_preferences(self, **preferences: object) -> None:
        await self.database.run(workspaces.change, self.workspace_id, None, **preferences)

    async def outcome(self, job_change_id: str) -> tuple[str | None, str | None, str | None]:
        """The outcome, the kind of recipient, and the reason."""
        job_change = await self.find(job_change_id)
        return job_change.outcome, job_change.sent_to, job_change.reason

    async def find(self, job_change_id: str) -> JobChangeRecord:
        job_change = await self.database.run(find, self.workspace_id, job_change_id)
        assert job_change is not None
        return job_change


def sample_job_change(**changes: Any) -> dict[str, Any]:
    """The usual case: Ada Smith moves from Initech to Globex."""
    return {
        "source": "tests",
        "signal": "contact_tracking",
        "change_type": "new_company",
        "occurred_on": "2026-11-01",
        "person": {"full_name": "Ada Smith", "emails": ["ada@initech.example"]},
        "previous": {"title": "VP Sales", "company": {"name": "Initech"}},
        "current": {"title": "CRO", "company": {"name": "Globex"}},
    } | changes


class ErrorsKept(logging.Handler):
    """Keeps the errors that a logger writes."""

    def __init__(self, kept: list[str]) -> None:
        super().__init__(logging.ERROR)
        self.kept = kept

    def emit(self, record: logging.LogRecord) -> None:
        self.kept.append(record.getMessage())


@asynccontextmanager
async def open_world(database: Database, clock: Clock) -> AsyncIterator[World]:
    """An installed workspace with an admin and no default channel, and a connected org without users or contacts."""
    async with AsyncExitStack() as stack:
        slack = SlackSandbox(now=lambda: clock() / 1_000)
        slack.app_client.timeout = GENEROUS_TIMEOUT
        url = await stack.enter_async_context(slack.serving())
        salesforce = SalesforceSandbox(now=lambda: clock() / 1_000)
        server = TestServer(salesforce.web_app())
        await server.start_server()
        stack.push_async_callback(server.close)
        salesforce.url = str(server.make_url("")).rstrip("/")
        http = await stack.enter_async_context(aiohttp.ClientSession())
        team = slack.add_team("Acme")
        admin = slack.add_user(team, "Alma Admin", "alma@acme.example", is_admin=True)
        token = slack.install(team.id, admin.id, SCOPES.split(","))
        await database.run(
            workspaces.install,
            installed(team.id, name=team.name, installer_user_id=admin.id, scopes=SCOPES, installed_at=clock()),
        )
        tokens = {team.id: token}

        async def token_of(workspace_id: str) -> str | None:
            return tokens.get(workspace_id)

        client = AsyncWebClient(base_url=f"{url}/api/", session=http, retry_handlers=[])
        slack_api = Slack(client, token_of, database, clock)
        cipher = Cipher.of([Fernet.generate_key().decode()])
        sessions = SalesforceSessions(
            database,
            cipher,
            http,
            salesforce.url,
            "3MVG9sandbox",
            "sandbox-secret",
            clock,
        )
        records, notices = Salesforce(sessions), Notices(database, slack_api, clock)
        stack.push_async_callback(records.close)
        work_events = WorkEvents()
        directory = Directory(slack_api, database, clock)
        schemas, groups = OrgSchemas(SalesforceDescribe(records), clock), UserGroups(slack_api, database, clock)
        decider = Decider(database, records, schemas, directory, groups, clock)
        worker = Worker(
            database,
            Router(database, decider, notices, clock),
            Courier(database, slack_api, notices, ButtonSigner(cipher), clock, Layouts(database)),
            work_events,
            WorkNotifier(database),
            Housekeeping(database, 90, clock),
            clock,
        )
        intake = Intake(database, clock, work_events.to_route.set)
        world = World(database, clock, slack, salesforce, intake, worker, team, admin, tokens)
        kept, logger = ErrorsKept(world.survived_bugs), logging.getLogger("services.delivery.worker")
        logger.addHandler(kept)
        stack.callback(logger.removeHandler, kept)
        yield world
        # The worker survives any bug, so a test might pass in spite of one.
        assert not world.survived_bugs, world.survived_bugs


def installed(workspace_id: str = "T1", **fields: Any) -> workspaces.Installed:
    """What Slack says of a workspace that has installed the app, with these fields."""
    usual: dict[str, Any] = {"name": "Acme", "enterprise_id": None, "is_enterprise_install": False, "installed_at": 1}
    users = {"installer_user_id": "U1", "bot_user_id": "B1", "scopes": "chat:write"}
    return workspaces.Installed(id=workspace_id, **(usual | users | fields))
