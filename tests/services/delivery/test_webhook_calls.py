"""Calls to outgoing webhooks over real connections: which addresses are called, how, and what an answer means."""

from __future__ import annotations

import asyncio
import socket
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver
from aiohttp.test_utils import TestServer

from domain.errors import TransientError
from services.delivery.webhook_calls import GoneError, PublicResolver, WebhookCalls
from services.intake.signatures import text_of
from services.settings import DIRECT, VERSION, Network
from tests.acceptance.proxy import ForwardProxy, make_certificates
from tests.conftest import SOMEDAY
from tests.servers import free_port

HOST = "hooks.example.com"
SECRET = text_of(b"0" * 32)

REFUSED = [
    "http://hooks.example.com/",
    "https://127.0.0.1/",
    "https://localhost/",
    "https://hooks.localhost/",
    "https://10.0.0.8/",
    "https://169.254.169.254/latest/meta-data",
    "https://224.0.0.1/",
    "https://[::1]/",
    "https://[::ffff:10.0.0.8]/",
    "https://[2002:a00:8::1]/",
    "https://[fd00::1]/",
    "https://user:password@hooks.example.com/",
    "https://hooks.example.com:port/",
    "https://hooks.example.com/#part",
    "https://hooks.example.com/a b",
    "https://hooks.example.com/ü",
    f"https://hooks.example.com/{'a' * 1_975}",
    "ftp://hooks.example.com/",
    "hooks.example.com",
    "https:///events",
    "",
]


def calls_of(network: Network = DIRECT, trusted: str | None = None, *, allows_loopback: bool = False) -> WebhookCalls:
    return WebhookCalls(network, ssl.create_default_context(cafile=trusted), allows_loopback, lambda: SOMEDAY)


def test_only_public_https_addresses_are_called():
    """This machine only between stand-ins."""
    calls, between_stand_ins = calls_of(), calls_of(allows_loopback=True)

    assert [url for url in REFUSED if calls.url_fault(url) is None] == []
    assert calls.url_fault("https://hooks.example.com/a?b=c") is None
    assert calls.url_fault(f"https://hooks.example.com/{'a' * 1_974}") is None
    called = ["http://127.0.0.1:80/", "https://localhost:443/"]
    assert [url for url in called if between_stand_ins.url_fault(url) is not None] == []
    refused = ["ftp://127.0.0.1/", "http://hooks.example.com/", "https://10.0.0.8/", "https://user@localhost/"]
    assert [url for url in refused if between_stand_ins.url_fault(url) is None] == []


async def test_an_address_that_has_become_refused_is_not_called():
    """An earlier version may have stored it."""
    calls = calls_of()

    with pytest.raises(TransientError) as refused:
        await calls.post("https://10.0.0.8/", [SECRET], "msg_1", b"{}")

    assert str(refused.value) == calls.url_fault("https://10.0.0.8/")


class FixedResolver(AbstractResolver):
    """A name server that answers every name with these addresses."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    async def resolve(self, host, port=0, family=socket.AF_INET):
        common = {"hostname": host, "port": port, "family": family, "proto": 0, "flags": 0}
        return [{"host": address, **common} for address in self.addresses]

    async def close(self) -> None:
        pass


async def test_a_name_with_a_private_address_is_not_called():
    """It is looked up for the call itself, so that it cannot change between a check and the call."""
    mixed = PublicResolver(FixedResolver("10.0.0.8", "93.184.215.14"))
    assert [result["host"] for result in await mixed.resolve("hooks.example.com")] == ["93.184.215.14"]

    with pytest.raises(OSError, match="private"):
        await PublicResolver(FixedResolver("127.0.0.1", "10.0.0.8")).resolve("hooks.example.com")


async def test_a_call_looks_its_name_up_and_connects_to_no_private_address():
    """`0x7f.1` is a name that every resolver reads as 127.0.0.1. Admins read why their webhook is not called."""
    connections = []

    async def serve(_reader, writer):
        connections.append(writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(TransientError, match="private network"):
            await calls_of().post(f"https://0x7f.1:{port}/", [SECRET], "msg_1", b"{}")

    assert connections == []


@dataclass
class Receiver:
    """Answers with these values at an address that ends in /events."""

    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        self.requests.append((dict(request.headers), await request.read()))
        return web.Response(status=self.status, headers=self.headers)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/events", self.handle)
        return app


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
async def url(receiver) -> AsyncIterator[str]:
    """The receiver's address, with the name of this machine."""
    async with TestServer(receiver.app()) as server:
        yield f"http://localhost:{server.port}/events"


async def test_an_event_passes_the_proxy_to_a_receiver_whose_certificate_is_trusted(receiver, tmp_path):
    """The proxy resolves the name and gets its own credentials. Without the operator's CA, nothing is sent."""
    ca_file, file = make_certificates(tmp_path, HOST)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    proxy = ForwardProxy()
    server = TestServer(receiver.app(), scheme="https")
    await server.start_server(ssl=context)
    async with server, proxy.serving() as proxy_url:
        proxy.routes[HOST] = server.port
        network = Network(https_proxy=proxy_url.replace("127.0.0.1", "localhost"))
        with pytest.raises(TransientError):
            await calls_of(network).post(f"https://{HOST}/events", [SECRET], "msg_1", b"{}")
        status = await calls_of(network, str(ca_file)).post(f"https://{HOST}/events", [SECRET], "msg_2", b'{"a": 1}')

    ((headers, body),) = receiver.requests
    assert (status, body) == (204, b'{"a": 1}')
    sent = {name: headers[name] for name in ("Content-Type", "User-Agent", "webhook-id", "webhook-timestamp")}
    assert sent == {
        "Content-Type": "application/json",
        "User-Agent": f"usergems-slack/{VERSION}",
        "webhook-id": "msg_2",
        "webhook-timestamp": str(SOMEDAY // 1_000),
    }
    assert "Proxy-Authorization" not in headers
    assert (proxy.tunnels, proxy.others) == ([HOST, HOST], [])
    assert proxy.credentials == {f"Proxy-Authorization: Basic {b64encode(b'gems:secret').decode()}"}


async def test_only_2xx_means_that_an_event_was_received(receiver, url):
    """No redirect is followed, because it could lead anywhere. 410 means that the receiver wants no more events."""
    calls, received = calls_of(allows_loopback=True), []
    receiver.headers = {"Location": "/events"}
    for receiver.status in (200, 299, 300, 307, 404, 410, 500):
        try:
            received.append(await calls.post(url, [SECRET], "msg_1", b"{}"))
        except (TransientError, GoneError) as error:
            received.append(type(error))

    assert received == [200, 299, *[TransientError] * 3, GoneError, TransientError]
    assert len(receiver.requests) == len(received)


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [("120", 120), ("3601", 3_600), ("9" * 10, None), ("Tue, 01 Dec 2026 00:00:00 GMT", None), (None, None)],
)
async def test_a_receiver_may_ask_us_to_wait_for_up_to_an_hour(receiver, url, asked, seconds):
    """In seconds. Whatever else it says, the usual wait applies."""
    receiver.status, receiver.headers = 503, {"Retry-After": asked} if asked else {}

    with pytest.raises(TransientError, match="503") as refused:
        await calls_of(allows_loopback=True).post(url, [SECRET], "msg_1", b"{}")

    assert refused.value.retry_after == seconds


async def test_a_receiver_that_cannot_be_reached_is_tried_again():
    """The admin reads the kind of failure."""
    with pytest.raises(TransientError, match="ClientConnectorError") as failed:
        await calls_of(allows_loopback=True).post(f"http://127.0.0.1:{free_port()}/", [SECRET], "msg_1", b"{}")

    assert failed.value.retry_after is None
