"""How the app starts and ends as a process: what it says, and with which status."""

from __future__ import annotations

import signal
import stat
import time

import aiohttp
import pytest

from sandbox.sender import Sender
from sandbox.visitor import Visitor
from tests.acceptance.process import Served, ended_all, surroundings, until

pytestmark = pytest.mark.process


@pytest.fixture
async def served(tmp_path):
    async with surroundings(tmp_path) as served:
        yield served


async def install(served: Served) -> str:
    """Through the pages, without a screen; an intake key."""
    async with Visitor.of(served.url) as visitor:
        consent = await visitor.open(f"{served.url}/slack/install")
        channels = await visitor.submit(consent, {"user": "Alma Young (admin)"}, press={"decision": "allow"})
        assert (await visitor.submit(channels, {"channel": "job-changes"})).status == 200
    return (await served.run("intake-key", "--workspace", served.office.team.id)).out.strip()


def ada() -> dict[str, object]:
    return {
        "signal": "contact_tracking",
        "change_type": "new_company",
        "person": {"full_name": "Ada Smith", "emails": ["ada@initech.example"]},
        "current": {"title": "CRO", "company": {"name": "Globex"}},
    }


async def test_settings_that_are_missing_are_named_all_at_once(served):
    """Status 2, before anything is made or opened."""
    ended = await served.run("serve", SLACK_CLIENT_ID="", SLACK_SIGNING_SECRET="", PORT="x")

    assert (ended.status, ended.out) == (2, "")
    assert all(name in ended.err for name in ("SLACK_CLIENT_ID", "SLACK_SIGNING_SECRET", "PORT"))
    assert list(served.folder.iterdir()) == []


async def test_a_first_start_makes_all_that_it_needs(served):
    """Database and key, the key for its owner alone; nothing is said but where it listens."""
    process = await served.serve()

    async with aiohttp.ClientSession() as http, http.get(f"{served.url}/readyz") as ready:
        assert ready.status == 200
    ended = await served.end(process, signal.SIGTERM)

    assert (ended.status, ended.out, ended.err) == (0, "", "")
    assert (served.folder / "usergems.db").exists()
    assert stat.S_IMODE((served.folder / "usergems.key").stat().st_mode) == 0o600


@pytest.mark.parametrize("verb", ["serve", "worker"])
async def test_a_second_worker_on_one_sqlite_file_is_refused(served, verb):
    """They would take each other's work for that of the dead."""
    await served.serve()

    ended = await served.run(verb)

    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith("Another process already works on usergems.db.")


async def test_a_port_in_use_is_one_sentence(served):
    """And what to do."""
    await served.serve()

    ended = await served.run("web")

    assert (ended.status, ended.out, ended.err.count("\n")) == (1, "", 1)
    assert f"port {served.environ['PORT']}" in ended.err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_ends_in_time_even_while_slack_does_not_answer(served, number):
    """Ten seconds at most, with status 0; what was in flight is taken up by the next process, and told once."""
    process = await served.serve()
    key = await install(served)
    served.slack.api.latency = 14
    async with Sender.of(served.url, served.office.team.id, key) as sender:
        status, answer = await sender.post(ada())
        await until(lambda: served.salesforce.calls_of("query", "composite") != [])
        began = time.monotonic()
        ended = await served.end(process, number)
        took = time.monotonic() - began

        assert (status, ended.status) == (202, 0)
        assert took < 10

        served.slack.api.latency = 0
        await served.serve()
        await ended_all(sender, [answer["id"]])
    assert sum("Ada Smith" in text for text in served.direct_messages()) == 1


async def test_web_and_worker_apart_do_what_serve_does(served):
    """On one SQLite file, one of each: what one accepts the other tells."""
    await served.serve("web")
    await served.serve("worker")
    key = await install(served)

    async with Sender.of(served.url, served.office.team.id, key) as sender:
        status, _answer = await sender.post(ada())
        await until(lambda: any("Ada Smith" in text for text in served.direct_messages()))

    assert status == 202
