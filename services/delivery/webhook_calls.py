"""Calls to outgoing webhooks: signed, and never to an address inside the operator's network."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from socket import AF_UNSPEC, AddressFamily
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver

from domain.errors import PermanentError, TransientError
from services.intake.signatures import secret_of, signature_of
from services.settings import VERSION, Network, is_loopback

TIMEOUT = aiohttp.ClientTimeout(total=10, connect=5)
LONGEST_URL = 2_000
LONGEST_RETRY_AFTER = 3_600
"""Seconds that a receiver can ask us to wait."""


class GoneError(PermanentError):
    """The receiver answered 410: it wants no more events. https://github.com/standard-webhooks/standard-webhooks"""


@dataclass(frozen=True)
class WebhookCalls:
    """`wall` is this machine's own clock, in milliseconds. A stand-in for Slack allows receivers on this machine."""

    network: Network
    ssl: ssl.SSLContext | None = field(repr=False)
    allows_loopback: bool
    wall: Callable[[], int]

    def url_fault(self, url: str) -> str | None:
        """Return what is wrong with an address that an admin has entered, or None."""
        try:
            parts = urlsplit(url)
            parts.port  # noqa: B018 - raises ValueError for a malformed port
        except ValueError:
            return "This is not a valid URL."
        if len(url) > LONGEST_URL or not url.isascii() or any(character.isspace() for character in url):
            return f"A URL has up to {LONGEST_URL:,} ASCII characters and no spaces."
        if parts.username is not None or parts.fragment:
            return "Leave out the password and what follows “#”. The receiver checks the signature."
        if self.allows_loopback and is_loopback(parts.hostname) and parts.scheme in {"http", "https"}:
            return None
        if parts.scheme != "https" or not parts.hostname:
            return "The URL must start with https://"
        return None if _may_be_public(parts.hostname) else _PRIVATE

    async def post(self, url: str, secrets: Sequence[str], message_id: str, body: bytes) -> int:
        """
        Post an event and return the status. Raises GoneError and TransientError for all other failures.

        It has a signature with each of the `secrets`, of which the standard allows several.
        """
        if fault := self.url_fault(url):
            raise TransientError(fault)
        timestamp = str(self.wall() // 1_000)
        signed = (signature_of(secret_of(secret), message_id.encode(), timestamp.encode(), body) for secret in secrets)
        signatures = b" ".join(signed).decode()
        headers = {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": signatures}
        headers |= {"Content-Type": "application/json", "User-Agent": f"usergems-slack/{VERSION}"}
        proxy = self.network.proxy_for(url)
        # A proxy resolves the name itself, and decides what may be called. Its own address may be private.
        is_checked = proxy is None and not (self.allows_loopback and is_loopback(urlsplit(url).hostname))
        connector = aiohttp.TCPConnector(ssl=self.ssl or True, resolver=PublicResolver() if is_checked else None)
        try:
            # A session for each call: receivers of different workspaces share neither connections nor cookies.
            async with (
                aiohttp.ClientSession(connector=connector, timeout=TIMEOUT) as http,
                http.post(url, data=body, headers=headers, allow_redirects=False, proxy=proxy) as response,
            ):
                return _checked(response)
        except TimeoutError:
            raise TransientError(f"it did not answer within {TIMEOUT.total:.0f} seconds") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, PrivateAddressError):
                raise TransientError("its address is inside a private network") from None
            raise TransientError(f"it could not be reached ({type(error).__name__})") from None


class PrivateAddressError(OSError):
    """A name has no public address."""


class PublicResolver(AbstractResolver):
    """Resolves names to public addresses only, at the time of the call, so that a name cannot change in between."""

    def __init__(self, resolver: AbstractResolver | None = None) -> None:
        self._resolver = resolver or DefaultResolver()

    async def resolve(self, host: str, port: int = 0, family: AddressFamily = AF_UNSPEC) -> list[ResolveResult]:
        """Raises PrivateAddressError if the name has no public address, and OSError if it cannot be looked up."""
        results = await self._resolver.resolve(host, port, family)
        public = [result for result in results if _may_be_public(result["host"])]
        if not public:
            raise PrivateAddressError(_PRIVATE)
        return public

    async def close(self) -> None:
        await self._resolver.close()


_PRIVATE = "The address is inside a private network."


def _may_be_public(host: str) -> bool:
    """Whether a host is a public address, or a name."""
    try:
        address = ip_address(host)
    except ValueError:
        return host != "localhost" and not host.endswith(".localhost")
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address.sixtofour or address
    return address.is_global and not address.is_multicast


def _checked(response: aiohttp.ClientResponse) -> int:
    if response.status == 410:
        raise GoneError("it answered 410 (Gone)")
    if not 200 <= response.status < 300:
        seconds = response.headers.get("Retry-After", "")
        is_number = seconds.isascii() and seconds.isdigit() and len(seconds) < 10
        retry_after = min(int(seconds), LONGEST_RETRY_AFTER) if is_number else None
        raise TransientError(f"it answered with status {response.status}", retry_after=retry_after)
    return response.status
