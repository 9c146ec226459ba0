"""Logs, metrics and health checks show how the app works, and contain no personal data or secrets."""

from __future__ import annotations

import json
import re
import signal

import aiohttp
import pytest

from sandbox.sender import Sender
from services.settings import VERSION
from services.slack.manifest import Manifest
from tests.acceptance.process import ROOT, Deployment, open_deployment, wait_for_outcomes, wait_until
from tests.acceptance.test_processes import install
from tests.servers import free_port

pytestmark = pytest.mark.process

NAME = "Zebulon Quuxley"
TOKEN = "xoxb-9999999999-plantedplantedplanted"
PLANTED = {
    "signal": "contact_tracking",
    "change_type": "new_company",
    "person": {"full_name": NAME, "emails": ["zebulon@quuxley.example"]},
    "current": {"title": "Chief Quux", "company": {"name": "Quuxworks"}},
    "custom": {"note": TOKEN},
}


@pytest.fixture
async def app(tmp_path):
    async with open_deployment(tmp_path) as app:
        yield app


async def get(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as http, http.get(url) as response:
        return response.status, await response.text()


async def deliver_planted(app: Deployment, key: str) -> str:
    """Deliver a job change that contains a name and a token to the default channel. Returns its id."""
    async with Sender.of(app.url, app.office.team.id, key) as sender:
        _status, answer = await sender.post(PLANTED)
        await sender.post(PLANTED)
        await wait_for_outcomes(sender, [answer["id"]])
    return answer["id"]


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
async def test_the_log_follows_a_job_change_without_personal_data(app, level):
    """The log shows start, stop and a job change's way by ids, without names, addresses, tokens or keys."""
    app.environ |= {"LOG_LEVEL": level, "LOG_FORMAT": "json"}
    process = await app.serve()
    key = await install(app)
    job_change_id = await deliver_planted(app, key)
    log = (await app.stop(process, signal.SIGTERM)).err

    events = [json.loads(line) for line in log.splitlines()]
    assert events[0]["message"] == f"version {VERSION} started as process {process.pid}"
    of_process = [event["message"] for event in events if "job_change" not in event]
    assert of_process[-2:] == ["stopping", "stopped"]  # what is in flight may end between them
    assert events[-1]["message"] == "stopped"
    job_change_events = [event for event in events if event.get("job_change") == job_change_id]
    messages = [event["message"] for event in job_change_events]
    assert messages in (
        ["accepted", "duplicate", "routed: default_channel", "delivered"],
        ["accepted", "routed: default_channel", "duplicate", "delivered"],
    )
    received = {event["message"]: event["request"] for event in job_change_events if "request" in event}
    assert received == {"accepted": await request_of(app, job_change_id), "duplicate": received["duplicate"]}
    assert received["accepted"] != received["duplicate"]
    assert {event["workspace"] for event in job_change_events} == {app.office.team.id}
    sent = [call for call in app.slack.calls if call.method == "chat.postMessage"]
    assert job_change_events[-1]["post"] in {call.arguments.get("client_msg_id") for call in sent}
    for secret in (NAME, "Zebulon", "Quux", "quuxley.example", TOKEN, *secrets_of(app, key)):
        assert secret not in log


async def request_of(app: Deployment, job_change_id: str) -> str:
    """The request that brought a job change, as `explain` shows it."""
    (request,) = re.findall(r"(?m)^  Request +(\w+)$", (await app.run("explain", job_change_id)).out)
    return request


def secrets_of(app: Deployment, key: str) -> list[str]:
    slack_app = app.slack.app
    tokens = [*app.slack.world.tokens, *app.salesforce.oauth.sessions]
    encryption_key = (app.folder / "usergems.key").read_text().strip()
    return [
        key,
        encryption_key,
        slack_app.client_secret,
        slack_app.signing_secret,
        app.salesforce.oauth.client_secret,
        *tokens,
    ]


async def test_the_database_files_contain_no_token_and_no_key(app):
    """Neither the database file nor its write-ahead log contains a secret."""
    process = await app.serve()
    key = await install(app)
    await deliver_planted(app, key)
    files = {path.name: path.read_bytes() for path in app.folder.iterdir() if "usergems.db" in path.name}
    await app.stop(process, signal.SIGTERM)

    assert "usergems.db-wal" in files
    for secret in secrets_of(app, key):
        assert [name for name, content in files.items() if secret.encode() in content] == []


async def test_the_metrics_count_every_step_without_personal_data(app):
    """The metrics count accepted, routed and delivered job changes, and time the calls to vendors."""
    await app.serve()
    key = await install(app)
    await deliver_planted(app, key)

    _status, metrics = await get(f"http://127.0.0.1:{app.environ['PORT']}/metrics")

    for line in (
        'usergems_job_changes_received_total{result="accepted"} 1.0',
        'usergems_job_changes_received_total{result="duplicate"} 1.0',
        'usergems_job_changes_routed_total{outcome="default_channel"} 1.0',
        'usergems_deliveries_settled_total{result="delivered"} 1.0',
        'usergems_vendor_answers_total{method="chat.postMessage",status="2xx",vendor="slack"}',
        'usergems_vendor_call_seconds_count{method="composite",vendor="salesforce"} 1.0',
        'usergems_vendor_call_seconds_count{method="token",vendor="salesforce"} 1.0',
        "usergems_worker_up 1.0",
        "usergems_stuck 0.0",
        "usergems_salesforce_connections 1.0",
    ):
        assert line in metrics
    for name in (NAME, "Quux", app.office.team.id, app.office.team.name):
        assert name not in metrics


async def test_a_separate_worker_serves_health_and_metrics_on_its_port(app):
    """WORKER_PORT serves nothing else."""
    port = free_port()
    app.environ["WORKER_PORT"] = str(port)
    await app.serve("web")
    await app.serve("worker")

    assert (await get(f"http://127.0.0.1:{port}/healthz"))[0] == 200
    assert "usergems_worker_up 1.0" in (await get(f"http://127.0.0.1:{port}/metrics"))[1]
    assert "usergems_worker_up" not in (await get(f"http://127.0.0.1:{app.environ['PORT']}/metrics"))[1]
    assert (await get(f"http://127.0.0.1:{port}/slack/install"))[0] == 404


async def test_socket_mode_works_and_reconnects(app):
    """Home is published, a dropped connection is opened again, and the app stops cleanly."""
    slack = app.slack
    slack.configure(Manifest.parse((ROOT / "manifest.json").read_text()).at(app.url).by_socket().values)
    app.environ["SLACK_APP_TOKEN"] = slack.sockets.issue_token()
    process = await app.serve()
    await install(app)
    slack.sockets.drop_connections()
    slack.app_client.retry_delays = (0.1, 1.0, 1.0)

    assert await slack.open_home(app.office.admin.id) == 200
    await wait_until(lambda: app.office.admin.id in slack.world.homes)
    result = await app.stop(process, signal.SIGTERM)

    assert result.status == 0
    assert slack.sockets.opened == 2


async def test_a_refused_app_token_is_reported_at_startup(app):
    """The error is one line and does not repeat the token."""
    result = await app.run("serve", SLACK_APP_TOKEN="xapp-1-made-up")

    assert (result.status, result.out, result.err.count("\n")) == (1, "", 1)
    assert result.err.startswith("Slack does not accept SLACK_APP_TOKEN (")
    assert "xapp-1-made-up" not in result.err
