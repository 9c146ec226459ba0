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
from domain.workspace import BEARER, SIGNING, ListedKey, StoredKey
from services.intake.senders.proofs import Credentials
from services.intake.senders.sender import Sender
from services.intake.signatures import secret_of, text_of
from store import audit
from store.database import Database
from store.encryption import Cipher
from store.intake import keys, senders
from store.intake.keys import WorkspaceKeys

GRACE_MS = 24 * 60 * 60 * 1_000
"""How long a rotated key still works."""

CACHED_MS = 5_000
"""How long keys are cached. Those of a workspace that removed the app may work for that long."""

BEARER_PREFIX = "ugk_"
LONGEST_SECRET = 500
"""Characters of a secret that a vendor made."""
_NO_SECRET = bytes(32)


class KeyCheck(Enum):
    """The result of checking a request's credentials."""

    INVALID = auto()
    NEEDS_BODY = auto()  # a signature that could be valid, which only the body can show
    VALID = auto()
    UNINSTALLED = auto()  # valid, but the workspace has removed the app


@dataclass(frozen=True)
class Checked:
    """The result for a request, and the sender whose own key it used. None: a key of the workspace."""

    result: KeyCheck
    sender: str | None = None


@dataclass(frozen=True)
class _Key:
    """A decrypted key, or its SHA-256 if it is one that is sent."""

    kind: str
    secret: bytes = field(repr=False)
    expires_at: int | None
    sender: str | None

    def is_for(self, sender: str | None, now: int) -> bool:
        """Whether it is valid now for this sender. None: the request names none, so the key does."""
        return _is_valid(self.expires_at, now) and (sender is None or self.sender in (None, sender))


@dataclass(frozen=True)
class _CachedKeys:
    """The keys of a workspace."""

    stored: WorkspaceKeys
    cached_at: int
    keys: Sequence[_Key] = field(repr=False)

    @property
    def is_active(self) -> bool:
        return self.stored.takes_job_changes

    def match_bearers(self, bearers: Sequence[bytes], sender: str | None, now: int) -> _Key | None:
        digests = [_digest(bearer) for bearer in bearers]
        candidates = [key for key in self.keys if key.kind == BEARER and key.is_for(sender, now)]
        return _first([key for key in candidates if any(hmac.compare_digest(digest, key.secret) for digest in digests)])

    def match_signature(self, credentials: Credentials, body: bytes, sender: str | None, now: int) -> _Key | None:
        candidates = [key for key in self.keys if key.kind == SIGNING and key.is_for(sender, now)]
        signature = credentials.signature
        return _first([key for key in candidates if signature and signature.is_made_with(key.secret, body)])


def _first(keys: Sequence[_Key]) -> _Key | None:
    return next(iter(keys), None)


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
        Create and return a key for every sender. It can be shown only once, and earlier ones expire after `grace_ms`.

        `kind` is SIGNING or BEARER. `made_by` is a Slack user id or OPERATOR.
        """
        key, stored = self._new(kind)
        await self.database.run(_rotate, workspace_id, kind, stored, made_by, self.now(), grace_ms)
        return key

    async def has_shared(self, workspace_id: str, kind: str) -> bool:
        """Return whether there is a valid key of this kind for every sender."""
        keys_now = await self.database.read(valid_keys, workspace_id, self.now())
        return any(key.kind == kind and key.sender is None for key in keys_now)

    async def make_for(
        self, workspace_id: str, sender: Sender, made_by: str, secret: str | None = None, grace_ms: int = GRACE_MS
    ) -> str | None:
        """
        Add a sender with a key of its own, or rotate its key. Return the key, or None if the vendor made it.

        `secret` is what the vendor made. Raises ValueError if it is missing or too long.
        """
        key, kind = None, sender.proof.kind
        if not sender.proof.is_made_by_vendor:
            key, stored = self._new(kind)
        elif secret and len(secret) <= LONGEST_SECRET:
            stored = self.cipher.encrypt(text_of(secret.encode()))
        else:
            raise ValueError(f"the secret of {sender.label} has 1 to {LONGEST_SECRET} characters")
        await self.database.run(_rotate, workspace_id, kind, stored, made_by, self.now(), grace_ms, sender.name)
        return key

    async def revoke(self, workspace_id: str, sender: str, revoked_by: str) -> bool:
        """End all keys of a sender at once, and return whether there were any."""
        entry = AuditEntry(self.now(), revoked_by, "revoked the keys of a sender", sender)
        revoked = await self.database.run(audit.recorded, workspace_id, entry, keys.revoke, sender)
        self._cache.pop(workspace_id, None)
        return revoked

    async def revoke_kind(self, workspace_id: str, kind: str, revoked_by: str) -> bool:
        """End all keys of a kind without a sender at once, and return whether there were any."""
        entry = AuditEntry(self.now(), revoked_by, "revoked intake keys", kind)
        revoked = await self.database.run(audit.recorded, workspace_id, entry, keys.revoke, None, kind)
        self._cache.pop(workspace_id, None)
        return revoked

    def knows(self, workspace_id: str) -> bool:
        """Whether the workspace exists, as far as a request since the start has shown."""
        return workspace_id in self._cache

    async def check_head(self, workspace_id: str, credentials: Credentials, sender: str | None = None) -> Checked:
        """
        Check what can be checked before the body is read, so that a stranger's body is never kept in memory.

        `sender` is the one that the address names. Raises DatabaseUnavailableError.
        """
        now = self.now()
        checked = Checked(KeyCheck.INVALID)
        if credentials.bearers:
            checked = await self._check(
                workspace_id, now, lambda keys: keys.match_bearers(credentials.bearers, sender, now)
            )
        is_invalid = checked.result is KeyCheck.INVALID
        if is_invalid and credentials.signature and credentials.signature.is_timely(self.wall()):
            return Checked(KeyCheck.NEEDS_BODY)
        return checked

    async def check_signature(
        self, workspace_id: str, credentials: Credentials, body: bytes, sender: str | None = None
    ) -> Checked:
        """Check a signature that `check_head` found timely. Raises DatabaseUnavailableError."""
        now = self.now()
        checked = await self._check(
            workspace_id, now, lambda keys: keys.match_signature(credentials, body, sender, now)
        )
        if checked.result is KeyCheck.INVALID and workspace_id not in self._cache and credentials.signature:
            credentials.signature.is_made_with(_NO_SECRET, body)  # takes as long as for a workspace that exists
        return checked

    async def _check(self, workspace_id: str, now: int, match: Callable[[_CachedKeys], _Key | None]) -> Checked:
        cached = self._cache.get(workspace_id)
        is_fresh = cached is not None and cached.is_active and abs(now - cached.cached_at) <= CACHED_MS
        if cached and is_fresh and (key := match(cached)):
            return Checked(KeyCheck.VALID, key.sender)
        # New keys and workspaces that reinstalled the app must work at once, so what the cache does not know is read
        # from the database. Concurrent requests share the read.
        current = await self._read_keys(workspace_id, now)
        key = match(current) if current else None
        if current is None or key is None:
            return Checked(KeyCheck.INVALID)
        return Checked(KeyCheck.VALID if current.is_active else KeyCheck.UNINSTALLED, key.sender)

    async def _read_keys(self, workspace_id: str, now: int) -> _CachedKeys | None:
        stored = await self.database.gather(keys.keys_of_workspaces, workspace_id)
        if stored is None:
            self._cache.pop(workspace_id, None)
            return None
        cached = self._cache.get(workspace_id)
        if cached is None or cached.stored != stored:
            current = _CachedKeys(stored, now, [self._decrypted(key) for key in stored.keys])
        else:
            current = replace(cached, cached_at=now)
        self._cache[workspace_id] = current
        return current

    def _decrypted(self, key: StoredKey) -> _Key:
        is_signing = key.kind == SIGNING
        secret = secret_of(self.cipher.decrypt(key.secret)) if is_signing else bytes.fromhex(key.secret)
        return _Key(key.kind, secret, key.expires_at, key.sender)

    def _new(self, kind: str) -> tuple[str, str]:
        """Return a new key, and the form in which it is stored."""
        if kind == SIGNING:
            key = text_of(secrets.token_bytes(32))
            return key, self.cipher.encrypt(key)
        key = BEARER_PREFIX + secrets.token_urlsafe(32)
        return key, _digest(key.encode()).hex()


def valid_keys(connection: Connection, workspace_id: str, now: int) -> list[ListedKey]:
    """Return the keys that are valid now, newest first."""
    return [
        ListedKey(key.kind, key.made_at, key.made_by, key.expires_at, key.sender)
        for key in keys.of_workspace(connection, workspace_id)
        if _is_valid(key.expires_at, now)
    ]


def _is_valid(expires_at: int | None, now: int) -> bool:
    return expires_at is None or now < expires_at


def _digest(key: bytes) -> bytes:
    # 256 random bits cannot be guessed, so no salt and no slow hash is needed.
    return hashlib.sha256(key).digest()


def _rotate(
    connection: Connection,
    workspace_id: str,
    kind: str,
    stored: str,
    made_by: str,
    now: int,
    grace_ms: int,
    sender: str | None = None,
) -> None:
    keys.rotate(connection, workspace_id, kind, stored, made_by, now, grace_ms=grace_ms, sender=sender)
    if sender is not None:
        senders.add(connection, workspace_id, sender, made_by, now)
    audit.record(connection, workspace_id, AuditEntry(now, made_by, "made an intake key", sender or kind))
