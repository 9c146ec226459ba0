"""Whether a request carries a Standard Webhooks signature: https://www.standardwebhooks.com. Pure."""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass, field

SECRET_PREFIX = "whsec_"  # noqa: S105 - the prefix, not a secret
TOLERANCE_MS = 5 * 60 * 1_000


@dataclass(frozen=True)
class Signature:
    """
    The three headers of the standard, as bytes: what is signed is bytes, and headers need not be text.

    The reference library is not used to verify: it reads the clock itself, and a malformed header or a body that is
    not UTF-8 makes it fail with errors of many kinds.
    """

    message_id: bytes
    timestamp: bytes
    signatures: bytes = field(repr=False)  # several, separated by spaces: senders roll their secrets too

    def is_timely(self, now: int) -> bool:
        """Five minutes of tolerance both ways. *now* in milliseconds."""
        if not self.timestamp.isdigit() or len(self.timestamp) > 12:
            return False
        return abs(now - int(self.timestamp) * 1_000) <= TOLERANCE_MS

    def is_made_with(self, secret: bytes, body: bytes) -> bool:
        """Each is compared in constant time."""
        signed = hmac.digest(secret, b".".join((self.message_id, self.timestamp, body)), "sha256")
        expected = b"v1," + base64.b64encode(signed)
        return any(hmac.compare_digest(expected, given) for given in self.signatures.split(b" "))


def secret_of(text: str) -> bytes:
    """The bytes that sign, of a secret written `whsec_…`. Raises ValueError."""
    try:
        return base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except ValueError as error:  # binascii.Error is one
        raise ValueError("a signing secret is whsec_ and base64") from error


def text_of(secret: bytes) -> str:
    """How a secret is written."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()
