"""The whole way on this machine: the app, really served, between a sandbox Slack and a sandbox Salesforce."""

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
from domain.intake_key import SIGNING
from listeners.cli.running.demo_view import Addresses, Row, closing, table
from listeners.cli.running.preparing import prepared
from listeners.cli.running.serving import Halves, running
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

LOOKS, SECONDS_BETWEEN_LOOKS = 400, 0.05
"""How often a job change is looked at until it is told, which takes a second at most."""


@dataclass(frozen=True)
class Stage:
    """All that takes part."""

    slack: SlackSandbox
    office: Company
    app: App
    at: Addresses


def demo(asked: Namespace, terminal: Terminal) -> int:
    logs.configure("ERROR", "text")
    with TemporaryDirectory(prefix="usergems-demo-") as folder:
        try:
            return asyncio.run(_play(terminal, Path(folder), asked.port, once=asked.once))
        except asyncio.CancelledError:
            return INTERRUPTED


async def _play(terminal: Terminal, folder: Path, port: int | None, *, once: bool) -> int:
    if playing := asyncio.current_task():
        for number in (signal.SIGINT, signal.SIGTERM):  # either way the folder is removed
            asyncio.get_running_loop().add_signal_handler(number, playing.cancel)
    async with _stage(terminal, folder, port) as stage:
        terminal.write("All the way through on this machine, with sample people and sample data.\n")
        await _install(stage)
        terminal.write(f"{stage.office.admin.real_name} added the app to Slack and chose #{DEFAULT_CHANNEL}.")
        await _rule(stage)
        terminal.write(f"{len(RULES['rules'])} ownership rules are in force; where none matches, the owner is told.")
        began = time.monotonic()
        rows = await _tell_all(terminal, stage)
        terminal.write(f"{len(rows)} job changes were posted and dealt with in {time.monotonic() - began:.1f} s.")
        terminal.out.print(table(rows))
        all_well = all(row.is_expected for row in rows)
        if not once:
            terminal.write(closing(stage.at))
            with suppress(asyncio.CancelledError):  # Ctrl-C
                await asyncio.Event().wait()
    return 0 if all_well or not once else 1


@asynccontextmanager
async def _stage(terminal: Terminal, folder: Path, port: int | None) -> AsyncIterator[Stage]:
    app_port, slack_port, salesforce_port = [_free(port + nth if port else 0) for nth in range(3)]
    slack, salesforce = SlackSandbox(), SalesforceSandbox()
    office = build_company(slack, salesforce)
    async with AsyncExitStack() as stack:
        slack_url = await stack.enter_async_context(slack.serving(slack_port, page.routes(slack)))
        salesforce.url = await stack.enter_async_context(_served(salesforce.web_app(), salesforce_port))
        at = Addresses(app=f"http://localhost:{app_port}", slack=slack_url, salesforce=salesforce.url)
        settings = Settings.from_environ(_environ(slack, salesforce, at, folder), serving=True)
        slack.world.permalink_base, slack.app_url = slack_url, at.app
        slack.configure(Manifest.parse(MANIFEST.read_text()).at(at.app).values)
        cipher = stack.enter_context(prepared(settings, works=True))
        app = await stack.enter_async_context(running(terminal.build, settings, cipher, Halves()))
        yield Stage(slack, office, app, at)


def _environ(slack: SlackSandbox, salesforce: SalesforceSandbox, at: Addresses, folder: Path) -> dict[str, str]:
    return {
        "SLACK_CLIENT_ID": slack.app.client_id,
        "SLACK_CLIENT_SECRET": slack.app.client_secret,
        "SLACK_SIGNING_SECRET": slack.app.signing_secret,
        "SLACK_API_URL": f"{at.slack}/api/",
        "SLACK_AUTHORIZE_URL": f"{at.slack}/oauth/v2/authorize",
        "SALESFORCE_LOGIN_URL": at.salesforce,
        "SALESFORCE_CLIENT_ID": salesforce.oauth.client_id,
        "SALESFORCE_CLIENT_SECRET": salesforce.oauth.client_secret,
        "PUBLIC_URL": at.app,
        "PORT": at.app.rpartition(":")[2],
        "DATABASE_URL": f"sqlite:///{folder / 'demo.db'}",
    }


def _free(port: int) -> int:
    """This port of ours; 0: any. Raises RefusedError."""
    try:
        with create_server(("127.0.0.1", port)) as taken:
            free: int = taken.getsockname()[1]
            return free
    except (OSError, OverflowError) as error:
        why = os.strerror(error.errno or 0) if isinstance(error, OSError) else "there is no such port"
        raise RefusedError(f"Nothing can listen on port {port} ({why}): choose another with --port.") from None


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
    """As an admin does it in a browser: Add to Slack, Allow, choose the default channel. Raises RefusedError."""
    async with Visitor.of(stage.at.app) as visitor:
        consent = await visitor.open(f"{stage.at.app}/slack/install")
        who = f"{stage.office.admin.real_name} (admin)"
        try:
            channels = await visitor.submit(consent, {"user": who}, press={"decision": "allow"})
            done = await visitor.submit(channels, {"channel": DEFAULT_CHANNEL})
        except LookupError as error:  # an error page, which has no such form
            raise RefusedError(f"The app could not be installed: {error}.") from None
    if done.status != 200:
        raise RefusedError(f"The app could not be installed: {done.url.path} answered {done.status}.")


async def _rule(stage: Stage) -> None:
    """Publish the sample rules. Raises RefusedError."""
    kept = await stage.app.rulebook.publish(stage.office.team.id, OPERATOR, RuleSet.parse(RULES), None)
    if not kept.stored:
        raise RefusedError(f"The sample rules were refused: {kept.text}")


async def _tell_all(terminal: Terminal, stage: Stage) -> list[Row]:
    secret = await stage.app.intake_keys.make(stage.office.team.id, SIGNING, OPERATOR)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    todo = samples(datetime.now(UTC).date())
    async with Sender.of(stage.at.app, stage.office.team.id, secret) as sender:
        with Progress(*columns, console=terminal.err, transient=True, disable=not terminal.err.is_terminal) as progress:
            task = progress.add_task("Telling", total=len(todo))
            rows = []
            for sample in todo:
                rows.append(await _tell(stage.slack, sender, sample))
                progress.advance(task)
    return rows


async def _tell(slack: SlackSandbox, sender: Sender, sample: Sample) -> Row:
    status, answer = await sender.post(sample.body)
    if sample.is_repeat:
        once = sum(sample.about.split(",")[0] in text for text in _texts(slack)) == 1
        return Row(sample.about, "The sender repeated itself.", "nobody", None, status == 200 and once)
    found = await _ended(sender, answer["id"]) if status == 202 else None
    message = next((each["message"] for each in found["deliveries"] if each["message"]), None) if found else None
    if found is None or message is None:
        return Row(sample.about, "It was not told.", "nobody", None, is_expected=False)
    channel = slack.world.channels[message["channel"]]
    reader = slack.world.users[channel.im_user].real_name if channel.im_user else f"#{channel.name}"
    return Row(
        sample.about,
        found["reason"],
        f"DM to {reader}" if channel.im_user else reader,
        slack.world.permalink(channel, message["ts"]),
        is_expected=reader == sample.reader and sample.why in found["reason"] and message["ts"] in channel.messages,
    )


async def _ended(sender: Sender, job_change_id: str) -> Json | None:
    """How it stands once it has its outcome; None: it has none for too long."""
    for _ in range(LOOKS):
        found = await sender.ask(job_change_id)
        if found["outcome"]:
            return found
        await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
    return None


def _texts(slack: SlackSandbox) -> list[str]:
    return [message.text for channel in slack.world.channels.values() for message in channel.messages.values()]
