"""The demo: the real app, running end to end between a sandbox Slack and a sandbox Salesforce."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from argparse import Namespace
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from socket import create_server
from tempfile import TemporaryDirectory

from aiohttp import web
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from domain.audit import OPERATOR
from domain.workspace import SIGNING
from listeners.cli.running.demo_view import Row, Urls, closing, results_table
from listeners.cli.running.preparing import prepared
from listeners.cli.running.serving import Parts, running
from listeners.cli.terminal import MANIFEST, App, RefusedError, Terminal
from listeners.http import logs
from sandbox.salesforce import SalesforceSandbox
from sandbox.samples import DEFAULT_CHANNEL, RULES, Company, Sample, build_company, samples
from sandbox.sender import Json, Sender
from sandbox.slack import SlackSandbox
from sandbox.slack.page import page
from sandbox.visitor import Visitor
from services.ownership.rules.rule_set import RuleSet
from services.settings import Settings
from services.slack.manifest import Manifest

INTERRUPTED = 130

POLLS, SECONDS_BETWEEN_POLLS = 400, 0.05
"""How often a job change is looked up until it has an outcome, which takes a second at most."""


@dataclass(frozen=True)
class Stage:
    """The running app, and the sandboxes it is connected to."""

    slack: SlackSandbox
    company: Company
    app: App
    urls: Urls


def demo(options: Namespace, terminal: Terminal) -> int:
    logs.configure("ERROR", "text")
    with TemporaryDirectory(prefix="usergems-demo-") as folder:
        try:
            return asyncio.run(_run(terminal, Path(folder), options.port, once=options.once))
        except asyncio.CancelledError:
            return INTERRUPTED


async def _run(terminal: Terminal, folder: Path, port: int | None, *, once: bool) -> int:
    if task := asyncio.current_task():
        for number in (signal.SIGINT, signal.SIGTERM):  # on either signal the folder is removed
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    async with _stage(terminal, folder, port) as stage:
        terminal.write("Running end to end on this machine, with sample people and sample data.\n")
        await _install(stage)
        terminal.write(f"{stage.company.admin.real_name} added the app to Slack. Default channel: #{DEFAULT_CHANNEL}.")
        published = await stage.app.rulebook.publish(stage.company.team.id, OPERATOR, RuleSet.parse(RULES), None)
        if not published.stored:
            raise RefusedError(f"The sample rules could not be published: {published.text}")
        terminal.write(
            f"{len(RULES['rules'])} ownership rules published. If none matches, the contact owner is notified."
        )
        began = time.monotonic()
        rows = await _send_samples(terminal, stage)
        terminal.write(f"{len(rows)} job changes were sent and processed in {time.monotonic() - began:.1f} s.")
        terminal.out.print(results_table(rows))
        if not once:
            terminal.write(closing(stage.urls))
            with suppress(asyncio.CancelledError):  # Ctrl-C
                await asyncio.Event().wait()
    return 1 if once and not all(row.is_expected for row in rows) else 0


@asynccontextmanager
async def _stage(terminal: Terminal, folder: Path, port: int | None) -> AsyncIterator[Stage]:
    app_port, slack_port, salesforce_port = [_free_port(port + offset if port else 0) for offset in range(3)]
    slack, salesforce = SlackSandbox(), SalesforceSandbox()
    company = build_company(slack, salesforce)
    async with AsyncExitStack() as stack:
        slack_url = await stack.enter_async_context(slack.serving(slack_port, page.routes(slack)))
        salesforce.url = await stack.enter_async_context(_served(salesforce.web_app(), salesforce_port))
        urls = Urls(app=f"http://localhost:{app_port}", slack=slack_url, salesforce=salesforce.url)
        settings = Settings.from_environ(_environ(slack, salesforce, urls, folder), serving=True)
        slack.world.permalink_base, slack.app_url = slack_url, urls.app
        slack.configure(Manifest.parse(MANIFEST.read_text()).at(urls.app).values)
        cipher = stack.enter_context(prepared(settings, works=True))
        app = await stack.enter_async_context(running(terminal.build, settings, cipher, Parts()))
        yield Stage(slack, company, app, urls)


def _environ(slack: SlackSandbox, salesforce: SalesforceSandbox, urls: Urls, folder: Path) -> dict[str, str]:
    return {
        "SLACK_CLIENT_ID": slack.app.client_id,
        "SLACK_CLIENT_SECRET": slack.app.client_secret,
        "SLACK_SIGNING_SECRET": slack.app.signing_secret,
        "SLACK_API_URL": f"{urls.slack}/api/",
        "SLACK_AUTHORIZE_URL": f"{urls.slack}/oauth/v2/authorize",
        "SALESFORCE_LOGIN_URL": urls.salesforce,
        "SALESFORCE_CLIENT_ID": salesforce.oauth.client_id,
        "SALESFORCE_CLIENT_SECRET": salesforce.oauth.client_secret,
        "PUBLIC_URL": urls.app,
        "PORT": urls.app.rpartition(":")[2],
        "DATABASE_URL": f"sqlite:///{folder / 'demo.db'}",
    }


def _free_port(port: int) -> int:
    """Return `port` if it is free; 0 stands for any free port. Raises RefusedError."""
    try:
        with create_server(("127.0.0.1", port)) as server:
            free: int = server.getsockname()[1]
            return free
    except (OSError, OverflowError) as error:
        why = os.strerror(error.errno or 0) if isinstance(error, OSError) else "not a valid port"
        raise RefusedError(f"Cannot listen on port {port} ({why}). Choose another one with --port.") from None


@asynccontextmanager
async def _served(app: web.Application, port: int) -> AsyncIterator[str]:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


async def _install(stage: Stage) -> None:
    """Install the app as an admin does in a browser: Add to Slack, Allow, choose the default channel.

    Raises RefusedError.
    """
    async with Visitor.of(stage.urls.app) as visitor:
        consent = await visitor.open(f"{stage.urls.app}/slack/install")
        admin = f"{stage.company.admin.real_name} (admin)"
        try:
            channels = await visitor.submit(consent, {"user": admin}, press={"decision": "allow"})
            done = await visitor.submit(channels, {"channel": DEFAULT_CHANNEL})
        except LookupError as error:  # an error page has no such form
            raise RefusedError(f"The app could not be installed: {error}.") from None
    if done.status != 200:
        raise RefusedError(f"The app could not be installed: {done.url.path} answered {done.status}.")


async def _send_samples(terminal: Terminal, stage: Stage) -> list[Row]:
    secret = await stage.app.intake_keys.make(stage.company.team.id, SIGNING, OPERATOR)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    pending = samples(datetime.now(UTC).date())
    async with Sender.of(stage.urls.app, stage.company.team.id, secret) as sender:
        with Progress(*columns, console=terminal.err, transient=True, disable=not terminal.err.is_terminal) as progress:
            task = progress.add_task("Sending", total=len(pending))
            rows = []
            for sample in pending:
                rows.append(await _send(stage.slack, sender, sample))
                progress.advance(task)
    return rows


async def _send(slack: SlackSandbox, sender: Sender, sample: Sample) -> Row:
    """Send a sample and wait for its outcome."""
    status, answer = await sender.post(sample.body)
    if sample.is_duplicate:
        messages = [message for channel in slack.world.channels.values() for message in channel.messages.values()]
        sent_once = sum(sample.summary in message.text for message in messages) == 1
        summary = f"{sample.summary} (received again)"
        return Row(summary, "Duplicate, not sent again", None, None, status == 200 and sent_once)
    job_change = await _wait_for_outcome(sender, answer["id"]) if status == 202 else None
    deliveries = job_change["deliveries"] if job_change else []
    message = next((delivery["message"] for delivery in deliveries if delivery["message"]), None)
    if job_change is None or message is None:
        return Row(sample.summary, "Not delivered", None, None, is_expected=False)
    channel = slack.world.channels[message["channel"]]
    recipient = slack.world.users[channel.im_user].real_name if channel.im_user else f"#{channel.name}"
    why = _why(job_change)
    return Row(
        sample.summary,
        f"{why[0].upper()}{why[1:]}",
        f"DM to {recipient}" if channel.im_user else recipient,
        slack.world.permalink(channel, message["ts"]),
        is_expected=recipient == sample.recipient and sample.why in why and message["ts"] in channel.messages,
    )


def _why(job_change: Json) -> str:
    """Which ownership source named the DRI, such as "contact owner"; without a DRI, the reason why there is none.

    The reason of a direct message speaks to its reader ("You own …"), so it does not fit a table for everyone.
    """
    decision = job_change["decision"]
    chosen = [candidate for candidate in decision["considered"] if candidate["name"] == decision["chosen"]]
    why: str = chosen[-1]["source"] if decision["chosen"] and chosen else job_change["reason"]
    return why


async def _wait_for_outcome(sender: Sender, job_change_id: str) -> Json | None:
    """The job change once it has an outcome; None if it still has none after the last poll."""
    for _ in range(POLLS):
        job_change = await sender.fetch(job_change_id)
        if job_change["outcome"]:
            return job_change
        await asyncio.sleep(SECONDS_BETWEEN_POLLS)
    return None
