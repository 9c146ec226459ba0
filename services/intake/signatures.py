"""Makes and checks Standard Webhooks signatures (https://www.standardwebhooks.com). Pure."""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass, field

SECRET_PREFIX = "whsec_"  # noqa: S105 - the prefix, not a secret
TOLERANCE_MS = 5 * 60 * 1_000
MOST_FIRST_USES = 10_000


@dataclass(frozen=True)
class Signature:
    """
    The three headers of the standard as bytes, since bytes are signed and headers may not be text.

    The reference library is not used to verify: it reads the clock itself, and raises many kinds of errors for
    malformed headers and bodies that are not UTF-8.
    """

    message_id: bytes
    timestamp: bytes
    signatures: bytes = field(repr=False)  # several, separated by spaces, while a sender rotates its secret

    def is_timely(self, now: int) -> bool:
        """Whether the timestamp is at most five minutes from `now`, which is in milliseconds."""
        if not self.timestamp.isdigit() or len(self.timestamp) > 12:
            return False
        return abs(now - int(self.timestamp) * 1_000) <= TOLERANCE_MS

    def is_made_with(self, secret: bytes, body: bytes) -> bool:
        """Whether one of the signatures is valid. Each is compared in constant time."""
        expected = signature_of(secret, self.message_id, self.timestamp, body)
        return any(hmac.compare_digest(expected, signature) for signature in self.signatures.split(b" "))


@dataclass(frozen=True)
class FirstUses:
    """Accepts a signature that does not cover the path for the first path only with which it came."""

    _targets: dict[tuple[bytes, bytes], str] = field(default_factory=dict, init=False, repr=False)

    def is_first(self, signature: Signature, target: str) -> bool:
        """Whether the signature has not come with another target. `target` is the path and query."""
        if len(self._targets) >= MOST_FIRST_USES:
            del self._targets[next(iter(self._targets))]
        return self._targets.setdefault((signature.message_id, signature.timestamp), target) == target


def signature_of(secret: bytes, message_id: bytes, timestamp: bytes, body: bytes) -> bytes:
    """Return the value of `webhook-signature`. `timestamp` is in seconds."""
    signed = hmac.digest(secret, b".".join((message_id, timestamp, body)), "sha256")
    return b"v1," + base64.b64encode(signed)


def secret_of(text: str) -> bytes:
    """Return the bytes of a secret written as `whsec_…`. Raises ValueError."""
    try:
        return base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except ValueError as error:  # binascii.Error is one
        raise ValueError("a signing secret is whsec_ followed by base64") from error


def text_of(secret: bytes) -> str:
    """Return the text form of a secret."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()
