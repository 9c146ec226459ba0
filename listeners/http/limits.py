"""Rate limits per client address, for the installation pages and for rejected requests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from services.intake.rate_limit import RateLimiter

PAGES_AT_ONCE, PAGES_A_SECOND = 200, 20
"""Burst and rate for the installation pages, which call Slack and Salesforce or store an OAuth state."""

REFUSALS_AT_ONCE, REFUSALS_A_SECOND = 2_000, 50
"""Burst and rate of unauthenticated requests. Above it they are answered with 429 instead of 401 or 403."""

_PAGES = ("/slack/install", "/slack/oauth_redirect", "/slack/default-channel", "/salesforce/")
_REFUSED = frozenset({401, 403})
_IPV6_PREFIX = 64
"""Bits of an IPv6 address that identify one network. Its clients can choose the rest freely."""


def rate_limits(now: Callable[[], int]) -> Middleware:
    """
    Answer with 429 above the limits. `now` returns milliseconds.

    Authenticated requests of senders and of Slack are never counted, whatever else comes from the same address: many
    clients may share the address of a proxy or a company gateway.
    """
    visits = RateLimiter(now, PAGES_AT_ONCE, PAGES_A_SECOND)
    refusals = RateLimiter(now, REFUSALS_AT_ONCE, REFUSALS_A_SECOND)

    @web.middleware
    async def limit(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(_PAGES):
            _allow(visits, request)
        response = await handler(request)
        if response.status in _REFUSED:
            _allow(refusals, request)
        return response

    return limit


def _allow(rate_limiter: RateLimiter, request: web.Request) -> None:
    wait = rate_limiter.seconds_to_wait(address_of(request.remote, request.headers.getall("X-Forwarded-For", ())), 1)
    if wait is not None:
        raise web.HTTPTooManyRequests(headers={"Retry-After": str(wait), "Connection": "close"})


def address_of(peer: str | None, forwarded: Sequence[str]) -> str:
    """
    Return the client's address, or its /64 network for IPv6.

    If the peer is on this machine or in a private network, it is taken for a proxy, and `forwarded`, its
    X-Forwarded-For headers, are trusted. A proxy appends the address it saw to those that the client claims, so the
    last one counts.
    """
    address = parsed_address(peer or "")
    if address is not None and (address.is_loopback or address.is_private):
        address = parsed_address(",".join(forwarded).rpartition(",")[2].strip()) or address
    if isinstance(address, IPv6Address):
        return str(ip_network((address, _IPV6_PREFIX), strict=False))
    return str(address)


def parsed_address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
