"""The keys with which senders post job changes: creating and rotating them, and checking requests."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from sqlalchemy import Connection

from domain.audit import AuditEntry
from domain.workspace import BEARER, SIGNING, ListedKey
from services.intake.signatures import Signature, secret_of, text_of
from store import audit
from store.database import Database
from store.encryption import Cipher
from store.intake import keys
from store.intake.keys import WorkspaceKeys

GRACE_MS = 24 * 60 * 60 * 1_000
"""How long a rotated key still works."""

CACHED_MS = 5_000
"""How long keys are cached. Those of a workspace that removed the app may work for that long."""

BEARER_PREFIX = "ugk_"
_NO_SECRET = bytes(32)


@dataclass(frozen=True)
class Credentials:
    """What a request sends to authorize itself: a signature, or keys."""

    signature: Signature | None
    bearers: tuple[bytes, ...] = field(repr=False)


class KeyCheck(Enum):
    """The result of checking a request's credentials."""

    INVALID = auto()
    NEEDS_BODY = auto()  # a signature that could be valid, which only the body can show
    VALID = auto()
    UNINSTALLED = auto()  # valid, but the workspace has removed the app


@dataclass(frozen=True)
class _CachedKeys:
    """A workspace's decrypted keys. Each has the time when it expires, or None."""

    stored: WorkspaceKeys
    cached_at: int
    signing: Sequence[tuple[bytes, int | None]] = field(repr=False)
    bearer: Sequence[tuple[bytes, int | None]] = field(repr=False)

    @property
    def is_active(self) -> bool:
        return self.stored.takes_job_changes

    def match_bearers(self, bearers: Sequence[bytes], now: int) -> bool:
        return any(
            hmac.compare_digest(digest, stored) and _is_valid(expires_at, now)
            for digest in [_digest(key) for key in bearers]
            for stored, expires_at in self.bearer
        )

    def match_signature(self, signature: Signature, body: bytes, now: int) -> bool:
        return any(
            _is_valid(expires_at, now) and signature.is_made_with(secret, body) for secret, expires_at in self.signing
        )


@dataclass(frozen=True)
class IntakeKeys:
    """The keys of all workspaces, cached for a few seconds. `wall` is this machine's own clock, in milliseconds."""

    database: Database
    cipher: Cipher
    now: Callable[[], int]
    wall: Callable[[], int]
    _cache: dict[str, _CachedKeys] = field(default_factory=dict, init=False, repr=False)

    async def make(self, workspace_id: str, kind: str, made_by: str, grace_ms: int = GRACE_MS) -> str:
        """
        Create and return a key. It can be shown only once, and earlier ones expire after `grace_ms`.

        `kind` is SIGNING or BEARER. `made_by` is a Slack user id or OPERATOR.
        """
        if kind == SIGNING:
            key = text_of(secrets.token_bytes(32))
            stored = self.cipher.encrypt(key)
        else:
            key = BEARER_PREFIX + secrets.token_urlsafe(32)
            stored = _digest(key.encode()).hex()
        await self.database.run(_rotate, workspace_id, kind, stored, made_by, self.now(), grace_ms)
        return key

    async def check_head(self, workspace_id: str, credentials: Credentials) -> KeyCheck:
        """
        Check what can be checked before the body is read, so that a stranger's body is never kept in memory.

        Raises DatabaseUnavailableError.
        """
        now = self.now()
        result = KeyCheck.INVALID
        if credentials.bearers:
            result = await self._check(workspace_id, now, lambda keys: keys.match_bearers(credentials.bearers, now))
        if result is KeyCheck.INVALID and credentials.signature and credentials.signature.is_timely(self.wall()):
            return KeyCheck.NEEDS_BODY
        return result

    async def check_signature(self, workspace_id: str, signature: Signature, body: bytes) -> KeyCheck:
        """Check a signature that `check_head` found timely. Raises DatabaseUnavailableError."""
        now = self.now()
        result = await self._check(workspace_id, now, lambda keys: keys.match_signature(signature, body, now))
        if result is KeyCheck.INVALID and workspace_id not in self._cache:
            signature.is_made_with(_NO_SECRET, body)  # takes as long as for a workspace that exists
        return result

    async def _check(self, workspace_id: str, now: int, matches: Callable[[_CachedKeys], bool]) -> KeyCheck:
        cached = self._cache.get(workspace_id)
        is_fresh = cached is not None and cached.is_active and abs(now - cached.cached_at) <= CACHED_MS
        if cached and is_fresh and matches(cached):
            return KeyCheck.VALID
        # New keys and workspaces that reinstalled the app must work at once, so what the cache does not know is read
        # from the database. Concurrent requests share the read.
        current = await self._read_keys(workspace_id, now)
        if current is None or not matches(current):
            return KeyCheck.INVALID
        return KeyCheck.VALID if current.is_active else KeyCheck.UNINSTALLED

    async def _read_keys(self, workspace_id: str, now: int) -> _CachedKeys | None:
        stored = await self.database.gather(keys.keys_of_workspaces, workspace_id)
        if stored is None:
            self._cache.pop(workspace_id, None)
            return None
        cached = self._cache.get(workspace_id)
        if cached is None or cached.stored != stored:
            current = self._decrypt(stored, now)
        else:
            current = replace(cached, cached_at=now)
        self._cache[workspace_id] = current
        return current

    def _decrypt(self, stored: WorkspaceKeys, now: int) -> _CachedKeys:
        return _CachedKeys(
            stored,
            now,
            [
                (secret_of(self.cipher.decrypt(key.secret)), key.expires_at)
                for key in stored.keys
                if key.kind == SIGNING
            ],
            [(bytes.fromhex(key.secret), key.expires_at) for key in stored.keys if key.kind == BEARER],
        )


def valid_keys(connection: Connection, workspace_id: str, now: int) -> list[ListedKey]:
    """Return the keys that are valid now, newest first."""
    return [
        ListedKey(key.kind, key.made_at, key.made_by, key.expires_at)
        for key in keys.of_workspace(connection, workspace_id)
        if _is_valid(key.expires_at, now)
    ]


def _is_valid(expires_at: int | None, now: int) -> bool:
    return expires_at is None or now < expires_at


def _digest(key: bytes) -> bytes:
    # 256 random bits cannot be guessed, so no salt and no slow hash is needed.
    return hashlib.sha256(key).digest()


def _rotate(
    connection: Connection, workspace_id: str, kind: str, stored: str, made_by: str, now: int, grace_ms: int
) -> None:
    keys.rotate(connection, workspace_id, kind, stored, made_by, now, grace_ms=grace_ms)
    audit.record(connection, workspace_id, AuditEntry(now, made_by, "made an intake key", kind))
