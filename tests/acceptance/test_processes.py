"""How the app starts and stops as a process: its output and result status."""

from __future__ import annotations

import signal
import stat
import time

import aiohttp
import pytest

from sandbox.sender import Sender
from sandbox.visitor import Visitor
from tests.acceptance.process import Deployment, open_deployment, wait_for_outcomes, wait_until

pytestmark = pytest.mark.process


@pytest.fixture
async def app(tmp_path):
    async with open_deployment(tmp_path) as app:
        yield app


async def install(app: Deployment) -> str:
    """Install the app through its pages, and return a new intake key."""
    async with Visitor.of(app.url) as visitor:
        consent = await visitor.open(f"{app.url}/slack/install")
        channels = await visitor.submit(consent, {"user": "Alma Young (admin)"}, press={"decision": "allow"})
        assert (await visitor.submit(channels, {"channel": "job-changes"})).status == 200
    return (await app.run("intake-key", "--workspace", app.office.team.id)).out.strip()


def ada() -> dict[str, object]:
    return {
        "signal": "contact_tracking",
        "change_type": "new_company",
        "person": {"full_name": "Ada Smith", "emails": ["ada@initech.example"]},
        "current": {"title": "CRO", "company": {"name": "Globex"}},
    }


async def test_all_missing_settings_are_named_at_once(app):
    """The status is 2, and no file is created."""
    result = await app.run("serve", SLACK_CLIENT_ID="", SLACK_SIGNING_SECRET="", PORT="x")

    assert (result.status, result.out) == (2, "")
    assert all(name in result.err for name in ("SLACK_CLIENT_ID", "SLACK_SIGNING_SECRET", "PORT"))
    assert list(app.folder.iterdir()) == []


async def test_the_first_start_creates_database_and_key(app):
    """Only the file's owner can read the key, and the only output is the address."""
    process = await app.serve()

    async with aiohttp.ClientSession() as http, http.get(f"{app.url}/readyz") as ready:
        assert ready.status == 200
    result = await app.stop(process, signal.SIGTERM)

    assert (result.status, result.out, result.err) == (0, "", "")
    assert (app.folder / "usergems.db").exists()
    assert stat.S_IMODE((app.folder / "usergems.key").stat().st_mode) == 0o600


@pytest.mark.parametrize("verb", ["serve", "worker"])
async def test_a_second_worker_on_one_sqlite_file_is_refused(app, verb):
    """Two workers would treat each other's work as abandoned."""
    await app.serve()

    result = await app.run(verb)

    assert (result.status, result.out) == (1, "")
    assert result.err.startswith("usergems.db is in use by another process.")


async def test_a_port_in_use_is_reported_in_one_line(app):
    """The line names the port. With status 2, systemd does not try again and again."""
    await app.serve()

    result = await app.run("web")

    assert (result.status, result.out, result.err.count("\n")) == (2, "", 1)
    assert f"Port {app.environ['PORT']}" in result.err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_app_stops_in_time_while_slack_does_not_answer(app, number):
    """It exits within ten seconds with status 0. The next process delivers the open message once."""
    process = await app.serve()
    key = await install(app)
    app.slack.api.latency = 14
    async with Sender.of(app.url, app.office.team.id, key) as sender:
        status, answer = await sender.post(ada())
        await wait_until(lambda: app.salesforce.calls_of("query", "composite") != [])
        began = time.monotonic()
        result = await app.stop(process, number)
        seconds = time.monotonic() - began

        assert (status, result.status) == (202, 0)
        assert seconds < 10

        app.slack.api.latency = 0
        await app.serve()
        await wait_for_outcomes(sender, [answer["id"]])
    assert sum("Ada Smith" in text for text in app.direct_messages()) == 1


async def test_web_and_worker_together_do_what_serve_does(app):
    """On one SQLite file, `web` accepts a job change and `worker` delivers it."""
    await app.serve("web")
    await app.serve("worker")
    key = await install(app)

    async with Sender.of(app.url, app.office.team.id, key) as sender:
        status, _answer = await sender.post(ada())
        await wait_until(lambda: any("Ada Smith" in text for text in app.direct_messages()))

    assert status == 202
