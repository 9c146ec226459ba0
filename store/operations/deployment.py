"""What the processes of a deployment share through the database: the newest key, and whether writes work."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from store.operations import secrets
from store.schema import deployment
from store.schema.upserts import put

NEWEST_KEY, WRITTEN_AT = "newest_key", "written_at"


def has_newest_key(connection: Connection, fingerprints: Sequence[str]) -> bool:
    """
    Return whether a process has the newest encryption key, and record its first key if that is newer.

    `fingerprints` are those of its keys, the newest first. A key is newer than all that the process with it has, so
    once a process with NEW,OLD has started, one with OLD alone cannot read what is encrypted from then on.
    """
    value = select(deployment.c.value).where(deployment.c.name == NEWEST_KEY)
    newest = connection.execute(value).scalar_one_or_none()
    if newest == fingerprints[0]:
        return True
    if newest is not None and newest not in fingerprints and secrets.has_any(connection):
        return False
    _put(connection, NEWEST_KEY, fingerprints[0])
    return True


def check_writable(connection: Connection, now: int) -> None:
    """Write a row. Raises DatabaseUnavailableError, perhaps only at the commit."""
    _put(connection, WRITTEN_AT, str(now))


def _put(connection: Connection, name: str, value: str) -> None:
    put(connection, deployment, {"name": name, "value": value}, "name")
