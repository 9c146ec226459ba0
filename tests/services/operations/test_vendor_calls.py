"""Calls to Slack and Salesforce are measured by vendor and method."""

from __future__ import annotations

from types import SimpleNamespace

import aiohttp
import pytest
import requests

from services.delivery.worker import MOST_POSTS_AT_ONCE
from services.measures import UNMEASURED, Measures
from services.operations.vendor_calls import open_session, trace_config
from services.salesforce.queries.client import MeasuredSession
from services.settings import DIRECT


class Calls(Measures):
    """What was reported, without the seconds, which were more than none."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, int | None]] = []

    def called(self, vendor, method, status, seconds):
        assert 0 < seconds < 60
        self.seen.append((vendor, method, status))


@pytest.fixture
def calls() -> Calls:
    return Calls()


async def test_calls_to_slack_are_named_by_method(world, calls):
    """This includes rate-limited calls. Other pages of Slack are not measured."""
    url = f"{world.slack.url}/api/"
    world.slack.faults.add("users.list", retry_after=3)
    async with aiohttp.ClientSession(trace_configs=[trace_config(calls, url)]) as http:
        for method in ("api.test", "users.list?limit=3"):
            async with http.post(url + method) as answer:
                await answer.read()
        async with http.get(f"{world.slack.url}/oauth/v2/authorize"):
            pass

    assert calls.seen == [("slack", "api.test", 200), ("slack", "users.list", 429)]


async def test_there_are_more_connections_than_messages_that_are_sent_at_once():
    """Otherwise people who use the app in Slack would wait while a worker has a backlog."""
    settings = SimpleNamespace(network=DIRECT, slack_api_url="https://slack.com/api/")
    async with open_session(settings, UNMEASURED) as http:
        assert http.connector.limit >= MOST_POSTS_AT_ONCE + 64


async def test_a_call_without_a_response_is_measured(calls, unused_tcp_port):
    """It has no status."""
    url = f"http://127.0.0.1:{unused_tcp_port}/api/"
    async with aiohttp.ClientSession(trace_configs=[trace_config(calls, url)]) as http:
        with pytest.raises(aiohttp.ClientConnectorError):
            await http.post(f"{url}auth.test")

    assert calls.seen == [("slack", "auth.test", None)]


async def test_salesforce_logins_are_measured(world, calls):
    """The login host does not matter."""
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
def test_calls_to_salesforce_are_named_without_ids(calls, unused_tcp_port, path, name):
    """Otherwise each id would create its own series."""
    session = MeasuredSession(calls)

    with pytest.raises(requests.ConnectionError):
        session.get(f"http://127.0.0.1:{unused_tcp_port}/services/data/v66.0/{path}", timeout=1)

    session.close()
    assert calls.seen == [("salesforce", name, None)]
