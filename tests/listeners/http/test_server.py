"""The HTTP server: routes, headers, limits and errors. Invalid requests never cause a server error."""

from __future__ import annotations

import asyncio
import hmac
import json
import random
import socket
import string
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from io import BytesIO
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from slack_bolt.context.async_context import AsyncBoltContext

from listeners.http.server import BODY_LIMIT, create_runner
from store.database import Database, DatabaseUnavailableError
from tests.listeners.slack.install_world import InstallWorld, break_database, open_install_world
from tests.servers import GENEROUS_TIMEOUT

SECRET = "sample-signing-secret"


async def fail(request: web.Request) -> web.Response:
    raise RuntimeError("a secret inside")


async def be_down(request: web.Request) -> web.Response:
    raise DatabaseUnavailableError("the database did not answer")


async def refuse(request: web.Request) -> web.Response:
    raise web.HTTPConflict(text='{"error": "mine"}', content_type="application/json")


ROUTES = [
    web.get("/v1/fail/{secret}", fail),
    web.get("/fail/{secret}", fail),
    web.get("/v1/down", be_down),
    web.get("/down", be_down),
    web.get("/v1/mine", refuse),
    web.post("/v1/mine", refuse),
]


@pytest.fixture
async def acme(sqlite_url: str) -> AsyncIterator[InstallWorld]:
    database = Database(sqlite_url)
    async with open_install_world(database, signing_secret=SECRET, routes=ROUTES) as made:
        assert made.bolt is not None
        made.bolt.event("app_home_opened")(_hear)
        made.bolt.action("press")(_hear)
        made.bolt.view("dialog")(_hear)
        made.bolt.command("/usergems-status")(_hear)
        assert (await made.approve_install(made.dana)).status == 303
        yield made
    await database.close()


async def _hear(ack: Any) -> None:
    await ack()


def signed(body: bytes, *, at: float | None = None, secret: str = SECRET) -> dict[str, str]:
    """The headers of a request that Slack has signed."""
    moment = str(int(time.time() if at is None else at))
    mark = hmac.new(secret.encode(), b"v0:" + moment.encode() + b":" + body, "sha256").hexdigest()
    return {"X-Slack-Request-Timestamp": moment, "X-Slack-Signature": f"v0={mark}"}


async def say(acme: InstallWorld, body: bytes | str, headers: dict[str, str] | None = None, **more: str) -> int:
    """Post to /slack/events, signed unless `headers` are given. Return the status."""
    body = body.encode() if isinstance(body, str) else body
    headers = signed(body) if headers is None else headers
    kind = "application/json" if body.startswith(b"{") else "application/x-www-form-urlencoded"
    async with acme.http.post(
        f"{acme.url}/slack/events", data=BytesIO(body), headers={"Content-Type": kind, **headers, **more}
    ) as answer:
        await answer.read()
        return answer.status


# All responses


@pytest.mark.parametrize(
    "path", ["/", "/nowhere", "/v1/nowhere", "/fail/1", "/v1/fail/1", "/down", "/slack/install", "/assets/pages.css"]
)
async def test_every_response_has_the_security_headers(acme: InstallWorld, path: str) -> None:
    """This includes pages, errors and redirects. Nothing can be loaded from elsewhere, framed or sniffed."""
    async with acme.http.get(acme.url + path, allow_redirects=False) as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert "http" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "Server" not in answer.headers
        cached = answer.headers["Cache-Control"]
        assert cached == "no-store" if "assets" not in path else "max-age" in cached


@pytest.mark.parametrize(("given", "is_kept"), [("7d3e-1", True), ("", False), ("two words", False), ("x" * 65, False)])
async def test_every_response_has_the_id_of_its_request(acme: InstallWorld, given: str, is_kept: bool) -> None:
    """Log lines have it, too. An id that could forge one is replaced."""
    ids = []
    for path in ("/", "/v1/fail/x", "/slack/install"):
        request = acme.http.get(acme.url + path, headers={"X-Request-Id": given}, allow_redirects=False)
        async with request as answer:
            ids.append(answer.headers["X-Request-Id"])

    assert ids == [given] * 3 if is_kept else len({*ids, given}) == 4


async def test_hsts_is_sent_only_with_an_https_address(sqlite_url: str) -> None:
    """On http, as on this machine, the header would be wrong."""
    database = Database(sqlite_url)
    async with open_install_world(database) as made, made.http.get(made.url) as answer:
        assert "Strict-Transport-Security" not in answer.headers
    async with (
        open_install_world(database, public_url="https://gems.example.com") as made,
        made.http.get(made.url) as answer,
    ):
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    await database.close()


@pytest.mark.parametrize("name", ["pages.css", "channels.js", "gem.svg"])
async def test_static_files_are_served(acme: InstallWorld, name: str) -> None:
    """They are served with their content type and a version in their address."""
    async with acme.http.get(f"{acme.url}/assets/{name}") as answer:
        assert answer.status == 200
        assert await answer.read()


@pytest.mark.parametrize("name", ["landing.html", "__init__.py", "..%2F..%2F..%2Fapp.py", "%00", "pages.css/x"])
async def test_no_other_files_are_served(acme: InstallWorld, name: str) -> None:
    """Templates and code are not public."""
    assert await acme.get_page(f"{acme.url}/assets/{name}", status=404)


async def test_an_unknown_address_is_a_page_for_people_and_json_for_programs(acme: InstallWorld) -> None:
    """The API answers in JSON."""
    assert "Page not found" in await acme.get_page(f"{acme.url}/nowhere", status=404)
    answer = json.loads(await acme.get_page(f"{acme.url}/v1/nowhere", status=404))
    assert answer == {
        "error": "Page not found. The address may be mistyped, or the page may have moved.",
        "errors": [],
    }


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/", "GET,HEAD"),
        ("DELETE", "/slack/events", "POST"),
        ("GET", "/slack/events", "POST"),
        ("POST", "/slack/install", "GET"),
        ("HEAD", "/slack/install", "GET"),
        ("PUT", "/slack/default-channel", "GET,POST"),
    ],
)
async def test_a_wrong_method_is_answered_with_the_allowed_ones(
    acme: InstallWorld, method: str, path: str, allowed: str
) -> None:
    """The status is 405, with Allow. HEAD, as link previews send it, does not start an installation."""
    async with acme.http.request(method, acme.url + path) as answer:
        assert answer.status == 405
        assert answer.headers["Allow"] == allowed


async def test_an_internal_error_reveals_no_details(acme: InstallWorld, caplog: pytest.LogCaptureFixture) -> None:
    """The log has one entry with the route, not the address. The response has no details."""
    page = await acme.get_page(f"{acme.url}/fail/abc", status=500)
    answer = await acme.get_page(f"{acme.url}/v1/fail/abc", status=500)

    assert "Something went wrong" in page
    assert json.loads(answer)["errors"] == []
    assert "a secret inside" not in page + answer
    assert "RuntimeError" not in page + answer
    errors = [record for record in caplog.records if record.levelname == "ERROR"]
    assert [record.getMessage() for record in errors] == ["GET /fail/{secret} failed", "GET /v1/fail/{secret} failed"]


@pytest.mark.parametrize("path", ["/down", "/v1/down"])
async def test_an_unavailable_database_is_a_503(acme: InstallWorld, path: str) -> None:
    """The response says when to try again."""
    async with acme.http.get(acme.url + path) as answer:
        assert answer.status == 503
        assert answer.headers["Retry-After"] == "10"


async def test_an_error_with_its_own_body_is_not_changed(acme: InstallWorld) -> None:
    """Only errors without a readable body get one."""
    assert await acme.get_page(f"{acme.url}/v1/mine", status=409) == '{"error": "mine"}'


# Requests from Slack


async def test_slack_can_verify_the_request_url(acme: InstallWorld) -> None:
    """This is Slack's first request to a new URL."""
    assert await acme.slack.verify_url()


async def test_a_signed_event_is_acknowledged(acme: InstallWorld) -> None:
    """Signed events of known types are answered with 200."""
    assert await acme.slack.send_event(acme.team.id, {"type": "app_home_opened", "user": "U1", "tab": "home"}) == 200


async def test_a_listener_gets_the_bot_token_without_calling_slack(acme: InstallWorld) -> None:
    """Token, bot and scopes come from the database. Bolt's own way calls auth.test for every request."""
    heard = await _contexts(acme)
    acme.slack.api.records.clear()

    await acme.slack.send_event(acme.team.id, {"type": "team_join", "user": {"id": "U1"}})
    (context,) = await heard(1)

    installed = acme.slack.world.active_token(acme.team.id)
    assert installed is not None
    assert context.bot_token == installed.value
    assert (context.bot_user_id, context.bot_id) == (installed.bot_user, installed.bot_id)
    assert (context.team_id, context.enterprise_id) == (acme.team.id, None)
    assert acme.slack.calls == []


async def test_a_request_from_an_unknown_workspace_is_logged_and_acknowledged(
    acme: InstallWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """Slack's last requests arrive after the app was removed, which is not an error."""
    caplog.set_level("INFO", "listeners.slack.oauth")

    assert await say(acme, EVENT.replace("T0000000001", "T0GONE")) == 200

    errors = [record for record in caplog.records if record.name == "listeners.slack.oauth"]
    assert [(record.levelname, record.getMessage()) for record in errors] == [
        ("INFO", "Ignored a request from workspace T0GONE, which has not installed the app")
    ]


async def test_a_listener_gets_the_token_of_an_organization(acme: InstallWorld) -> None:
    """The event comes from a workspace that has no installation of its own."""
    grid = acme.slack.add_team("Acme East", enterprise_id="E0001", enterprise_name="Acme Group")
    owner = acme.slack.add_user(grid, "Kim Park", "kim@acme.example", is_owner=True)
    assert (await acme.approve_install(owner, org_wide=True)).status == 200
    heard = await _contexts(acme)

    await acme.slack.send_event(grid.id, {"type": "team_join", "user": {"id": "U1"}})
    (context,) = await heard(1)

    assert context.bot_token == await acme.installations.bot_token("E0001")
    assert (context.team_id, context.enterprise_id) == (None, "E0001")


async def _contexts(acme: InstallWorld) -> Callable[[int], Awaitable[list[AsyncBoltContext]]]:
    """Record the context of each team_join event. Return a function that waits for a number of them."""
    queue: asyncio.Queue[AsyncBoltContext] = asyncio.Queue()

    async def note(context: AsyncBoltContext) -> None:
        queue.put_nowait(context)

    assert acme.bolt is not None
    acme.bolt.event("team_join")(note)

    async def heard(number: int) -> list[AsyncBoltContext]:
        async with asyncio.timeout(GENEROUS_TIMEOUT):
            return [await queue.get() for _ in range(number)]

    return heard


@pytest.mark.parametrize("kind", ["never_heard_of", "message", "channel_created"])
async def test_an_event_without_a_listener_is_acknowledged(acme: InstallWorld, kind: str) -> None:
    """Slack counts a 404 as a failure, repeats the event, and finally disables the app."""
    assert await acme.slack.send_event(acme.team.id, {"type": kind, "user": "U1"}) == 200


async def test_an_unavailable_database_makes_slack_repeat_the_event(acme: InstallWorld) -> None:
    """A 200 would lose the event."""
    break_database(acme.database)

    assert await acme.slack.send_event(acme.team.id, {"type": "app_home_opened", "tab": "home"}) >= 500


EVENT = json.dumps({"type": "event_callback", "team_id": "T0000000001", "event": {"type": "app_home_opened"}})


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Slack-Signature": "v0=abc"},
        {"X-Slack-Request-Timestamp": "1"},
        signed(EVENT.encode(), secret="another"),
        signed(b"another body"),
        signed(EVENT.encode(), at=time.time() - 400),
        signed(EVENT.encode(), at=time.time() + 100_000),
        {**signed(EVENT.encode()), "X-Slack-Request-Timestamp": "soon"},
        {**signed(EVENT.encode()), "X-Slack-Request-Timestamp": "9" * 5000},
        {**signed(EVENT.encode()), "X-Slack-Request-Timestamp": "-1"},
        {**signed(EVENT.encode()), "X-Slack-Request-Timestamp": "1e9"},
        {**signed(EVENT.encode()), "X-Slack-Request-Timestamp": ""},
        {**signed(EVENT.encode()), "X-Slack-Request-Timestamp": "\u0661\u0662"},
        {**signed(EVENT.encode()), "X-Slack-Signature": "v0=\u00e9\u2603"},
        {**signed(EVENT.encode()), "X-Slack-Signature": ""},
    ],
)
async def test_a_request_without_a_valid_signature_is_refused(
    acme: InstallWorld, headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """Forged and outdated signatures are answered with 401, and leave a line in the log."""
    assert await say(acme, EVENT, headers) == 401
    assert "Refused 1 request to Slack's endpoint with HTTP 401" in caplog.text


@pytest.mark.parametrize("body", [b"\xff\xfe\xfd", b"payload=\xff", b'{"type": "\xe9"}', b"", b"\x00" * 100])
async def test_unsigned_bytes_are_refused(acme: InstallWorld, body: bytes) -> None:
    """Bytes that are not UTF-8 are refused even with a signature, since Slack signs text."""
    assert await say(acme, body, {}) == 401
    if b"\xff" in body:
        assert await say(acme, body) == 401


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "{]",
        '{"type": "event_callback", "event": ',
        '{"a":' * 100_000,
        '{"a":' + "[" * 100_000 + "]" * 100_000 + "}",
        "payload=",
        "payload={",
        "payload=[]",
        "payload=1",
        "payload=null",
        "payload=%7B%22type%22%3A",
        "payload=" + quote("[" * 50_000),
        '{"type": "event_callback"}',
        '{"type": "event_callback", "event": null}',
        '{"type": "event_callback", "event": "x"}',
        '{"type": "event_callback", "event": {}}',
        '{"type": "event_callback", "event": {"type": 5}}',
        '{"type": 5}',
        '{"authorizations": 5}',
        '{"authorizations": [5]}',
        '{"team": 5}',
        '{"enterprise": 5}',
        '{"view": 5}',
        '{"response_urls": 5}',
        '{"response_urls": [5]}',
        "payload=" + quote('{"type": "block_actions"}'),
        "payload=" + quote('{"type": "block_actions", "actions": []}'),
        "payload=" + quote('{"type": "block_actions", "actions": [5]}'),
        "payload=" + quote('{"type": "view_submission"}'),
        "payload=" + quote('{"type": "view_submission", "view": {}}'),
    ],
    ids=range(30),
)
async def test_a_signed_but_invalid_payload_is_a_400(acme: InstallWorld, body: str) -> None:
    """Bolt would answer most of these with a 500."""
    assert await say(acme, body) == 400


@pytest.mark.parametrize("depth", range(880, 1020, 20))
async def test_deep_nesting_causes_no_server_error(acme: InstallWorld, depth: int) -> None:
    """Bolt looks for ids in nested events, and Python limits the depth of recursion."""
    assert await say(acme, '{"event":' * depth + "{}" + "}" * depth) < 500


@pytest.mark.parametrize("charset", ["utf-16", "nonsense", "\u00fc"])
async def test_the_charset_of_the_content_type_is_ignored(acme: InstallWorld, charset: str) -> None:
    """Slack signs UTF-8, so bodies are read as UTF-8."""
    assert await say(acme, EVENT, None, **{"Content-Type": f"application/json; charset={charset}"}) == 200


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = [
    "type",
    "team",
    "team_id",
    "enterprise",
    "enterprise_id",
    "user",
    "user_id",
    "event",
    "view",
    "actions",
    "channel",
    "channel_id",
    "message",
    "container",
    "authorizations",
    "is_enterprise_install",
    "response_url",
    "response_urls",
    "callback_id",
    "command",
    "api_app_id",
    "trigger_id",
    "ssl_check",
    "challenge",
    "block_id",
    "action_id",
    "text",
    "token",
    "event_id",
    "bot_id",
    "state",
    "function_data",
    "interactivity",
    "function_execution_id",
    "is_ext_shared_channel",
    "event_ts",
    "ts",
    "thread_ts",
    "subtype",
]
KINDS = [
    "T0000000001",
    "event_callback",
    "block_actions",
    "view_submission",
    "view_closed",
    "url_verification",
    "shortcut",
    "message_action",
    "interactive_message",
    "block_suggestion",
    "dialog_submission",
    "app_home_opened",
    "press",
    "dialog",
    "app_rate_limited",
]
payloads = st.dictionaries(
    st.sampled_from(KEYS),
    st.sampled_from(KINDS)
    | json_values
    | st.dictionaries(st.sampled_from([*KEYS, "id", "team_id"]), st.sampled_from(KINDS) | json_values, max_size=4)
    | st.lists(st.dictionaries(st.sampled_from([*KEYS, "id"]), st.sampled_from(KINDS) | json_values), max_size=2),
    max_size=7,
)


async def test_no_signed_payload_causes_a_server_error(acme: InstallWorld, caplog: pytest.LogCaptureFixture) -> None:
    """Property: every signed payload is answered with a status below 500."""
    caplog.set_level("CRITICAL")
    statuses: list[tuple[int, str]] = []

    @settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(payload=payloads, is_form=st.booleans())
    def collect(payload: dict[str, Any], is_form: bool) -> None:
        text = json.dumps(payload)
        bodies.append(urlencode({"payload": text}) if is_form else text)

    bodies: list[str] = []
    collect()
    for body in bodies:
        status = await say(acme, body)
        if status >= 500:
            statuses.append((status, body))

    assert statuses == []


async def test_random_bytes_cause_no_server_error(acme: InstallWorld) -> None:
    """Property: no bytes, on any path, are answered with a 5xx."""
    chance = random.Random(7)
    for _ in range(60):
        body = chance.randbytes(chance.randrange(200))
        path = chance.choice(["/slack/events", "/slack/default-channel", "/", "/v1/mine"])
        kind = chance.choice(["application/json", "multipart/form-data; boundary=x", "text/plain; charset=x", "x"])
        async with acme.http.post(acme.url + path, data=body, headers={"Content-Type": kind}) as answer:
            assert answer.status < 500, (path, body)


# Size and speed of requests


async def test_a_body_can_have_one_mebibyte(acme: InstallWorld) -> None:
    """One byte more is refused."""
    padded = EVENT[:-1] + " " * (BODY_LIMIT - len(EVENT)) + "}"
    assert len(padded) == BODY_LIMIT
    assert await say(acme, padded) == 200
    assert await say(acme, padded + " ") == 413


def slack_headers(now: int) -> dict[str, str]:
    """Headers of the form that Slack's have; without them the body is not read."""
    return {"X-Slack-Request-Timestamp": str(now // 1_000), "X-Slack-Signature": f"v0={'0' * 64}"}


async def test_a_chunked_body_is_limited_too(acme: InstallWorld) -> None:
    """Its size is counted while it arrives."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 65_536

    async with acme.http.post(f"{acme.url}/slack/events", data=chunks(), headers=slack_headers(acme.now())) as answer:
        assert answer.status == 413


@pytest.mark.parametrize(
    "request_text",
    [
        b"POST /slack/events HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        b"POST /slack/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        b"GET /%ff%00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /slack/oauth_redirect?code=%ff&state=\xff HTTP/1.1\r\nHost: x\r\nCookie: \xff\r\n\r\n",
        b"GET //example.com/%2e%2e HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=range(9),
)
async def test_malformed_http_is_a_client_error(acme: InstallWorld, request_text: bytes) -> None:
    """What a client sends is never a server error."""
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(acme.url).port, family=socket.AF_INET)
    writer.write(request_text)
    async with asyncio.timeout(GENEROUS_TIMEOUT):
        status = (await reader.readline()).split(b" ")[1]
    writer.close()
    await writer.wait_closed()

    assert b"400" <= status < b"500"


async def test_any_query_string_is_accepted(acme: InstallWorld) -> None:
    """No page fails because of its query string."""
    chance = random.Random(11)
    for path in ("/", "/slack/install", "/slack/oauth_redirect", "/slack/default-channel"):
        for _ in range(15):
            query = "".join(chance.choices(string.printable, k=chance.randrange(60)))
            async with acme.http.get(
                f"{acme.url}{path}?link={quote(query)}&state={quote(query)}&error={quote(query)}", allow_redirects=False
            ) as answer:
                assert answer.status < 500


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "anything"])
async def test_compressed_bodies_are_not_decompressed(acme: InstallWorld, encoding: str) -> None:
    """Slack signs the bytes as they are sent, and a few compressed bytes could expand to gigabytes."""
    assert await say(acme, EVENT, None, **{"Content-Encoding": encoding}) == 200


async def test_slow_clients_are_disconnected(sqlite_url: str) -> None:
    """An incomplete body is answered with 408, an incomplete header with nothing."""
    database = Database(sqlite_url)
    async with open_install_world(database, patience_seconds=0.2) as made:
        port = urlsplit(made.url).port
        headers = "".join(f"{name}: {value}\r\n" for name, value in slack_headers(made.now()).items())
        start = f"POST /slack/events HTTP/1.1\r\nHost: x\r\n{headers}".encode()
        async with asyncio.timeout(GENEROUS_TIMEOUT):
            slow_body = await _said(port, start + b"Content-Length: 9\r\n\r\nhalf")
            slow_head = await _said(port, start)
    await database.close()

    assert slow_body.startswith(b"HTTP/1.1 408")
    assert slow_head == b""


async def test_a_client_that_reads_no_answers_is_disconnected() -> None:
    """It would keep its connection, and what fits into the buffers, for ever."""
    app = web.Application()
    app.router.add_get("/", _long_answer)
    runner = create_runner(app, idle_seconds=0.3)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    assert runner.server
    with socket.create_connection(runner.addresses[0]) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
        async with asyncio.timeout(GENEROUS_TIMEOUT):
            await _until(lambda: bool(runner.server and runner.server.connections))
            await _until(lambda: not (runner.server and runner.server.connections))
    await runner.cleanup()


async def _long_answer(_request: web.Request) -> web.Response:
    return web.Response(body=bytes(1_000_000))


async def _until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 - the system drops the connection
        await asyncio.sleep(0.02)


async def test_bodies_that_are_announced_and_not_sent_keep_nobody_out(acme: InstallWorld) -> None:
    """Only what has arrived takes memory. Strangers need no secret to send headers that look signed."""
    headers = "".join(f"{name}: {value}\r\n" for name, value in slack_headers(acme.now()).items())
    head = f"POST /slack/events HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {BODY_LIMIT}\r\n\r\n"
    port = urlsplit(acme.url).port
    connections = [await asyncio.open_connection("127.0.0.1", port, family=socket.AF_INET) for _ in range(40)]
    for _, writer in connections:
        writer.write(head.encode() + b"x")
        await writer.drain()

    assert await say(acme, EVENT) == 200
    for _, writer in connections:
        writer.close()
        await writer.wait_closed()


async def _said(port: int | None, request: bytes) -> bytes:
    """Everything that the server sends until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, family=socket.AF_INET)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_without_credentials_there_is_no_slack_endpoint(sqlite_url: str) -> None:
    """Without a signing secret, no request could be verified."""
    database = Database(sqlite_url)
    async with open_install_world(database, has_credentials=False) as made:
        assert await say(made, EVENT) == 404
    await database.close()
