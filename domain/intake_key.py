"""The keys by which senders prove who they are. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

SIGNING, BEARER = "signing", "bearer"


@dataclass(frozen=True)
class StoredKey:
    """A key at rest. *secret* is encrypted for SIGNING, a SHA-256 for BEARER. *expires_at* None: in force."""

    id: int
    kind: str
    secret: str = field(repr=False)
    made_at: int
    made_by: str
    expires_at: int | None


@dataclass(frozen=True)
class ListedKey:
    """A key as Home lists it: everything but the secret. Times in milliseconds; *expires_at* None: in force."""

    kind: str
    made_at: int
    made_by: str
    expires_at: int | None
