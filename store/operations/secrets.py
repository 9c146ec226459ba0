"""All encrypted columns: checking that they can be decrypted, and re-encrypting them with the first key."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Column, Connection, Table, inspect, select, true, update
from sqlalchemy.sql.elements import ColumnElement

from domain.workspace import SIGNING
from store.encryption import Cipher, WrongKeyError
from store.schema import intake_keys, salesforce_apps, salesforce_attempts, salesforce_connections, webhooks
from store.slack.sdk_stores import SECRET_COLUMNS, bots, installations

AT_ONCE = 100
"""Rows that are re-encrypted in one transaction."""


@dataclass(frozen=True)
class SecretColumns:
    """The encrypted columns of a table. `where` selects the rows in which they are encrypted."""

    table: Table
    names: tuple[str, ...]
    where: ColumnElement[bool]

    @property
    def key(self) -> Column[object]:
        """The primary key, which is a single column in all of these tables."""
        return next(iter(self.table.primary_key))


def _slack(table: Table) -> SecretColumns:
    return SecretColumns(table, tuple(column.name for column in table.columns if column.name in SECRET_COLUMNS), true())


ALL_SECRETS = (
    _slack(bots),
    _slack(installations),
    SecretColumns(salesforce_connections, ("access_token", "refresh_token", "client_secret"), true()),
    SecretColumns(salesforce_apps, ("client_secret",), true()),
    SecretColumns(salesforce_attempts, ("verifier",), true()),
    SecretColumns(intake_keys, ("secret",), intake_keys.c.kind == SIGNING),
    SecretColumns(webhooks, ("url", "secret", "old_secret"), true()),
)
"""Every secret that is stored so that it can be read again; keys that senders send are stored as hashes only."""

_samples = [
    select(secrets.table.c[name]).where(secrets.where, secrets.table.c[name].is_not(None)).limit(1)
    for secrets in ALL_SECRETS
    for name in secrets.names
]


def has_any(connection: Connection) -> bool:
    """Return whether anything is stored encrypted. The schema may be older than this version, or missing."""
    inspector = inspect(connection)
    for secrets in ALL_SECRETS:
        table = secrets.table
        if not inspector.has_table(table.name):
            continue
        columns = {column["name"] for column in inspector.get_columns(table.name)}
        for name in columns & set(secrets.names):
            query = select(table.c[name]).where(secrets.where, table.c[name].is_not(None)).limit(1)
            if connection.execute(query).first() is not None:
                return True
    return False


def check_readable(connection: Connection, cipher: Cipher) -> None:
    """Decrypt one value of each column. Raises WrongKeyError."""
    for sample in _samples:
        stored = connection.execute(sample).scalar()
        if stored is not None:
            cipher.decrypt(stored)


@dataclass(frozen=True)
class RotatedBatch:
    """How many secrets were re-encrypted, how many had the first key already, and the key of the last row."""

    rotated: int
    unchanged: int
    last: object


def rotate_batch(
    connection: Connection, secrets: SecretColumns, cipher: Cipher, first: Cipher, after: object
) -> RotatedBatch | None:
    """
    Re-encrypt the next rows, and return None if there are no more.

    `after` is the key of the last row of the batch before, or None for the first batch. `first` has the first
    encryption key only. Raises WrongKeyError for a value that none of the keys can decrypt.
    """
    columns = [secrets.key, *(secrets.table.c[name] for name in secrets.names)]
    page = select(*columns).where(secrets.where).order_by(secrets.key).limit(AT_ONCE).with_for_update()
    rows = connection.execute(page if after is None else page.where(secrets.key > after)).all()
    if not rows:
        return None
    rotated = unchanged = 0
    for key, *values in rows:
        stored = {name: value for name, value in zip(secrets.names, values, strict=True) if value is not None}
        changed = {name: cipher.rotate(value) for name, value in stored.items() if not _is_under(first, value)}
        if changed:
            connection.execute(update(secrets.table).where(secrets.key == key).values(changed))
        rotated, unchanged = rotated + len(changed), unchanged + len(stored) - len(changed)
    return RotatedBatch(rotated, unchanged, rows[-1][0])


def _is_under(first: Cipher, stored: str) -> bool:
    try:
        first.decrypt(stored)
    except WrongKeyError:
        return False
    return True
