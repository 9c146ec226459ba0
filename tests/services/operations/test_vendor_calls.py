"""Every call of a vendor is measured, by a handful of names."""

from __future__ import annotations

import aiohttp
import pytest
import requests

from services.measures import Unmeasured
from services.operations.vendor_calls import trace_config
from services.salesforce.queries.client import MeasuredSession


class Calls(Unmeasured):
    """What was reported, without the seconds, which were more than none."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, int | None]] = []

    def called(self, vendor, method, status, seconds):
        assert 0 < seconds < 60
        self.seen.append((vendor, method, status))


@pytest.fixture
def calls() -> Calls:
    return Calls()


async def test_calls_of_slack_are_named_by_their_method(world, calls):
    """Whoever makes them; a 429 among them."""
    url = f"{world.slack.url}/api/"
    world.slack.faults.add("users.list", retry_after=3)
    async with aiohttp.ClientSession(trace_configs=[trace_config(calls, url)]) as http:
        for method in ("api.test", "users.list?limit=3"):
            async with http.post(url + method) as answer:
                await answer.read()
        async with http.get(f"{world.slack.url}/oauth/v2/authorize"):
            pass

    assert calls.seen == [("slack", "api.test", 200), ("slack", "users.list", 429)]


async def test_what_got_no_answer_is_measured_too(calls, unused_tcp_port):
    """As one that nobody answered."""
    url = f"http://127.0.0.1:{unused_tcp_port}/api/"
    async with aiohttp.ClientSession(trace_configs=[trace_config(calls, url)]) as http:
        with pytest.raises(aiohttp.ClientConnectorError):
            await http.post(f"{url}auth.test")

    assert calls.seen == [("slack", "auth.test", None)]


async def test_sessions_with_salesforce_are_asked_for_by_name(world, calls):
    """Wherever the org logs in."""
    traces = [trace_config(calls, "https://slack.com/api/")]
    url = f"{world.salesforce.url}/services/oauth2/token"
    async with aiohttp.ClientSession(trace_configs=traces) as http, http.post(url) as answer:
        assert calls.seen == [("salesforce", "token", answer.status)]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("query?q=SELECT+Id+FROM+User", "query"),
        ("query/01g000000000001-2000", "query"),
        ("composite", "composite"),
        ("sobjects/Contact/describe", "sobjects"),
    ],
)
def test_calls_of_salesforce_are_named_without_ids(calls, unused_tcp_port, path, name):
    """Each would make a series of its own."""
    session = MeasuredSession(calls)

    with pytest.raises(requests.ConnectionError):
        session.get(f"http://127.0.0.1:{unused_tcp_port}/services/data/v66.0/{path}", timeout=1)

    session.close()
    assert calls.seen == [("salesforce", name, None)]
