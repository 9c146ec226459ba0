"""What somebody who watches the app sees of it, and what nobody does."""

from __future__ import annotations

import json
import signal

import aiohttp
import pytest

from sandbox.sender import Sender
from services.slack.manifest import Manifest
from tests.acceptance.process import ROOT, Served, ended_all, surroundings, until
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
async def served(tmp_path):
    async with surroundings(tmp_path) as served:
        yield served


async def get(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as http, http.get(url) as response:
        return response.status, await response.text()


async def tell_planted(served: Served, key: str) -> str:
    """A job change with a name and a token in it, told to the default channel; its id."""
    async with Sender.of(served.url, served.office.team.id, key) as sender:
        _status, answer = await sender.post(PLANTED)
        await sender.post(PLANTED)
        await ended_all(sender, [answer["id"]])
    return answer["id"]


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
async def test_the_log_follows_a_job_change_and_names_nobody(served, level):
    """From its acceptance to the message, by ids; without names, addresses, tokens or keys."""
    served.environ |= {"LOG_LEVEL": level, "LOG_FORMAT": "json"}
    process = await served.serve()
    key = await install(served)
    job_change_id = await tell_planted(served, key)
    log = (await served.end(process, signal.SIGTERM)).err

    events = [json.loads(line) for line in log.splitlines()]
    its = [event for event in events if event.get("job_change") == job_change_id]
    assert [event["message"] for event in its] == [
        "accepted",
        "sent again",
        "routed: default_channel",
        "delivered",
    ] or ([event["message"] for event in its] == ["accepted", "routed: default_channel", "sent again", "delivered"])
    assert {event["workspace"] for event in its} == {served.office.team.id}
    sent = [call for call in served.slack.calls if call.method == "chat.postMessage"]
    assert its[-1]["post"] in {call.arguments.get("client_msg_id") for call in sent}
    for secret in (NAME, "Zebulon", "Quux", "quuxley.example", TOKEN, *secrets_of(served, key)):
        assert secret not in log


def secrets_of(served: Served, key: str) -> list[str]:
    app = served.slack.app
    tokens = [*served.slack.world.tokens, *served.salesforce.oauth.sessions]
    kept = (served.folder / "usergems.key").read_text().strip()
    return [key, kept, app.client_secret, app.signing_secret, served.salesforce.oauth.client_secret, *tokens]


async def test_no_token_and_no_key_stands_in_the_files_of_the_database(served):
    """Neither in the tables, nor in what was written on the way there."""
    process = await served.serve()
    key = await install(served)
    await tell_planted(served, key)
    files = {path.name: path.read_bytes() for path in served.folder.iterdir() if "usergems.db" in path.name}
    await served.end(process, signal.SIGTERM)

    assert "usergems.db-wal" in files
    for secret in secrets_of(served, key):
        assert [name for name, content in files.items() if secret.encode() in content] == []


async def test_the_metrics_count_the_whole_way_and_name_nobody(served):
    """Of what came in, was decided, was told, and how long the vendors took."""
    await served.serve()
    key = await install(served)
    await tell_planted(served, key)

    _status, told = await get(f"http://127.0.0.1:{served.environ['PORT']}/metrics")

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
        assert line in told
    for name in (NAME, "Quux", served.office.team.id, served.office.team.name):
        assert name not in told


async def test_a_worker_by_itself_is_watched_where_it_is_told_to_listen(served):
    """And nobody can post there."""
    port = free_port()
    served.environ["WORKER_PORT"] = str(port)
    await served.serve("web")
    await served.serve("worker")

    assert (await get(f"http://127.0.0.1:{port}/healthz"))[0] == 200
    assert "usergems_worker_up 1.0" in (await get(f"http://127.0.0.1:{port}/metrics"))[1]
    assert "usergems_worker_up" not in (await get(f"http://127.0.0.1:{served.environ['PORT']}/metrics"))[1]
    assert (await get(f"http://127.0.0.1:{port}/slack/install"))[0] == 404


async def test_over_socket_mode_slack_needs_no_address(served):
    """Home is drawn, what hangs up is called again, and the end is in time."""
    slack = served.slack
    slack.configure(Manifest.parse((ROOT / "manifest.json").read_text()).at(served.url).by_socket().values)
    served.environ["SLACK_APP_TOKEN"] = slack.sockets.issue_token()
    process = await served.serve()
    await install(served)
    slack.sockets.drop_connections()
    slack.app_client.retry_delays = (0.1, 1.0, 1.0)

    assert await slack.open_home(served.office.admin.id) == 200
    await until(lambda: served.office.admin.id in slack.world.homes)
    ended = await served.end(process, signal.SIGTERM)

    assert ended.status == 0
    assert slack.sockets.opened == 2


async def test_an_app_token_that_slack_refuses_is_told_at_the_start(served):
    """In one sentence, with what to do."""
    ended = await served.run("serve", SLACK_APP_TOKEN="xapp-1-made-up")

    assert (ended.status, ended.out, ended.err.count("\n")) == (1, "", 1)
    assert ended.err.startswith("Slack refuses SLACK_APP_TOKEN (")
    assert "xapp-1-made-up" not in ended.err
