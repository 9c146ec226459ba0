"""How often one address may knock: at the pages of an installation, and anywhere without being let in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from services.intake.rate_limit import Allowance

PAGES_AT_ONCE, PAGES_A_SECOND = 200, 20
"""Visits to the pages of an installation, which call Slack and Salesforce or store a state, by one address."""

REFUSALS_AT_ONCE, REFUSALS_A_SECOND = 2_000, 50
"""Requests of one address that prove nothing, before they are not even told so."""

_PAGES = ("/slack/install", "/slack/oauth_redirect", "/slack/default-channel", "/salesforce/")
_REFUSED = frozenset({401, 403})
_NEIGHBOURS = 64
"""Bits of an IPv6 address that belong to one household: the rest is theirs to choose."""


def pacing(now: Callable[[], int]) -> Middleware:
    """
    Asks to wait with 429. *now* in milliseconds.

    Who proves to be genuine is never counted at the doors of senders and of Slack, whatever comes from the same
    address: behind a proxy or a company's gateway that may be anybody's.
    """
    visits = Allowance(now, PAGES_AT_ONCE, PAGES_A_SECOND)
    refusals = Allowance(now, REFUSALS_AT_ONCE, REFUSALS_A_SECOND)

    @web.middleware
    async def pace(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(_PAGES):
            _allow(visits, request)
        response = await handler(request)
        if response.status in _REFUSED:
            _allow(refusals, request)
        return response

    return pace


def _allow(allowance: Allowance, request: web.Request) -> None:
    wait = allowance.wait_for(address_of(request.remote, request.headers), 1)
    if wait is not None:
        raise web.HTTPTooManyRequests(headers={"Retry-After": str(wait), "Connection": "close"})


def address_of(peer: str | None, headers: Mapping[str, str]) -> str:
    """
    Whose request it is. A proxy on this machine or in our network is believed whom it speaks for.

    It writes the address it saw behind those that the client claims, so the last one counts.
    """
    told = _parsed(peer or "")
    if told is not None and (told.is_loopback or told.is_private):
        told = _parsed(headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()) or told
    if isinstance(told, IPv6Address):
        return str(ip_network((told, _NEIGHBOURS), strict=False))
    return str(told)


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(address)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
