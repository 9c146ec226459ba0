"""Keeping secrets unreadable at rest, and signing short-lived links, with the operator's Fernet keys."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkstemp

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import Dialect, Text
from sqlalchemy.types import TypeDecorator

KEY_FILE = "usergems.key"
"""Beside the SQLite file, where the operator names no keys."""


class WrongKeyError(Exception):
    """A stored secret was not encrypted under any of the keys in ENCRYPTION_KEYS."""

    def __init__(self) -> None:
        super().__init__(
            f"A stored secret cannot be read with the keys in ENCRYPTION_KEYS (or, without them, in {KEY_FILE}): "
            "this database belongs to other keys. Put the key back that it was written with."
        )


@dataclass(frozen=True)
class Cipher:
    """Encrypts under the first key, decrypts under any."""

    keys: MultiFernet = field(repr=False)

    @classmethod
    def of(cls, keys: Sequence[str]) -> Cipher:
        """Build from Fernet keys, newest first. Raises ValueError for a malformed key."""
        return cls(MultiFernet([Fernet(key) for key in keys]))

    def encrypt(self, secret: str) -> str:
        return self.keys.encrypt(secret.encode()).decode()

    def decrypt(self, stored: str) -> str:
        """Raises WrongKeyError."""
        try:
            return self.keys.decrypt(stored.encode()).decode()
        except InvalidToken as error:
            raise WrongKeyError from error

    def rotate(self, stored: str) -> str:
        """The same secret under the first key. Raises WrongKeyError."""
        try:
            return self.keys.rotate(stored.encode()).decode()
        except InvalidToken as error:
            raise WrongKeyError from error

    def seal(self, purpose: str, claims: dict[str, str]) -> str:
        """A token for a link that nobody else can make or read; `unseal` checks purpose and age."""
        return self.encrypt(json.dumps({"purpose": purpose, **claims}))

    def unseal(self, purpose: str, token: str, *, now: int, max_age: int) -> dict[str, str] | None:
        """
        The claims of a token that `seal` made for this purpose; None when forged, stale or of another purpose.

        *now* in milliseconds since the epoch, *max_age* in seconds.
        """
        try:
            claims: dict[str, str] = json.loads(self.keys.decrypt(token.encode()))
            made_at = self.keys.extract_timestamp(token.encode())
        except (InvalidToken, UnicodeEncodeError):
            return None
        fresh = -60 <= now / 1000 - made_at <= max_age
        return claims if fresh and claims.pop("purpose") == purpose else None


def key_in(folder: Path) -> str:
    """The Fernet key in the file KEY_FILE of this folder; made if there is none. Raises OSError."""
    file = folder / KEY_FILE
    if not file.exists():
        _make_key(file)
    return file.read_text().strip()


def _make_key(file: Path) -> None:
    """Whole at once, on the disk before anything is encrypted under it, and for its owner's eyes only (mode 0600)."""
    descriptor, draft = mkstemp(dir=file.parent, prefix=f"{file.name}.")
    try:
        with os.fdopen(descriptor, "wb") as content:
            content.write(Fernet.generate_key())
            content.flush()
            os.fsync(descriptor)
        with suppress(FileExistsError):  # somebody was faster, and theirs stays: a rename would replace it
            os.link(draft, file)
    finally:
        Path(draft).unlink()
    folder = os.open(file.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


class EncryptedText(TypeDecorator[str]):
    """A text column that is only readable through a Cipher. Ciphertext is longer than any String(200) allows."""

    impl = Text
    cache_ok = False

    def __init__(self, cipher: Cipher) -> None:
        super().__init__()
        self.cipher = cipher

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else self.cipher.encrypt(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else self.cipher.decrypt(value)
