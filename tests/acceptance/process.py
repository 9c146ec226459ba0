"""The app as a real process, with Slack and Salesforce sandboxes inside the test."""

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
"""All settings are set, most to nothing, so that no .env of this checkout affects the tests."""

TIMEOUT_SECONDS = 30.0
"""For anything a test waits for, which usually takes a second or two."""


@dataclass
class Exit:
    """The exit status of a process and its output."""

    status: int | None
    out: str
    err: str


@dataclass
class Deployment:
    """The sandboxes around the app, its settings, and its processes. Its files are in `folder`."""

    folder: Path
    slack: SlackSandbox
    salesforce: SalesforceSandbox
    office: Company
    environ: dict[str, str]
    running: list[Process] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.environ["PUBLIC_URL"]

    async def start(self, *verb: str, stdin: int | None = None, **environ: str) -> Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(ROOT / "app.py"),
            *verb,
            cwd=self.folder,
            env=self.environ | environ,
            stdin=stdin,
            stdout=PIPE,
            stderr=PIPE,
        )
        self.running.append(process)
        return process

    async def serve(self, *verb: str) -> Process:
        """Start a process and wait until it reports that it is ready."""
        process = await self.start(*(verb or ("serve",)))
        assert process.stdout
        line = await asyncio.wait_for(process.stdout.readline(), TIMEOUT_SECONDS)
        assert line.startswith((b"Listening on", b"The worker")), (await self.stop(process)).err
        return process

    async def run(self, *verb: str, **environ: str) -> Exit:
        """Run a command until it exits."""
        return await self.stop(await self.start(*verb, **environ))

    async def stop(self, process: Process, number: int | None = None) -> Exit:
        """Wait until the process exits, after sending it a signal if one is given."""
        if number is not None:
            process.send_signal(number)
        out, err = await asyncio.wait_for(process.communicate(), TIMEOUT_SECONDS)
        return Exit(process.returncode, out.decode(), err.decode())

    def direct_messages(self) -> list[str]:
        """The texts of all direct messages."""
        channels = [channel for channel in self.slack.world.channels.values() if channel.is_im]
        return [message.text for channel in channels for message in channel.messages.values()]


@asynccontextmanager
async def open_deployment(folder: Path) -> AsyncIterator[Deployment]:
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
            "LOG_LEVEL": "WARNING",  # at INFO the log would fill the pipe, which is read only at the end
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
        deployment = Deployment(folder, slack, salesforce, office, environ)
        slack.app_url = deployment.url
        slack.configure(Manifest.parse((ROOT / "manifest.json").read_text()).at(deployment.url).values)
        try:
            yield deployment
        finally:
            for process in deployment.running:
                if process.returncode is None:
                    await deployment.stop(process, signal.SIGKILL)


async def wait_until(holds: Callable[[], bool]) -> None:
    """Wait until the condition is true. Raises TimeoutError after TIMEOUT_SECONDS."""
    give_up = time.monotonic() + TIMEOUT_SECONDS
    while not holds():
        if time.monotonic() > give_up:
            raise TimeoutError
        await asyncio.sleep(0.01)


async def wait_for_outcomes(sender: Sender, ids: Sequence[str]) -> list[Json]:
    """Wait until all of these job changes have an outcome, and return them. Raises TimeoutError."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while True:
            job_changes = [await sender.fetch(job_change_id) for job_change_id in ids]
            if all(job_change["outcome"] for job_change in job_changes):
                return job_changes
