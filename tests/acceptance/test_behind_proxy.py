"""Behind a proxy that inspects https: every outgoing call goes through it, and nothing else does."""

from __future__ import annotations

import os
import signal
from asyncio import wait_for
from asyncio.subprocess import Process
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox.sender import Sender
from services.slack.manifest import Manifest
from tests.acceptance.process import (
    ROOT,
    TIMEOUT_SECONDS,
    Deployment,
    Exit,
    open_deployment,
    wait_for_outcomes,
    wait_until,
)
from tests.acceptance.proxy import SALESFORCE_HOST, SLACK_HOST, ForwardProxy, behind_proxy
from tests.acceptance.test_processes import ada

pytestmark = pytest.mark.process


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[Deployment]:
    async with open_deployment(tmp_path) as app:
        yield app


@pytest.fixture
async def proxy(app: Deployment) -> AsyncIterator[ForwardProxy]:
    """The app uses Socket Mode. A .netrc file has passwords for both vendors, which must not be sent."""
    app.slack.configure(Manifest.parse((ROOT / "manifest.json").read_text()).by_socket().values)
    (app.folder / ".netrc").write_text(
        "".join(f"machine {host} login nobody password wrong\n" for host in (SLACK_HOST, SALESFORCE_HOST))
    )
    (app.folder / ".netrc").chmod(0o600)
    app.environ |= {"SLACK_APP_TOKEN": app.slack.sockets.issue_token(), "HOME": str(app.folder)}
    async with behind_proxy(app) as proxy:
        yield proxy
        for process in app.running:  # before the proxy closes
            if process.returncode is None:
                await app.stop(process, signal.SIGKILL)


async def install(app: Deployment, **environ: str) -> Exit:
    """Run `install` with the workspace's bot token on standard input."""
    token = app.slack.install(app.office.team.id, app.office.admin.id)
    read, write = os.pipe()
    os.write(write, f"{token}\n".encode())
    os.close(write)
    return await app.stop(await app.start("install", stdin=read, **environ))


async def test_every_call_goes_through_the_proxy(app: Deployment, proxy: ForwardProxy) -> None:
    """The Web API, Socket Mode, answers to commands, Salesforce's OAuth and queries. Calls to this machine do not."""
    installed = await install(app)
    assert installed.status == 0, installed.err
    assert proxy.tunnels
    assert set(proxy.tunnels) == {SLACK_HOST}

    process: Process = await app.serve()
    await wait_for(app.slack.sockets.wait_for_connection(), TIMEOUT_SECONDS)
    admin = app.office.admin.id
    assert await app.slack.open_home(admin) == 200
    await wait_until(lambda: admin in app.slack.world.homes)
    command = await app.slack.command(admin, "/usergems-status")
    assert command.messages, command.reply

    key = (await app.run("intake-key", "--workspace", app.office.team.id)).out.strip()
    async with Sender.of(app.url, app.office.team.id, key) as sender:
        _status, answer = await sender.post(ada())
        (job_change,) = await wait_for_outcomes(sender, [answer["id"]])
    assert job_change["outcome"] == "delivered"
    assert sum("Ada Smith" in text for text in app.direct_messages()) == 1
    assert app.salesforce.calls_of("query", "composite")
    doctor = await app.run("doctor")
    assert "ok       Slack credentials" in doctor.out
    assert "Salesforce: responding" in doctor.out

    assert set(proxy.tunnels) == {SLACK_HOST, SALESFORCE_HOST}
    assert proxy.others == []
    assert proxy.credentials == {f"Proxy-Authorization: Basic {b64encode(b'gems:secret').decode()}"}
    assert (await app.stop(process, signal.SIGTERM)).status == 0


async def test_a_host_in_no_proxy_is_called_directly(app: Deployment, proxy: ForwardProxy) -> None:
    """Its name cannot be resolved here, so the call fails, and the proxy sees nothing of it."""
    refused = await install(app, NO_PROXY=f"localhost, {SLACK_HOST}")

    assert refused.status == 1
    assert "Slack cannot be reached" in refused.err
    assert proxy.tunnels == []


async def test_an_unknown_ca_is_not_trusted(app: Deployment, proxy: ForwardProxy) -> None:
    """Without SSL_CERT_FILE, a proxy that inspects https cannot read the bot token."""
    refused = await install(app, SSL_CERT_FILE="")

    assert refused.status == 1
    assert "Slack cannot be reached (ClientConnectorCertificateError)" in refused.err
    assert app.slack.calls == []


async def test_a_missing_ca_file_is_reported_in_one_line(app: Deployment) -> None:
    """The app does not fall back to other CAs."""
    refused = await app.run("serve", SSL_CERT_FILE="nowhere.pem")

    assert refused.status == 2
    assert "SSL_CERT_FILE cannot be used (No such file or directory)" in refused.err


async def test_the_demo_needs_no_proxy(app: Deployment) -> None:
    """Everything in it is on this machine, so a proxy in the environment is not used."""
    demo = await app.start("demo", "--once", HTTPS_PROXY="http://127.0.0.1:9", HTTP_PROXY="http://127.0.0.1:9")
    out, err = await wait_for(demo.communicate(), 4 * TIMEOUT_SECONDS)

    assert demo.returncode == 0, (out + err).decode()
