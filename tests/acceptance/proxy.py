"""A forward proxy, and sandboxes behind it: https with a CA of its own, at names that only the proxy can resolve."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.acceptance.process import Deployment

SLACK_HOST, SALESFORCE_HOST = "slack.example", "acme.my.salesforce.com"


@dataclass
class ForwardProxy:
    """
    Opens tunnels for CONNECT requests. `routes` are ports on this machine by host; other hosts get a 502.

    `tunnels` lists the hosts of all CONNECT requests, `others` the first lines of all other requests, and `credentials`
    the distinct values of Proxy-Authorization.
    """

    routes: dict[str, int] = field(default_factory=dict)
    tunnels: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    credentials: set[str] = field(default_factory=set)
    _open: set[asyncio.Task[None]] = field(default_factory=set, init=False)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Serve on a free port and yield the address with a user name and password."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        try:
            yield f"http://gems:secret@127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            for connection in self._open:
                connection.cancel()
            await asyncio.gather(*self._open, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(self._serve(reader, writer))
        self._open.add(connection)
        connection.add_done_callback(self._open.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *headers = head.splitlines()
            method, target, _version = first.split(" ")
            self.credentials |= {line for line in headers if line.lower().startswith("proxy-authorization:")}
            host = target.removesuffix(":443")
            (self.tunnels if method == "CONNECT" else self.others).append(host if method == "CONNECT" else first)
            if method == "CONNECT" and host in self.routes:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                upstream = await asyncio.open_connection("127.0.0.1", self.routes[host])
                await asyncio.gather(_copy(reader, upstream[1]), _copy(upstream[0], writer))
            else:
                writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with closing(writer), suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()


def make_certificates(folder: Path, *hosts: str) -> tuple[Path, Path]:
    """Make a CA, and a certificate for the hosts. Returns the files of the CA, and of the certificate with its key."""
    authority = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Acme inspection CA")])
    names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])])
    ca = _builder(authority, authority, ca_key).add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
    ca_id = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    ca = ca.add_extension(ca_id, False).add_extension(_usage(signs_certificates=True), True)
    leaf = _builder(subject, authority, key).add_extension(names, False)
    leaf = leaf.add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ca_id), False)
    ca_file, file = folder / "ca.pem", folder / "server.pem"
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    ca_file.write_bytes(ca.sign(ca_key, hashes.SHA256()).public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    file.write_bytes(private + leaf.sign(ca_key, hashes.SHA256()).public_bytes(pem))
    return ca_file, file


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


@asynccontextmanager
async def behind_proxy(app: Deployment) -> AsyncIterator[ForwardProxy]:
    """Move both sandboxes behind a proxy: https at SLACK_HOST and SALESFORCE_HOST, with the CA in SSL_CERT_FILE."""
    ca_file, file = make_certificates(app.folder, SLACK_HOST, SALESFORCE_HOST)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    proxy = ForwardProxy()
    runners = []
    for host, served in ((SLACK_HOST, app.slack.web_app()), (SALESFORCE_HOST, app.salesforce.web_app())):
        runner = web.AppRunner(served, access_log=None)
        await runner.setup()
        runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        proxy.routes[host] = runner.addresses[0][1]
    loopback = app.slack.url, app.salesforce.url
    app.slack.url, app.salesforce.url = f"https://{SLACK_HOST}", f"https://{SALESFORCE_HOST}"
    async with proxy.serving() as address:
        app.environ |= {
            "SLACK_API_URL": f"https://{SLACK_HOST}/api/",
            "SALESFORCE_LOGIN_URL": f"https://{SALESFORCE_HOST}",
            "HTTPS_PROXY": address,
            "SSL_CERT_FILE": str(ca_file),
        }
        try:
            yield proxy
        finally:
            for runner in runners:
                await runner.cleanup()
            app.slack.url, app.salesforce.url = loopback
