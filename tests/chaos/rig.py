"""The app as processes of its own, between a Slack and a Salesforce that live in the test."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import time

import aiohttp
from aiohttp.test_utils import TestServer
from cryptography.fernet import Fernet
from slack_sdk.oauth.installation_store import Installation
from sqlalchemy import func, select, update

from sandbox.salesforce import SalesforceSandbox
from sandbox.slack import SlackSandbox
from sandbox.slack.state import Team, User
from services.intake_keys import IntakeKeys
from store import workspaces
from store.database import Database
from store.encryption import Cipher
from store.installations import AsyncInstallationStore
from store.intake_keys import BEARER
from store.schema import job_changes, lanes
from tests.ports import port_of_our_own
from tests.world import SCOPES, job_change

ROOT = Path(__file__).parents[2]
READY_SECONDS = 30
DRAINED_SECONDS = 120


@dataclass(frozen=True)
class Account:
    """
    What came out against what was accepted, after Jepsen's total queue.

    *lost*: accepted and never told; *repeated*: told more than once, by serial; *without_outcome*: no end recorded.
    """

    accepted: int
    lost: list[int]
    repeated: dict[int, int]
    without_outcome: int

    @property
    def is_even(self) -> bool:
        return not (self.lost or self.repeated or self.without_outcome)


@dataclass
class Rig:
    """One workspace with *owners* who each own a contact, and processes that can be killed."""

    database_url: str
    key: str
    slack: SlackSandbox
    salesforce: SalesforceSandbox
    http: aiohttp.ClientSession
    team: Team
    owners: list[User]
    intake_key: str = ""
    port: int = field(default_factory=port_of_our_own)
    processes: list[Process] = field(default_factory=list)
    accepted: set[int] = field(default_factory=set)

    async def start(self, verb: str = "serve") -> Process:
        """A process that is ready: it has said its first line."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "app.py", verb, cwd=ROOT, env=self._environment(), stdout=PIPE, stderr=PIPE
        )
        self.processes.append(process)
        assert process.stdout is not None
        async with asyncio.timeout(READY_SECONDS):
            line = await process.stdout.readline()
        assert line, f"it ended at once: {(await process.communicate())[1].decode()}"
        return process

    async def kill(self, process: Process) -> None:
        """As the machine would, without a word."""
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.communicate()

    async def post(self, serials: range) -> None:
        """Send job changes until each is answered with yes; the sender tries again as any sender would."""
        url = f"http://127.0.0.1:{self.port}/v1/workspaces/{self.team.id}/job-changes"
        body = {"job_changes": [self._job_change(serial) for serial in serials]}
        headers = {"Authorization": f"Bearer {self.intake_key}"}
        while True:
            try:
                async with self.http.post(url, json=body, headers=headers) as answer:
                    if answer.status == 202:
                        break
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.05)
        self.accepted |= set(serials)

    async def drained(self) -> None:
        """Until every accepted job change has its outcome, in this database as a process leaves it."""
        async with asyncio.timeout(DRAINED_SECONDS):
            while await self._count_open():  # noqa: ASYNC110 - it happens in another process
                await asyncio.sleep(0.1)

    async def account(self) -> Account:
        told = Counter(
            serial
            for channel in self.slack.world.channels.values()
            for message in channel.messages.values()
            for serial in _serials(message.text)
        )
        return Account(
            accepted=len(self.accepted),
            lost=sorted(self.accepted - told.keys()),
            repeated={serial: count for serial, count in told.items() if count > 1},
            without_outcome=await self._count_open(),
        )

    async def look(self, read: Callable[..., object]) -> object:
        database = Database(self.database_url)
        try:
            return await database.run(read)
        finally:
            await database.close()

    async def _count_open(self) -> int:
        return int(str(await self.look(_open)))

    def _job_change(self, serial: int) -> dict[str, object]:
        owner = serial % len(self.owners)
        person = {"full_name": f"Serial {serial:06}", "emails": [f"contact{owner}@hooli.example"]}
        return job_change(source_event_id=str(serial), person=person)

    def _environment(self) -> dict[str, str]:
        ours = {
            "SLACK_CLIENT_ID": self.slack.app.client_id,
            "SLACK_CLIENT_SECRET": self.slack.app.client_secret,
            "SLACK_SIGNING_SECRET": self.slack.app.signing_secret,
            "SLACK_API_URL": f"{self.slack.base_url()}/api/",
            "SLACK_AUTHORIZE_URL": f"{self.slack.base_url()}/oauth/v2/authorize",
            "SALESFORCE_LOGIN_URL": self.salesforce.url,
            "SALESFORCE_CLIENT_ID": "3MVG9sandbox",
            "SALESFORCE_CLIENT_SECRET": "sandbox-secret",
            "DATABASE_URL": self.database_url,
            "ENCRYPTION_KEYS": self.key,
            "PORT": str(self.port),
            "LOG_LEVEL": "WARNING",  # nobody reads the pipe, and a full one holds up who writes into it
            "PYTHONPATH": str(ROOT),
        }
        return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")} | ours


def _open(connection: object) -> int:
    return connection.execute(select(func.count()).where(job_changes.c.ended_at.is_(None))).scalar_one()  # type: ignore[attr-defined]


def _serials(text: str) -> list[int]:
    return [int(serial) for serial in re.findall(r"Serial (\d{6}) joined", text)]


@asynccontextmanager
async def rig_on(database_url: str, *, owners: int = 50, scopes: str = SCOPES) -> AsyncIterator[Rig]:
    """
    An installed workspace whose owners have each had a message before, so that their conversations can be read back.

    No process is running yet.
    """
    async with AsyncExitStack() as stack:
        slack = SlackSandbox(rate_limits=False)
        await stack.enter_async_context(slack.serving())
        salesforce = SalesforceSandbox()
        server = TestServer(salesforce.web_app())
        await server.start_server()
        stack.push_async_callback(server.close)
        salesforce.url = str(server.make_url("")).rstrip("/")
        http = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)))
        team = slack.add_team("Acme")
        people = [slack.add_user(team, f"Owner{each} Sample", f"owner{each}@acme.example") for each in range(owners)]
        for each, person in enumerate(people):
            user = salesforce.add("User", FirstName=f"Owner{each}", LastName="Sample", Email=person.email)
            salesforce.add("Contact", LastName=f"Contact{each}", Email=f"contact{each}@hooli.example", OwnerId=user)
        key = Fernet.generate_key().decode()
        rig = Rig(database_url, key, slack, salesforce, http, team, people)
        await _install(rig, scopes)
        yield rig
        for process in rig.processes:
            await rig.kill(process)


async def _install(rig: Rig, scopes: str) -> None:
    admin = rig.slack.add_user(rig.team, "Alma Admin", "alma@acme.example", is_admin=True)
    channel = rig.slack.add_channel(rig.team, "job-changes")
    token = rig.slack.install(rig.team.id, admin.id, scopes.split(","))
    database, cipher = Database(rig.database_url), Cipher.of([rig.key])
    installation = Installation(
        app_id=rig.slack.app.id,
        team_id=rig.team.id,
        team_name="Acme",
        user_id=admin.id,
        bot_token=token,
        bot_id="B1",
        bot_user_id=rig.slack.world.tokens[token].bot_user,
        bot_scopes=scopes,
        installed_at=time(),
    )
    await AsyncInstallationStore(database, rig.slack.app.client_id, cipher).async_save(installation)
    rig.intake_key = await IntakeKeys(database, cipher, lambda: round(time() * 1_000)).make(
        rig.team.id, BEARER, "operator"
    )
    await database.run(workspaces.change, rig.team.id, None, default_channel_id=channel.id, posts_per_minute=100_000)
    await database.close()


async def greet(rig: Rig) -> None:
    """Every owner's first message; from then on their conversation is known."""
    await rig.post(range(len(rig.owners)))
    await rig.drained()


def forget_pace(connection: object) -> None:
    """Lanes may post again at once: for runs that are not about pacing."""
    connection.execute(update(lanes).values(paced_until=0))  # type: ignore[attr-defined]
