"""Putting every secret at rest under the first key, a few rows at a time, while others read and write them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Column, Connection, Table, select, true, update
from sqlalchemy.sql.elements import ColumnElement

from domain.intake_key import SIGNING
from store.encryption import Cipher, WrongKeyError
from store.schema import intake_keys, salesforce_apps, salesforce_attempts, salesforce_connections
from store.slack.sdk_stores import SECRET_COLUMNS, bots, installations

AT_ONCE = 100


@dataclass(frozen=True)
class Secrets:
    """The columns of a table that are encrypted, in the rows where they are."""

    table: Table
    names: tuple[str, ...]
    where: ColumnElement[bool]

    @property
    def key(self) -> Column[object]:
        """The first of the primary key, which has one column in all of these tables."""
        return next(iter(self.table.primary_key))


def _slack(table: Table) -> Secrets:
    return Secrets(table, tuple(column.name for column in table.columns if column.name in SECRET_COLUMNS), true())


ALL = (
    _slack(bots),
    _slack(installations),
    Secrets(salesforce_connections, ("access_token", "refresh_token", "client_secret"), true()),
    Secrets(salesforce_apps, ("client_secret",), true()),
    Secrets(salesforce_attempts, ("verifier",), true()),
    Secrets(intake_keys, ("secret",), intake_keys.c.kind == SIGNING),
)
"""Every secret at rest that can be read again."""


@dataclass(frozen=True)
class Rotated:
    """How many secrets were encrypted anew, how many were under the first key already, and where to go on."""

    anew: int
    already: int
    last: object


def rotate_some(
    connection: Connection, secrets: Secrets, cipher: Cipher, first: Cipher, after: object
) -> Rotated | None:
    """
    The next rows after this key (None: from the first on); None: there are no more.

    *first* has the first key alone. Raises WrongKeyError for what none of the keys reads.
    """
    columns = [secrets.key, *(secrets.table.c[name] for name in secrets.names)]
    page = select(*columns).where(secrets.where).order_by(secrets.key).limit(AT_ONCE).with_for_update()
    rows = connection.execute(page if after is None else page.where(secrets.key > after)).all()
    if not rows:
        return None
    anew = already = 0
    for key, *stored in rows:
        theirs = {name: each for name, each in zip(secrets.names, stored, strict=True) if each is not None}
        changed = {name: cipher.rotate(each) for name, each in theirs.items() if not _is_under(first, each)}
        if changed:
            connection.execute(update(secrets.table).where(secrets.key == key).values(changed))
        anew, already = anew + len(changed), already + len(theirs) - len(changed)
    return Rotated(anew, already, rows[-1][0])


def _is_under(first: Cipher, stored: str) -> bool:
    try:
        first.decrypt(stored)
    except WrongKeyError:
        return False
    return True
