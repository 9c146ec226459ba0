"""Who may post job changes: making and rolling a workspace's keys, and telling a genuine request from a stranger's."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from sqlalchemy import Connection

from domain.audit import AuditEntry
from domain.intake_key import BEARER, SIGNING, ListedKey
from domain.states import WorkspaceState
from services.intake.signatures import Signature, secret_of, text_of
from store import audit
from store.database import Database
from store.encryption import Cipher
from store.intake import keys
from store.intake.keys import WorkspaceKeys

GRACE_MS = 24 * 60 * 60 * 1_000
"""How long a rolled key stays good."""

REMEMBERED_MS = 5_000
"""How long keys are trusted without asking the database: an uninstalled workspace's may live on for that long."""

BEARER_PREFIX = "ugk_"


@dataclass(frozen=True)
class Credentials:
    """What a request shows to prove itself: a signature, or keys as they are."""

    signature: Signature | None
    bearers: tuple[bytes, ...] = field(repr=False)


class KeyCheck(Enum):
    """What a request's proof makes of it."""

    INVALID = auto()
    VALID = auto()
    UNINSTALLED = auto()  # genuine, but the workspace has uninstalled us


@dataclass(frozen=True)
class _Known:
    """A workspace's keys, ready to compare. Each with the time it expires, None: never."""

    stored: WorkspaceKeys
    known_at: int
    signing: Sequence[tuple[bytes, int | None]] = field(repr=False)
    bearer: Sequence[tuple[bytes, int | None]] = field(repr=False)

    @property
    def is_active(self) -> bool:
        return self.stored.state == WorkspaceState.ACTIVE

    def proves(self, credentials: Credentials, body: bytes, now: int) -> bool:
        if credentials.signature and credentials.signature.is_timely(now):
            for secret, expires_at in self.signing:
                if _is_good(expires_at, now) and credentials.signature.is_made_with(secret, body):
                    return True
        return any(
            hmac.compare_digest(digest, stored) and _is_good(expires_at, now)
            for digest in [_digest(given) for given in credentials.bearers]
            for stored, expires_at in self.bearer
        )


@dataclass(frozen=True)
class IntakeKeys:
    """The keys of all workspaces; those of the last few seconds are remembered."""

    database: Database
    cipher: Cipher
    now: Callable[[], int]
    _remembered: dict[str, _Known] = field(default_factory=dict, init=False, repr=False)

    async def make(self, workspace_id: str, kind: str, made_by: str, grace_ms: int = GRACE_MS) -> str:
        """
        A new key of this *kind*, SIGNING or BEARER, to be shown once; those before stay good for *grace_ms*.

        *made_by* is a Slack user id, or OPERATOR.
        """
        if kind == SIGNING:
            key = text_of(secrets.token_bytes(32))
            stored = self.cipher.encrypt(key)
        else:
            key = BEARER_PREFIX + secrets.token_urlsafe(32)
            stored = _digest(key.encode()).hex()
        await self.database.run(_rotate, workspace_id, kind, stored, made_by, self.now(), grace_ms)
        return key

    async def list(self, workspace_id: str) -> list[ListedKey]:
        """Those that are good now, newest first."""
        now = self.now()
        stored = await self.database.run(keys.of_workspace, workspace_id)
        return [
            ListedKey(key.kind, key.made_at, key.made_by, key.expires_at)
            for key in stored
            if _is_good(key.expires_at, now)
        ]

    async def check(self, workspace_id: str, credentials: Credentials, body: bytes) -> KeyCheck:
        """Whether this request is from a sender of this workspace. Raises DatabaseUnavailableError."""
        now = self.now()
        if not credentials.bearers and not (credentials.signature and credentials.signature.is_timely(now)):
            return KeyCheck.INVALID
        known = self._remembered.get(workspace_id)
        is_fresh = known is not None and known.is_active and abs(now - known.known_at) <= REMEMBERED_MS
        if known and is_fresh and known.proves(credentials, body, now):
            return KeyCheck.VALID
        # A key that was made a moment ago works at once, as does a workspace that came back a moment ago. Strangers
        # cost a read here, shared by all who wait for it.
        known = await self._look_up(workspace_id, now)
        if known is None or not known.proves(credentials, body, now):
            return KeyCheck.INVALID
        return KeyCheck.VALID if known.is_active else KeyCheck.UNINSTALLED

    async def _look_up(self, workspace_id: str, now: int) -> _Known | None:
        stored = await self.database.gather(keys.keys_of_workspaces, workspace_id)
        if stored is None:
            self._remembered.pop(workspace_id, None)
            return None
        before = self._remembered.get(workspace_id)
        known = self._read(stored, now) if before is None or before.stored != stored else _still(before, now)
        self._remembered[workspace_id] = known
        return known

    def _read(self, stored: WorkspaceKeys, now: int) -> _Known:
        return _Known(
            stored,
            now,
            [
                (secret_of(self.cipher.decrypt(key.secret)), key.expires_at)
                for key in stored.keys
                if key.kind == SIGNING
            ],
            [(bytes.fromhex(key.secret), key.expires_at) for key in stored.keys if key.kind == BEARER],
        )


def _still(known: _Known, now: int) -> _Known:
    return _Known(known.stored, now, known.signing, known.bearer)


def _is_good(expires_at: int | None, now: int) -> bool:
    return expires_at is None or now < expires_at


def _digest(key: bytes) -> bytes:
    # 256 random bits need no salt and no slow hash: nobody can guess them.
    return hashlib.sha256(key).digest()


def _rotate(
    connection: Connection, workspace_id: str, kind: str, stored: str, made_by: str, now: int, grace_ms: int
) -> None:
    keys.rotate(connection, workspace_id, kind, stored, made_by, now, grace_ms=grace_ms)
    audit.record(connection, workspace_id, AuditEntry(now, made_by, "made an intake key", kind))
