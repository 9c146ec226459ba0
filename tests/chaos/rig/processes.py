"""The app as processes of its own, between a Slack and a Salesforce that live in the test."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, TypeVar

import aiohttp
from aiohttp.test_utils import TestServer
from cryptography.fernet import Fernet
from slack_sdk.oauth.installation_store import Installation
from sqlalchemy import Connection

from domain.intake_key import BEARER
from sandbox.salesforce import SalesforceSandbox
from sandbox.slack import SlackSandbox
from sandbox.slack.state import Team, User
from services.intake.keys import IntakeKeys
from store.database import Database, DatabaseUnavailableError
from store.encryption import Cipher
from store.slack import workspaces
from store.slack.installations import AsyncInstallationStore
from tests.chaos.rig.reconciliation import Account, account, count_open, numbered
from tests.servers import GENEROUS_TIMEOUT, free_port
from tests.world import SCOPES

ROOT = Path(__file__).parents[3]
YES = frozenset({200, 202})
CUT_OFF, NOBODY_THERE = -1, -2
READY_SECONDS = 60
DRAINED_SECONDS = 240

Seen = TypeVar("Seen")


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
    port: int = field(default_factory=free_port)
    processes: list[Process] = field(default_factory=list)
    accepted: dict[int, str | None] = field(default_factory=dict)
    serials: Iterator[int] = field(default_factory=count)
    log: IO[bytes] = field(default_factory=TemporaryFile)
    began: float = field(default_factory=time.monotonic)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1/workspaces/{self.team.id}/job-changes"

    async def begin(self, verb: str = "serve") -> Process:
        """A process that has yet to say that it is ready. What it logs goes where it never waits for a reader."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "app.py", verb, cwd=ROOT, env=self._environment(), stdout=PIPE, stderr=self.log
        )
        self.processes.append(process)
        return process

    async def start(self, verb: str = "serve") -> Process:
        """A process that is ready: it has said its first line."""
        process = await self.begin(verb)
        assert await said(process), f"it ended at once: {self.logged()}"
        return process

    async def end(self, process: Process, number: int = signal.SIGKILL) -> int:
        """By a signal, if nothing else is said one that leaves no time for a word; its status."""
        if process.returncode is None:
            process.send_signal(number)
        return await process.wait()

    def logged(self) -> str:
        """The last of what all processes have logged."""
        self.log.seek(0)
        return self.log.read().decode(errors="replace")[-4_000:]

    async def post(self, serials: range) -> None:
        """Send job changes until each is answered with yes; the sender tries again as any sender would."""
        await until(lambda: self._posted(list(serials)))

    async def offer(self, serials: list[int]) -> tuple[int, bool]:
        """One request: its status, or why there is none, and whether it says when to come back."""
        changes = [self._job_change(serial) for serial in serials]
        body = changes[0] if len(changes) == 1 else {"job_changes": changes}
        try:
            async with self.http.post(self.url, json=body, headers=self.credentials) as answer:
                if answer.status not in YES:
                    return answer.status, "Retry-After" in answer.headers
                told = await answer.json()
        except aiohttp.ClientConnectorError:
            return NOBODY_THERE, False
        except (aiohttp.ClientError, TimeoutError):
            return CUT_OFF, False
        results = told.get("results", [told])
        self.accepted |= {serial: result["id"] for serial, result in zip(serials, results, strict=True)}
        return answer.status, False

    @property
    def credentials(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.intake_key}"}

    async def drained(self) -> None:
        """Until every accepted job change has its outcome, in this database as a process leaves it."""
        async with asyncio.timeout(DRAINED_SECONDS):
            await until(self._is_drained, every=0.1)

    async def account(self, scenario: str) -> Account:
        """To be asked for while nothing is under way."""
        database = Database(self.database_url)
        try:
            return await account(scenario, self.accepted, database, self.slack, time.monotonic() - self.began)
        finally:
            await database.close()

    async def look(self, read: Callable[[Connection], Seen]) -> Seen:
        database = Database(self.database_url)
        try:
            return await database.run(read)
        finally:
            await database.close()

    async def _posted(self, serials: list[int]) -> bool:
        status, _ = await self.offer(serials)
        return status in YES

    async def _is_drained(self) -> bool:
        try:
            return await self.look(count_open) == 0
        except DatabaseUnavailableError:
            return False

    def _job_change(self, serial: int) -> dict[str, Any]:
        return numbered(serial, serial % len(self.owners))

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


async def until(holds: Callable[[], Awaitable[bool]], every: float = 0.05) -> None:
    """Ask again after so many seconds: what is waited for happens in another process."""
    while True:
        if await holds():
            return
        await asyncio.sleep(every)


async def said(process: Process) -> bytes:
    """The first line of a process, empty when it has ended without."""
    assert process.stdout is not None
    async with asyncio.timeout(READY_SECONDS):
        return await process.stdout.readline()


@asynccontextmanager
async def rig_on(database_url: str, *, owners: int = 50, scopes: str = SCOPES) -> AsyncIterator[Rig]:
    """
    An installed workspace whose owners have each had a message before, so that their conversations can be read back.

    No process is running yet.
    """
    async with AsyncExitStack() as stack:
        slack = SlackSandbox(rate_limits=False)
        slack.app_client.timeout = GENEROUS_TIMEOUT
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
        try:
            yield rig
        finally:
            for process in rig.processes:
                await rig.end(process)
            rig.log.close()


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
        installed_at=time.time(),
    )
    await AsyncInstallationStore(database, rig.slack.app.client_id, cipher).async_save(installation)
    rig.intake_key = await IntakeKeys(database, cipher, lambda: round(time.time() * 1_000)).make(
        rig.team.id, BEARER, "operator"
    )
    await database.run(workspaces.change, rig.team.id, None, default_channel_id=channel.id, posts_per_minute=100_000)
    await database.close()


async def greet(rig: Rig) -> None:
    """Every owner's first message; from then on their conversation is known."""
    await rig.post(range(len(rig.owners)))
    rig.serials = count(len(rig.owners))
    await rig.drained()
