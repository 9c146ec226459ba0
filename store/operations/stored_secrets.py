"""The secrets at rest, wherever they stand: whether they can be read with the keys at hand."""

from __future__ import annotations

from sqlalchemy import Connection, select

from store.encryption import Cipher
from store.operations import secrets as rotating

_samples = [
    select(secrets.table.c[name]).where(secrets.where, secrets.table.c[name].is_not(None)).limit(1)
    for secrets in rotating.ALL
    for name in secrets.names
]


def check(connection: Connection, cipher: Cipher) -> None:
    """Try one of each kind. Raises WrongKeyError."""
    for sample in _samples:
        stored = connection.execute(sample).scalar()
        if stored is not None:
            cipher.decrypt(stored)
