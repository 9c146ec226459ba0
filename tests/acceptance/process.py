"""The app as a process of its own, between a sandbox Slack and a sandbox Salesforce that live in the test."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp.test_utils import TestServer

from sandbox.salesforce import SalesforceSandbox
from sandbox.samples import Company, build_company
from sandbox.sender import Json, Sender
from sandbox.slack import SlackSandbox
from services.slack.manifest import Manifest
from tests.servers import GENEROUS_TIMEOUT, free_port

ROOT = Path(__file__).parents[2]
SETTINGS = re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
"""Set, if to nothing: no .env of this checkout has a say in the tests."""

PATIENCE = 30.0
"""Seconds for anything that is waited for; each takes a second or two."""


@dataclass
class Ended:
    """How a process ended, and what it said."""

    status: int | None
    out: str
    err: str


@dataclass
class Served:
    """What the app is surrounded by, and how it is started; its files are in *folder*."""

    folder: Path
    slack: SlackSandbox
    salesforce: SalesforceSandbox
    office: Company
    environ: dict[str, str]
    running: list[Process] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.environ["PUBLIC_URL"]

    async def start(self, *verb: str, **environ: str) -> Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(ROOT / "app.py"),
            *verb,
            cwd=self.folder,
            env=self.environ | environ,
            stdout=PIPE,
            stderr=PIPE,
        )
        self.running.append(process)
        return process

    async def serve(self, *verb: str) -> Process:
        """Started, and at work: it has said so."""
        process = await self.start(*(verb or ("serve",)))
        assert process.stdout
        line = await asyncio.wait_for(process.stdout.readline(), PATIENCE)
        assert line.startswith((b"Listening on", b"The worker")), (await self.end(process)).err
        return process

    async def run(self, *verb: str, **environ: str) -> Ended:
        """Until it ends by itself."""
        return await self.end(await self.start(*verb, **environ))

    async def end(self, process: Process, number: int | None = None) -> Ended:
        """How it ended, on this signal if there is one."""
        if number is not None:
            process.send_signal(number)
        out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
        return Ended(process.returncode, out.decode(), err.decode())

    def direct_messages(self) -> list[str]:
        """The texts of all that people have read in person."""
        channels = [each for each in self.slack.world.channels.values() if each.is_im]
        return [message.text for channel in channels for message in channel.messages.values()]


@asynccontextmanager
async def surroundings(folder: Path) -> AsyncIterator[Served]:
    async with AsyncExitStack() as stack:
        slack, salesforce = SlackSandbox(), SalesforceSandbox()
        slack.app_client.timeout = GENEROUS_TIMEOUT
        office = build_company(slack, salesforce)
        slack_url = await stack.enter_async_context(slack.serving())
        server = TestServer(salesforce.web_app())
        await server.start_server()
        stack.push_async_callback(server.close)
        salesforce.url = str(server.make_url("")).rstrip("/")
        port = free_port()
        environ = dict.fromkeys(SETTINGS, "") | {
            "DATABASE_URL": "sqlite:///./usergems.db",
            "LOG_LEVEL": "WARNING",  # what is told of each job change would fill the pipe that nobody reads
            "SLACK_CLIENT_ID": slack.app.client_id,
            "SLACK_CLIENT_SECRET": slack.app.client_secret,
            "SLACK_SIGNING_SECRET": slack.app.signing_secret,
            "SLACK_API_URL": f"{slack_url}/api/",
            "SLACK_AUTHORIZE_URL": f"{slack_url}/oauth/v2/authorize",
            "SALESFORCE_LOGIN_URL": salesforce.url,
            "SALESFORCE_CLIENT_ID": salesforce.oauth.client_id,
            "SALESFORCE_CLIENT_SECRET": salesforce.oauth.client_secret,
            "PUBLIC_URL": f"http://localhost:{port}",
            "PORT": str(port),
        }
        served = Served(folder, slack, salesforce, office, environ)
        slack.app_url = served.url
        slack.configure(Manifest.parse((ROOT / "manifest.json").read_text()).at(served.url).values)
        try:
            yield served
        finally:
            for process in served.running:
                if process.returncode is None:
                    await served.end(process, signal.SIGKILL)


async def until(holds: Callable[[], bool]) -> None:
    """Return as soon as it holds. Raises TimeoutError if it never does."""
    give_up = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > give_up:
            raise TimeoutError
        await asyncio.sleep(0.01)


async def ended_all(sender: Sender, ids: Sequence[str]) -> list[Json]:
    """How these job changes ended, once all have. Raises TimeoutError if one never does."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = [await sender.fetch(each) for each in ids]
            if all(each["outcome"] for each in found):
                return found
