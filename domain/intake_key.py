"""The keys by which senders prove who they are. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

SIGNING, BEARER = "signing", "bearer"


@dataclass(frozen=True)
class StoredKey:
    """A stored key. `secret` is encrypted for SIGNING and a SHA-256 for BEARER. `expires_at` None means valid."""

    id: int
    kind: str
    secret: str = field(repr=False)
    made_at: int
    made_by: str
    expires_at: int | None


@dataclass(frozen=True)
class ListedKey:
    """A key without its secret, as Home lists it. Times are in milliseconds; `expires_at` None means valid."""

    kind: str
    made_at: int
    made_by: str
    expires_at: int | None
