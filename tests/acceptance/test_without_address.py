"""The app without a public address: real processes follow docs/operating.md from the manifest to a message."""

from __future__ import annotations

import json
import re
import signal
from asyncio import create_subprocess_exec, wait_for
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest

from listeners.home.health_view import CHOOSE_CHANNEL
from sandbox.samples import DEFAULT_CHANNEL
from sandbox.sender import Sender
from sandbox.visitor import Visitor
from tests.acceptance.process import TIMEOUT_SECONDS, Deployment, open_deployment, wait_for_outcomes, wait_until
from tests.acceptance.test_processes import ada
from tests.project.test_operating import ROOT, block

pytestmark = pytest.mark.process


@pytest.fixture
async def app(tmp_path: Path):
    async with open_deployment(tmp_path) as app:
        for name in (".venv", "app.py", "manifest.json"):
            (tmp_path / name).symlink_to(ROOT / name)
        yield app


async def start(app: Deployment, name: str) -> Process:
    """Start the commands in the guide's block of that name."""
    command = block(name).strip()
    assert "\n" not in command
    process = await create_subprocess_exec(
        *("sh", "-ec", f"exec {command}"), cwd=app.folder, env=app.environ, stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    app.running.append(process)
    return process


async def run(app: Deployment, name: str, typed: str = "") -> tuple[int | None, str, str]:
    """Run the commands in the guide's block. Returns their status and output."""
    process = await start(app, name)
    out, err = await wait_for(process.communicate(typed.encode()), TIMEOUT_SECONDS)
    return process.returncode, out.decode(), err.decode()


async def test_the_guide_leads_to_a_delivered_job_change(app: Deployment) -> None:
    """Manifest, Install to Workspace, two tokens, `install`, `serve`, the default channel in Home: no redirect."""
    status, manifest, _err = await run(app, "socket mode manifest")
    assert status == 0
    assert "redirect_urls" not in json.loads(manifest)["oauth_config"]
    async with Visitor.of(app.slack.base_url()) as visitor:
        settings = await visitor.open(f"{app.slack.base_url()}/apps")
        settings = await visitor.submit(settings, {}, press={"action": "manifest", "manifest": manifest})
        settings = await visitor.submit(settings, {}, press={"action": "app-token"})
        settings = await visitor.submit(settings, {"user": "Alma Young (admin)"}, press={"action": "install"})
    (app.environ["SLACK_APP_TOKEN"],) = re.findall(r'class="app-token">([^<]+)<', settings.text)
    (bot_token,) = re.findall(r'class="bot-token">([^<]+)<', settings.text)

    status, out, err = await run(app, "socket mode install", f"{bot_token}\n")
    assert (status, out) == (0, f"The app is installed in Acme ({app.office.team.id}).\n"), err
    assert "serve, open the app's Home in Slack" in err
    assert bot_token not in err

    process = await start(app, "socket mode serve")
    assert process.stdout
    assert (await wait_for(process.stdout.readline(), TIMEOUT_SECONDS)).startswith(b"Listening on")
    admin = app.office.admin.id
    assert await app.slack.open_home(admin) == 200
    await wait_until(lambda: admin in app.slack.world.homes)
    channel = app.slack.world.channel_by_name(app.office.team.id, DEFAULT_CHANNEL)
    assert channel
    assert (await app.slack.act_in_home(admin, CHOOSE_CHANNEL, channel.id)).status == 200
    await wait_until(lambda: bool(channel.messages))

    key = (await app.run("intake-key", "--workspace", app.office.team.id)).out.strip()
    async with Sender.of(app.url, app.office.team.id, key) as sender:
        _status, answer = await sender.post(ada())
        (job_change,) = await wait_for_outcomes(sender, [answer["id"]])
    assert job_change["outcome"] == "delivered"
    assert sum("Ada Smith" in text for text in app.direct_messages()) == 1
    assert "oauth.v2.access" not in {call.method for call in app.slack.calls}
    assert (await app.stop(process, signal.SIGTERM)).status == 0


async def test_a_token_is_not_taken_from_the_command_line(app: Deployment) -> None:
    """Other users of the machine can read command lines. Without a token, nothing happens."""
    refused = await app.run("install", "xoxb-1")
    empty = await run(app, "socket mode install", "\n")

    assert refused.status == 2
    assert "unrecognized arguments" in refused.err
    assert (empty[0], empty[2]) == (2, "No token was entered.\n")


async def test_a_rotating_token_is_refused_with_the_reason(app: Deployment) -> None:
    """The app could not renew it, and would lose the workspace after 12 hours."""
    status, out, err = await run(app, "socket mode install", "xoxe.xoxb-1-abc\n")

    assert (status, out) == (1, "")
    assert "token rotation is on" in err
