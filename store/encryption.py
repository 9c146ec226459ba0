"""Encryption of stored secrets and tokens for short-lived links, with the operator's Fernet keys."""

from __future__ import annotations

import hmac
import json
import os
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkstemp

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import Dialect, Text
from sqlalchemy.types import TypeDecorator

from store.database import WRONG_KEY, DatabaseUnavailableError

KEY_FILE = "usergems.key"
"""The file beside the SQLite database that holds the key if ENCRYPTION_KEYS is not set."""


class WrongKeyError(DatabaseUnavailableError):
    """
    A stored secret was not encrypted under any of the keys in ENCRYPTION_KEYS.

    For this process that is as if the database were down: another one may have the key, so nothing counts as failed.
    """

    def __init__(self) -> None:
        text = (
            f"A stored secret cannot be read with the keys in ENCRYPTION_KEYS (or in {KEY_FILE}, if it is not set). "
            "Put the key back that this database was written with."
        )
        super().__init__(text, code=WRONG_KEY)


@dataclass(frozen=True)
class Cipher:
    """Encrypts and signs with the first key; decrypts and checks signatures with any of them."""

    keys: MultiFernet = field(repr=False)
    sealing_keys: MultiFernet = field(repr=False)
    signing_keys: Sequence[bytes] = field(repr=False)
    fingerprints: tuple[str, ...]
    """They tell the keys apart and reveal nothing about them."""

    @classmethod
    def of(cls, keys: Sequence[str]) -> Cipher:
        """Create a cipher from Fernet keys, newest first. Raises ValueError for a malformed key."""
        # Derived keys, so that what is made for one purpose can never be used for another.
        sealing = [urlsafe_b64encode(_derived(key, b"usergems: links")) for key in keys]
        return cls(
            keys=MultiFernet([Fernet(key) for key in keys]),
            sealing_keys=MultiFernet([Fernet(key) for key in sealing]),
            signing_keys=[_derived(key, b"usergems: signatures") for key in keys],
            fingerprints=tuple(_derived(key, b"usergems: fingerprints").hex()[:16] for key in keys),
        )

    def encrypt(self, secret: str) -> str:
        return self.keys.encrypt(secret.encode()).decode()

    def decrypt(self, stored: str) -> str:
        """Raises WrongKeyError."""
        try:
            return self.keys.decrypt(stored.encode()).decode()
        except InvalidToken as error:
            raise WrongKeyError from error

    def rotate(self, stored: str) -> str:
        """Encrypt a stored secret again with the first key. Raises WrongKeyError."""
        try:
            return self.keys.rotate(stored.encode()).decode()
        except InvalidToken as error:
            raise WrongKeyError from error

    def sign(self, *parts: str, length: int = 64) -> str:
        """Return the signature of these texts, in this order: `length` hexadecimal digits, at most 64."""
        return _signature(self.signing_keys[0], parts)[:length]

    def is_signed(self, signature: str, *parts: str, length: int = 64) -> bool:
        """Whether `sign` made this signature of this length for these texts, with any of the keys."""
        made = [_signature(key, parts)[:length].encode() for key in self.signing_keys]
        return any(hmac.compare_digest(signature.encode(), expected) for expected in made)

    def seal(self, purpose: str, claims: dict[str, str]) -> str:
        """Return a token for a link, which nobody else can create or read. `unseal` checks its purpose and age."""
        return self.sealing_keys.encrypt(json.dumps({"purpose": purpose, **claims}).encode()).decode()

    def unseal(self, purpose: str, token: str, *, now: int, max_age: int) -> dict[str, str] | None:
        """
        Return the claims of a token that `seal` made, or None if it is forged, expired or for another purpose.

        `now` is in milliseconds since the epoch, `max_age` in seconds.
        """
        try:
            claims: dict[str, str] = json.loads(self.sealing_keys.decrypt(token.encode()))
            made_at = self.sealing_keys.extract_timestamp(token.encode())
        except (InvalidToken, UnicodeEncodeError):
            return None
        fresh = -60 <= now / 1000 - made_at <= max_age
        return claims if fresh and claims.pop("purpose") == purpose else None


def _derived(key: str, purpose: bytes) -> bytes:
    return hmac.digest(key.encode(), purpose, "sha256")


def _signature(key: bytes, parts: Sequence[str]) -> str:
    return hmac.digest(key, json.dumps(parts).encode(), "sha256").hex()


def key_in(folder: Path) -> str:
    """Return the Fernet key in the KEY_FILE of this folder, which is created if necessary. Raises OSError."""
    file = folder / KEY_FILE
    if not file.exists():
        _make_key(file)
    return file.read_text().strip()


def _make_key(file: Path) -> None:
    """Write the key atomically and with mode 0600. It is on the disk before anything is encrypted with it."""
    descriptor, draft = mkstemp(dir=file.parent, prefix=f"{file.name}.")
    try:
        with os.fdopen(descriptor, "wb") as content:
            content.write(Fernet.generate_key())
            content.flush()
            os.fsync(descriptor)
        with suppress(FileExistsError):  # another process was faster: its key stays, which a rename would replace
            os.link(draft, file)
    finally:
        Path(draft).unlink()
    folder = os.open(file.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


class EncryptedText(TypeDecorator[str]):
    """A text column whose values are encrypted. Text, because ciphertext does not fit into a String(200)."""

    impl = Text
    cache_ok = False

    def __init__(self, cipher: Cipher) -> None:
        super().__init__()
        self.cipher = cipher

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else self.cipher.encrypt(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else self.cipher.decrypt(value)
