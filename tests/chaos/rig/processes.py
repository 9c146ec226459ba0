"""The app as real processes, with Slack and Salesforce sandboxes inside the test."""

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

from domain.workspace import BEARER
from sandbox.salesforce import SalesforceSandbox
from sandbox.slack import SlackSandbox
from sandbox.slack.state import Team, User
from services.clock import wall_ms
from services.intake.keys import IntakeKeys
from store.database import Database, DatabaseUnavailableError
from store.encryption import Cipher
from store.slack import workspaces
from store.slack.installations import AsyncInstallationStore
from tests.chaos.rig.run_report import RunReport, count_open, numbered_job_change, report_run
from tests.servers import GENEROUS_TIMEOUT, free_port
from tests.world import SCOPES

ROOT = Path(__file__).parents[3]
ACCEPTED = frozenset({200, 202})
DISCONNECTED, NOT_LISTENING = -1, -2
READY_SECONDS = 60
DRAINED_SECONDS = 240

Result = TypeVar("Result")


@dataclass
class Rig:
    """One workspace whose `owners` each own a contact, and app processes that can be killed."""

    database_url: str
    key: str
    slack: SlackSandbox
    salesforce: SalesforceSandbox
    http: aiohttp.ClientSession
    team: Team
    owners: list[User]
    intake_key: str = ""
    port: int = field(default_factory=free_port)
    address: str = ""
    """Where requests go, if that is not the process itself."""
    processes: list[Process] = field(default_factory=list)
    accepted: dict[int, str | None] = field(default_factory=dict)
    serials: Iterator[int] = field(default_factory=count)
    log: IO[bytes] = field(default_factory=TemporaryFile)
    began: float = field(default_factory=time.monotonic)

    @property
    def url(self) -> str:
        return f"{self.address or f'http://127.0.0.1:{self.port}'}/v1/workspaces/{self.team.id}/job-changes"

    async def launch(self, verb: str = "serve") -> Process:
        """Start a process without waiting until it is ready. It logs to a file, so a full pipe cannot block it."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "app.py", verb, cwd=ROOT, env=self.environment(), stdout=PIPE, stderr=self.log
        )
        self.processes.append(process)
        return process

    async def start(self, verb: str = "serve") -> Process:
        """Start a process and wait for its first line, which means that it is ready."""
        process = await self.launch(verb)
        assert await first_line(process), f"the process ended: {self.log_tail()}"
        return process

    async def stop(self, process: Process, number: int = signal.SIGKILL) -> int:
        """Send a signal, by default SIGKILL, and return the exit status."""
        if process.returncode is None:
            process.send_signal(number)
        return await process.wait()

    def log_tail(self) -> str:
        """The end of the log of all processes."""
        self.log.seek(0)
        return self.log.read().decode(errors="replace")[-4_000:]

    async def post(self, serials: range) -> None:
        """Send job changes in one request, and retry until they are accepted."""
        await wait_until(lambda: self._posted(list(serials)))

    async def send(self, serials: list[int]) -> tuple[int, bool]:
        """Send one request. Returns the status (or DISCONNECTED, NOT_LISTENING) and whether there is a Retry-After."""
        changes = [self.job_change(serial) for serial in serials]
        body = changes[0] if len(changes) == 1 else {"job_changes": changes}
        try:
            async with self.http.post(self.url, json=body, headers=self.credentials) as answer:
                if answer.status not in ACCEPTED:
                    return answer.status, "Retry-After" in answer.headers
                body = await answer.json()
        except aiohttp.ClientConnectorError:
            return NOT_LISTENING, False
        except (aiohttp.ClientError, TimeoutError):
            return DISCONNECTED, False
        results = body.get("results", [body])
        self.accepted |= {serial: result["id"] for serial, result in zip(serials, results, strict=True)}
        return answer.status, False

    @property
    def credentials(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.intake_key}"}

    async def wait_until_drained(self) -> None:
        """Wait until every job change in the database has an outcome."""
        async with asyncio.timeout(DRAINED_SECONDS):
            await wait_until(self._is_drained, every=0.1)

    async def report(self, scenario: str) -> RunReport:
        """Compare the database with Slack. No process may be working."""
        database = Database(self.database_url)
        try:
            return await report_run(scenario, self.accepted, database, self.slack, time.monotonic() - self.began)
        finally:
            await database.close()

    async def read(self, read: Callable[[Connection], Result]) -> Result:
        database = Database(self.database_url)
        try:
            return await database.run(read)
        finally:
            await database.close()

    async def _posted(self, serials: list[int]) -> bool:
        status, _ = await self.send(serials)
        return status in ACCEPTED

    async def _is_drained(self) -> bool:
        try:
            return await self.read(count_open) == 0
        except DatabaseUnavailableError:
            return False

    def job_change(self, serial: int) -> dict[str, Any]:
        return numbered_job_change(serial, serial % len(self.owners))

    def environment(self) -> dict[str, str]:
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
            "LOG_LEVEL": "WARNING",  # keeps the log file small
            "PYTHONPATH": str(ROOT),
        }
        return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")} | ours


async def wait_until(holds: Callable[[], Awaitable[bool]], every: float = 0.05) -> None:
    """Check again every so many seconds. The condition depends on another process, so there is nothing to await."""
    while True:
        if await holds():
            return
        await asyncio.sleep(every)


async def first_line(process: Process) -> bytes:
    """The first line of a process's output, or b"" when it ended without one."""
    assert process.stdout is not None
    async with asyncio.timeout(READY_SECONDS):
        return await process.stdout.readline()


@asynccontextmanager
async def open_rig(database_url: str, *, owners: int = 50, scopes: str = SCOPES) -> AsyncIterator[Rig]:
    """An installed workspace with owners and contacts. No process is running yet."""
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
        people = [
            slack.add_user(team, f"Owner{number} Sample", f"owner{number}@acme.example") for number in range(owners)
        ]
        for number, person in enumerate(people):
            user = salesforce.add("User", FirstName=f"Owner{number}", LastName="Sample", Email=person.email)
            salesforce.add("Contact", LastName=f"Contact{number}", Email=f"contact{number}@hooli.example", OwnerId=user)
        key = Fernet.generate_key().decode()
        rig = Rig(database_url, key, slack, salesforce, http, team, people)
        await _install(rig, scopes)
        try:
            yield rig
        finally:
            for process in rig.processes:
                await rig.stop(process)
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
    rig.intake_key = await IntakeKeys(database, cipher, wall_ms, wall_ms).make(rig.team.id, BEARER, "operator")
    await database.run(workspaces.change, rig.team.id, None, default_channel_id=channel.id, posts_per_minute=100_000)
    await database.close()


async def send_first_messages(rig: Rig) -> None:
    """Deliver one message to every owner. The app can look for later messages in these conversations."""
    await rig.post(range(len(rig.owners)))
    rig.serials = count(len(rig.owners))
    await rig.wait_until_drained()
