"""How senders authenticate requests: what each header holds, and what it is compared with. Pure."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from domain.workspace import BEARER, SIGNING
from services.intake.signatures import TOLERANCE_MS, Signature

Headers = Mapping[str, str]


class Signed(Protocol):
    """A signature over the body."""

    def is_timely(self, now: int) -> bool:
        """Whether it was made within the tolerance. `now` is in milliseconds."""
        ...

    def is_made_with(self, secret: bytes, body: bytes) -> bool: ...


@dataclass(frozen=True)
class Credentials:
    """What a request sends to authorize itself: a signature, or keys."""

    signature: Signed | None = None
    bearers: tuple[bytes, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Proof:
    """
    A way to prove that a request is genuine.

    `kind` says which key it needs: SIGNING or BEARER. `read` returns what the headers of a request prove it with.
    `about` describes it to admins. The app makes the key, unless the vendor does: then an admin enters it.
    """

    kind: str
    read: Callable[[Headers], Credentials]
    about: str
    is_made_by_vendor: bool = False


@dataclass(frozen=True)
class TimedSignature:
    """
    A hex HMAC-SHA256 over the timestamp, a dot and the body, which is what Crustdata and Lusha send.

    `timestamp` is in seconds or milliseconds since 1970. `digests` may be in upper or lower case.
    """

    timestamp: bytes
    digests: tuple[bytes, ...] = field(repr=False)

    def is_timely(self, now: int) -> bool:
        if not self.timestamp.isdigit() or len(self.timestamp) > 15:
            return False
        at = int(self.timestamp)
        return abs(now - (at if at >= _FIRST_IN_MILLISECONDS else at * 1_000)) <= TOLERANCE_MS

    def is_made_with(self, secret: bytes, body: bytes) -> bool:
        expected = hmac.digest(secret, self.timestamp + b"." + body, "sha256").hex().encode()
        return any(hmac.compare_digest(expected, digest.lower()) for digest in self.digests)


_FIRST_IN_MILLISECONDS = 100_000_000_000
"""Smaller timestamps are in seconds, until the year 5138."""


def general_credentials(headers: Headers) -> Credentials:
    """What every sender may prove itself with: Standard Webhooks, or a key."""
    scheme, _, bearer = headers.get("Authorization", "").partition(" ")
    keys = [headers.get("X-Api-Key", ""), bearer.strip() if scheme.lower() == "bearer" else ""]
    signatures, signature = headers.get("webhook-signature"), None
    message_id, timestamp = headers.get("webhook-id"), headers.get("webhook-timestamp")
    if signatures and message_id and timestamp:
        signature = Signature(raw(message_id), raw(timestamp), raw(signatures))
    return Credentials(signature, tuple(raw(key) for key in keys if key))


def raw(header: str) -> bytes:
    """The bytes that were sent: the reverse of how aiohttp decodes headers."""
    return header.encode("utf-8", "surrogateescape")


def secret_header(name: str) -> Proof:
    """The secret itself in a header."""

    def read(headers: Headers) -> Credentials:
        secret = headers.get(name)
        return Credentials(None, (raw(secret),) if secret else ())

    return Proof(BEARER, read, f"sends a secret in the header `{name}`")


STANDARD_WEBHOOKS = Proof(
    SIGNING, general_credentials, "signs each request as https://www.standardwebhooks.com describes"
)
API_KEY = Proof(BEARER, general_credentials, "sends a key as `X-Api-Key: KEY` or `Authorization: Bearer KEY`")
