"""Hostile requests, generated from a seed: paths, headers, bodies and framing."""

from __future__ import annotations

import gzip
import hmac
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from urllib.parse import quote

JOB_CHANGE = {
    "source": "garbage",
    "signal": "contact_tracking",
    "change_type": "new_company",
    "person": {"full_name": "Ada Smith", "emails": ["ada@globex.example"]},
    "current": {"company": {"name": "Globex"}},
}

TEXTS = [
    "",
    "\x00",
    "\x1b[2J",
    "\r\nX-Evil: 1",
    "a" * 5_000,
    "\u202e\u200b\ufeff",
    "🦆" * 50,
    "' OR 1=1 --",
    "<!channel> <@U1> <https://evil.example|x>",
    "../../../../etc/passwd",
    "{{7*7}}${7*7}",
    "=cmd|' /C calc'!A0",
    "%s%n%x",
    "-1",
    "1e999",
    "9" * 400,
    "NaN",
    "undefined",
    "null",
    "T0000000001",
]

VALUES: list[bytes] = [
    *(json.dumps(text).encode() for text in TEXTS),
    b"null",
    b"true",
    b"[]",
    b"{}",
    b"0",
    b"-0",
    b"1e999",
    b"-1e999",
    b"1E400",
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"0.1e-400",
    b"9" * 5_000,
    b"1" + b"0" * 400 + b".5",
    b'"\\ud800"',
    b'"\\udfff\\ud800"',
    b'"\xed\xa0\x80"',
    b'"\xff\xfe"',
    b'"\\u0000"',
    b'"unfinished',
    b"[" * 300 + b"]" * 300,
    b"[" * 100_000,
    b'{"a":' * 500 + b"1" + b"}" * 500,
    b'{"a":' * 100_000,
    b"[" + b"1," * 20_000 + b"1]",
    b"// comment",
    b"'single'",
    b"{a: 1}",
    b"[1,]",
    b"\xef\xbb\xbf{}",
    "{}".encode("utf-16"),
    gzip.compress(b"{}" * 1_000),
    b'{"a": 1, "a": 2}',
    b'{"__proto__": {"x": 1}, "constructor": 1, "": 1}',
]
"""JSON values, valid and invalid."""

BODIES: list[bytes] = [
    *VALUES,
    b"",
    b" " * 10_000,
    b'{"job_changes": []}',
    b'{"job_changes": {}}',
    b'{"job_changes": ' + b"[" + b"{}," * 1_500 + b"{}]}",
    b'{"job_changes": null, "job_changes": [1, "x", null, []]}',
    json.dumps(JOB_CHANGE).encode()[:-9],
    json.dumps(JOB_CHANGE).encode("utf-16"),
    b"payload=",
    b"payload=" + quote("{" * 1_000).encode(),
    b"link=" + b"%41" * 3_000 + b"&channel=%00",
    b"link=x&link=y&channel=C1&channel=",
    b"&&&===;;;%%%",
    b"--x\r\nContent-Disposition: form-data; name=link\r\n\r\n1\r\n--x--\r\n",
]

CONTENT_TYPES = [
    "application/json",
    "application/json; charset=utf-7",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "multipart/form-data",
    "text/plain; charset=nonsense",
    "application/cloudevents+json",
    "\\",
    ";;;",
    "a/b" * 500,
]

HEADERS: list[bytes] = [
    b"Cookie: slack-app-oauth-state=\xff\xfe; salesforce_connect=" + b"x" * 2_000,
    b"Cookie: a=b; a=c; =; ;;; \x7f",
    b"Authorization: Basic Og==",
    b"Authorization: Bearer",
    b"Authorization: bEaReR \xc3\x28",
    b"X-Api-Key: " + b"k" * 5_000,
    b"webhook-id: \xff\r\nwebhook-timestamp: 99999999999999999999\r\nwebhook-signature: v1,AAAA v1,\xff v2,x",
    b"webhook-id: a\r\nwebhook-timestamp: -1\r\nwebhook-signature: v1," + b"A" * 3_000,
    b"X-Slack-Signature: v0=\xff\r\nX-Slack-Request-Timestamp: 1e9",
    b"Accept: */*;q=NaN\r\nAccept-Encoding: gzip;q=2, br, zstd, \xff",
    b"Expect: 100-continue",
    b"Expect: nonsense",
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x",
    b"Upgrade: h2c",
    b"Range: bytes=0-,-1,5-2",
    b"If-None-Match: *\r\nIf-Modified-Since: never",
    b"Content-Encoding: gzip",
    b"Content-Encoding: deflate, br, zstd, snake",
    b'X-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: gopher\r\nForwarded: for="[::1"',
    b"X-HTTP-Method-Override: DELETE",
    b"Host: evil.example",
    b"Referer: " + b"\x80" * 200,
    b"X-Long: " + b"x" * 9_000,
    b"\r\n".join(b"X-%d: 1" % number for number in range(200)),
    b"X-Folded: a\r\n b",
    b"Bad Header: 1",
    b": nameless",
    b"X-Null: a\x00b",
]

FRAMINGS: list[bytes] = [
    b"Content-Length: 99999999999999999999\r\n\r\nx",
    b"Content-Length: -1\r\n\r\nx",
    b"Content-Length: +5\r\n\r\nhello",
    b"Content-Length: 5, 5\r\n\r\nhello",
    b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nx\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n-1\r\nx\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n2;" + b"x" * 9_000 + b"\r\n{}\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nTrailer: \x00\r\n\r\n",
    b"Transfer-Encoding: chunked, gzip\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    b"Transfer-Encoding: \x0bchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    b"Content-Length: 100\r\n\r\n{",
    b"\r\n\x00\x01\x02",
]
"""Ends of headers and bodies. Such a request has no clear end, so no response is awaited."""

NOT_REQUESTS: list[bytes] = [
    b"",
    b"\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET / HTTP/1.1",
    b"GET  /  HTTP/1.1\r\n\r\n",
    b"G\x00T / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"CONNECT evil.example:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://evil.example/ HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"X" * 20_000,
    b"GET / HTTP/1.1\r\n" + b"X: 1\r\n" * 2_000,
]
"""Bytes that are not an HTTP request."""


@dataclass(frozen=True)
class Garbage:
    """Bytes to send. `is_answered` is whether they have a clear end, so that a response must come."""

    sent: bytes
    is_answered: bool = True


@dataclass(frozen=True)
class Target:
    """The attacked workspace, with stolen secrets to sign requests."""

    workspace_id: str
    intake_key: str
    signing_secret: str


ROUTES: dict[str, tuple[str, str]] = {
    "/": ("GET", "/"),
    "/assets/{name}": ("GET", "/assets/{}"),
    "/slack/install": ("GET", "/slack/install?team={}"),
    "/slack/oauth_redirect": ("GET", "/slack/oauth_redirect?code={}&state={}&error={}"),
    "/slack/default-channel": ("POST", "/slack/default-channel?link={}"),
    "/slack/default-channel/more": ("GET", "/slack/default-channel/more?link={}"),
    "/slack/events": ("POST", "/slack/events"),
    "/salesforce/connect": ("POST", "/salesforce/connect?link={}"),
    "/salesforce/callback": ("GET", "/salesforce/callback?state={}&code={}&error_description={}"),
    "/v1/workspaces/{workspace_id}/job-changes": ("POST", "/v1/workspaces/{workspace}/job-changes?source={}"),
    "/v1/workspaces/{workspace_id}/job-changes/{id}": ("GET", "/v1/workspaces/{workspace}/job-changes/{}"),
    "/openapi.json": ("GET", "/openapi.json?{}"),
    "/healthz": ("GET", "/healthz"),
    "/readyz": ("GET", "/readyz"),
    "/metrics": ("GET", "/metrics?{}"),
}
"""Every route by its pattern, with its method and a template of its URL."""

METHODS = ["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "get", "FOO"]


def garbage(route: str, target: Target, number: int, seed: int = 0) -> Iterator[Garbage]:
    """So many requests for one route. They are the same in every run."""
    chance = Random(f"{route} {seed}")
    for _ in range(number):
        if chance.random() < 0.02:
            yield Garbage(chance.choice(NOT_REQUESTS), is_answered=False)
        else:
            yield _request(route, target, chance)


def _request(route: str, target: Target, chance: Random) -> Garbage:
    proper_method, pattern = ROUTES[route]
    method = proper_method if chance.random() < 0.8 else chance.choice(METHODS)
    lines = [f"{method} {_path(pattern, target, chance)} HTTP/1.{chance.choice('1110')}".encode("utf-8", "replace")]
    lines += [b"Host: x", f"X-Forwarded-For: {_address(chance)}".encode(), b"Connection: close"]
    lines += [chance.choice(HEADERS) for _ in range(chance.choice([0, 0, 1, 1, 2]))]
    if method == "HEAD":
        return Garbage(b"\r\n".join(lines) + b"\r\n\r\n", is_answered=False)
    if chance.random() < 0.1:
        return Garbage(b"\r\n".join(lines) + b"\r\n" + chance.choice(FRAMINGS), is_answered=False)
    body = b"" if method == "GET" and chance.random() < 0.9 else _body(route, chance)
    lines += (
        [f"Content-Type: {chance.choice(CONTENT_TYPES)}".encode()]
        if chance.random() < 0.5
        else _proper_content_type(body)
    )
    can_be_read = not any(b"Expect" in line or b"Upgrade" in line for line in lines)
    if can_be_read:
        lines += _credentials(route, target, body, chance)
    if body or method not in {"GET", "OPTIONS"}:
        lines.append(b"Content-Length: %d" % len(body))
    return Garbage(b"\r\n".join(lines) + b"\r\n\r\n" + body, can_be_read)


def _proper_content_type(body: bytes) -> list[bytes]:
    is_form = b"=" in body[:20]
    return [b"Content-Type: " + (b"application/x-www-form-urlencoded" if is_form else b"application/json")]


def _path(pattern: str, target: Target, chance: Random) -> str:
    filled = pattern.replace("{workspace}", target.workspace_id if chance.random() < 0.7 else _segment(chance))
    while "{}" in filled:
        filled = filled.replace("{}", _segment(chance), 1)
    return filled if chance.random() < 0.95 else filled + chance.choice(["/", "//", "/..", "%2f", "?", ";x", "%", "#"])


def _segment(chance: Random) -> str:
    text = chance.choice(TEXTS)[:2_000]
    encode: Callable[[str], str] = chance.choice(
        [quote, lambda text: quote(text, safe=""), lambda text: quote(text) + "%zz"]
    )
    return encode(text) or "%"


def _address(chance: Random) -> str:
    """Random addresses, so that rate limits do not stop the test."""
    return ".".join(str(chance.randrange(1, 255)) for _ in range(4))


def _body(route: str, chance: Random) -> bytes:
    if chance.random() < 0.4:
        return _mutated(chance)
    body = chance.choice(BODIES)
    return b"payload=" + quote(body[:3_000]).encode() if route == "/slack/events" and chance.random() < 0.3 else body


def _mutated(chance: Random) -> bytes:
    """A valid job change with one value or a few bytes replaced."""
    body = bytearray(json.dumps(JOB_CHANGE | {"source_event_id": str(chance.random())}).encode())
    if chance.random() < 0.6:
        old = chance.choice(
            [b'"Ada Smith"', b'"contact_tracking"', b'"garbage"', b'["ada@globex.example"]', b'"Globex"']
        )
        return bytes(body).replace(old, chance.choice(VALUES), 1)
    for _ in range(chance.randrange(1, 4)):
        body[chance.randrange(len(body))] = chance.randrange(256)
    return bytes(body[: chance.randrange(len(body))] if chance.random() < 0.2 else body)


def _credentials(route: str, target: Target, body: bytes, chance: Random) -> list[bytes]:
    """Valid credentials for most requests, so that the code behind authentication is tested too."""
    if chance.random() < 0.3:
        return []
    if route.startswith("/v1/"):
        return [f"X-Api-Key: {target.intake_key}".encode()]
    if route == "/slack/events":
        moment = str(int(time.time()))
        mac = hmac.new(target.signing_secret.encode(), b"v0:" + moment.encode() + b":" + body, "sha256").hexdigest()
        return [f"X-Slack-Request-Timestamp: {moment}\r\nX-Slack-Signature: v0={mac}".encode()]
    return []
