"""Text from outside stays text in Slack, SOQL, logs, spreadsheets, headers and pages."""

from __future__ import annotations

import asyncio
import csv
import json
import logging
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from domain.errors import PermanentError
from listeners.http.logs import JsonLines, TextLines
from services.intake.files.refused_rows import escape_formula
from services.salesforce.queries.client import SalesforceClient
from services.salesforce.queries.statements import person_queries
from services.salesforce.records import PersonLookup
from services.salesforce.sessions import Session
from services.salesforce.tokens import checked_instance_url
from tests.listeners.ownership.ownership_world import accept_and_route
from tests.security.two_workspaces import TwoWorkspaces, open_two_workspaces

PAYLOADS = [
    "<!channel>",
    "<!here|here>",
    "<!subteam^S0123456789>",
    "<@U0000000001>",
    "<#C0000000001>",
    "<https://evil.example|Click here>",
    "<mailto:a@evil.example|x>",
    "&lt;!channel&gt;",
    "*bold* _it_ ~no~ `code`",
    "```\nfence\n```",
    ":rotating_light: :smile:",
    "> quoted\n>>> more",
    "\u202eevil\u202c\u2066x",
    "a\r\nb\nc\x0bd\x85e\u2028f",
    "\x1b[31mred\x1b[0m",
    "https://evil.example/ www.evil.example evil.example",
    "@channel @here @everyone",
    "' OR Name != '",
    "\\' OR Id != null --",
    "x' LIMIT 1 OFFSET 0",
    '{"type": "section"}',
    "{{ 7 * 7 }}${7*7}<%= 7 * 7 %>",
    "%s %(levelname)s {0}",
    '=HYPERLINK("https://evil.example")',
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
]


@pytest.fixture
async def server(sqlite_url: str) -> AsyncIterator[TwoWorkspaces]:
    async with open_two_workspaces(sqlite_url) as made:
        yield made


def hostile(payload: str, number: int) -> dict[str, Any]:
    """A job change with the payload in every text field except the person's email address."""
    return {
        "source": "tests",
        "source_event_id": f"{number}",
        "person": {"full_name": payload, "title": payload, "emails": ["ada@initech.example"]},
        "previous": {"title": payload, "company": {"name": payload}},
        "current": {"title": payload, "company": {"name": payload}},
        "relationship": payload,
        "persona": payload,
        "custom": {payload[:40]: payload},
    }


async def test_text_from_senders_is_escaped_in_slack(server: TwoWorkspaces) -> None:
    """A sender's text adds no mention, link or formatting to messages, notifications or *Why me?*."""
    acme = server.acme
    calls_before = len(acme.slack.calls)
    for number, payload in enumerate(PAYLOADS):
        acme.clock_offset = number * 60
        await accept_and_route(acme, **hostile(payload, number))

    sent = [call.arguments for call in acme.slack.calls[calls_before:] if call.method.startswith("chat.")]
    assert len(sent) >= len(PAYLOADS) - 1
    for arguments in sent:
        blocks = arguments.get("blocks") or []
        texts = [*_texts(json.loads(blocks) if isinstance(blocks, str) else blocks), str(arguments["text"])]
        for text in texts:
            assert "<!" not in text
            assert set(re.findall(r"<@(\w+)", text)) <= {acme.dana.id}, text
            assert not re.search(r"<(?:#|mailto:)", text), text
            assert not re.search(r"<[^@>]*evil", text), text
            assert not re.search("[\u202a-\u202e\x00-\x09\x0b-\x1f\x85\u2028]", text), ascii(text)
        assert not arguments.get("unfurl_links")


def _texts(node: Any) -> Any:
    """Every mrkdwn text in a message's blocks."""
    if isinstance(node, dict):
        if node.get("type") == "mrkdwn":
            yield node["text"]
        for part in node.values():
            yield from _texts(part)
    elif isinstance(node, list):
        for part in node:
            yield from _texts(part)


async def test_log_events_are_one_line_without_request_data(
    server: TwoWorkspaces, caplog: pytest.LogCaptureFixture
) -> None:
    """Each log event is one line and contains no names and nothing of the request."""
    caplog.set_level(logging.DEBUG)
    for number, payload in enumerate(PAYLOADS[:14]):
        await accept_and_route(server.acme, **hostile(f"Mallory {payload}", number))
        address = f"{server.acme.url}/v1/workspaces/{quote(payload, safe='')}/job-changes"
        async with server.acme.http.post(address, data=payload.encode(), headers={"X-Api-Key": "Mallory"}):
            pass

    ours = [record for record in caplog.records if record.name.startswith(("listeners", "services", "store", "app"))]
    for formatter in (TextLines(), JsonLines()):
        for record in ours:
            line = formatter.format(record)
            assert "Mallory" not in line
            assert "evil" not in line
            assert len(line.splitlines()) == 1


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "=cmd|' /C calc'!A0", "\n=1", "\uff1d", "\uff20"])
def test_formulas_are_escaped_in_refused_rows(start: str, tmp_path) -> None:
    """People open the file of refused rows; tests/listeners/cli/test_importing.py checks a whole file."""
    with (tmp_path / "refused.csv").open("w", newline="") as file:
        csv.writer(file).writerow([escape_formula(f"{start}1")])
    with (tmp_path / "refused.csv").open(newline="") as file:
        (cell,) = next(csv.reader(file))

    assert cell.startswith("'")


@pytest.mark.parametrize("separator", [",", ";", "|", "\t"])
def test_formulas_behind_another_separator_are_escaped_too(separator: str) -> None:
    """In some countries spreadsheets separate cells at semicolons, whatever the file's own separator is."""
    assert escape_formula(f"Ada{separator}=1+1") == f"Ada{separator}'=1+1"
    assert escape_formula("a=b; c") == "a=b; c"


HEADERS = [
    "%0d%0aSet-Cookie:%20evil=1",
    "%0d%0a%0d%0a<script>",
    "\u560d\u560aSet-Cookie: evil=1",
    "%E5%98%8A%E5%98%8Devil",
]


@pytest.mark.parametrize("evil", HEADERS)
async def test_query_parameters_never_reach_headers_or_redirects(server: TwoWorkspaces, evil: str) -> None:
    """Location and Set-Cookie contain only our own values and Slack's URL."""
    for path in (
        f"/slack/install?team={evil}",
        f"/slack/install?team=T1%26redirect_uri=https://evil.example{evil}",
        f"/slack/oauth_redirect?error={evil}&state={evil}",
        f"/slack/default-channel?link={evil}",
        f"/salesforce/callback?error={evil}&error_description={evil}&state={evil}",
        f"//evil.example/{evil}",
    ):
        async with server.acme.http.get(server.acme.url + path, allow_redirects=False) as answer:
            headers = "".join(f"{name}: {value}\n" for name, value in answer.headers.items())
            assert "evil" not in headers, path
            assert "<script>" not in await answer.text(), path


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1",
        "https://localhost:6379",
        "https://[::1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1",
        "https://192.168.1.1:8443",
        "http://acme.my.salesforce.com",
        "https://acme.my.salesforce.com@10.0.0.1",
        "https://10.0.0.1#.my.salesforce.com",
        "https://10.0.0.1?.my.salesforce.com",
        "https://10.0.0.1/.my.salesforce.com",
        "https://evil.example/acme.my.salesforce.com",
        "https://my.salesforce.com.evil.example",
        "https://evilsalesforce.com",
        "https://acme.my.salesforce.com:22",
        "https://acme.my.salesforce.com\\@10.0.0.1",
        "https://169.254.169.254\\.force.com",
        "https://10.0.0.1%2f.force.com",
        "https://10.0.0.1;.force.com",
        "https://acme.my.salesforce.com\r\nHost: evil",
        "gopher://acme.my.salesforce.com",
        "//10.0.0.1",
        "",
    ],
)
def test_instance_urls_outside_salesforce_are_refused(url: str) -> None:
    """SSRF: tokens and queries go only to Salesforce's own domains, whatever `instance_url` says."""
    with pytest.raises(PermanentError):
        checked_instance_url(url, "https://login.salesforce.com")


@pytest.mark.parametrize("has_composite", [True, False])
@pytest.mark.parametrize("pointer", ["@{}/query/01g-1", "//{}/query/01g-1", "https://{}/query/01g-1", "/\\{}/01g-1"])
async def test_the_next_page_is_read_from_the_same_host(pointer: str, *, has_composite: bool) -> None:
    """Only the last part of `nextRecordsUrl` is used, so the session is sent to no other host."""
    strayed: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        strayed.append(request.path)
        return web.json_response({"done": True, "records": []})

    async def answer(request: web.Request) -> web.Response:
        if request.path.endswith("/01g-1"):
            return web.json_response({"done": True, "records": []})
        page = {"done": False, "records": [], "nextRecordsUrl": pointer.format(f"127.0.0.1:{evil.port}")}
        if request.method == "GET":
            return web.json_response(page)
        subresponse = {"referenceId": "q0", "httpStatusCode": 200, "body": page}
        return web.json_response({"compositeResponse": [subresponse]}, status=200 if has_composite else 404)

    async with _serving(elsewhere) as evil, _serving(answer) as org:
        client = SalesforceClient.of(Session("T1", f"http://127.0.0.1:{org.port}", "a-session"), lambda: 0)
        queries = person_queries([PersonLookup("ada", emails=("ada@initech.example",))])[:1]
        assert await asyncio.to_thread(client.rows, queries) == {queries[0].kind: []}

    assert strayed == []


def _serving(handler: Any) -> TestServer:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    return TestServer(app)
