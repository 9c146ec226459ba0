"""The secrets at rest, wherever they stand: whether they can be read with the keys at hand."""

from __future__ import annotations

from sqlalchemy import Connection, select

from store.encryption import Cipher
from store.intake_keys import SIGNING
from store.schema import intake_keys, salesforce_connections
from store.slack_tables import bots

_COLUMNS = (bots.c.bot_token, *(salesforce_connections.c[name] for name in ("access_token", "refresh_token")))
_samples = [
    *(select(column).where(column.is_not(None)).limit(1) for column in _COLUMNS),
    select(intake_keys.c.secret).where(intake_keys.c.kind == SIGNING).limit(1),
]


def check(connection: Connection, cipher: Cipher) -> None:
    """Try one of each kind. Raises WrongKeyError."""
    for sample in _samples:
        stored = connection.execute(sample).scalar()
        if stored is not None:
            cipher.decrypt(stored)
