"""Progress of file imports, so that an interrupted one can be continued."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection, bindparam, delete, select

from store.schema import imports, job_changes
from store.schema.upserts import put

FORGOTTEN_MS = 30 * 24 * 60 * 60 * 1_000
"""An interrupted import can be continued for this long."""


@dataclass(frozen=True)
class Progress:
    """Counts of rows by result. `refused_bytes` is the size of the file of refused rows."""

    read: int = 0
    accepted: int = 0
    duplicate: int = 0
    refused: int = 0
    refused_bytes: int = 0

    def plus(self, *, read: int, accepted: int = 0, duplicate: int = 0, refused: int = 0) -> Progress:
        """Add counts. `read` and `refused` count rows, of which one may have several job changes."""
        return replace(
            self,
            read=self.read + read,
            accepted=self.accepted + accepted,
            duplicate=self.duplicate + duplicate,
            refused=self.refused + refused,
        )


_COLUMNS = [imports.c[name] for name in Progress.__dataclass_fields__]
_existing = select(job_changes.c.key).where(
    job_changes.c.workspace_id == bindparam("of_workspace"), job_changes.c.key.in_(bindparam("keys", expanding=True))
)


def begin(connection: Connection, workspace_id: str, digest: str, now: int) -> Progress:
    """Return the progress of an earlier import. `digest` is that of the file and of how it is read."""
    connection.execute(delete(imports).where(imports.c.updated_at < now - FORGOTTEN_MS))
    mine = (imports.c.workspace_id == workspace_id) & (imports.c.digest == digest)
    row = connection.execute(select(*_COLUMNS).where(mine)).one_or_none()
    return Progress(*row) if row else Progress()


def save(connection: Connection, workspace_id: str, digest: str, progress: Progress, now: int) -> None:
    """Store the progress. All counted rows were accepted or written to the file of refused rows."""
    key = {"workspace_id": workspace_id, "digest": digest}
    put(connection, imports, key | vars(progress) | {"updated_at": now}, *key)


def finish(connection: Connection, workspace_id: str, digest: str) -> None:
    """Delete the progress of a completed import."""
    mine = (imports.c.workspace_id == workspace_id) & (imports.c.digest == digest)
    connection.execute(delete(imports).where(mine))


def existing(connection: Connection, workspace_id: str, keys: Collection[str]) -> set[str]:
    """Return the keys that belong to a job change already."""
    return set(connection.execute(_existing, {"of_workspace": workspace_id, "keys": list(keys)}).scalars())


@dataclass(frozen=True)
class DryRunKeys:
    """The keys of rows that a dry run would accept, in a temporary file since there may be millions."""

    _seen: sqlite3.Connection = field(default_factory=lambda: sqlite3.connect(""), repr=False)

    def __post_init__(self) -> None:
        self._seen.execute("CREATE TABLE seen (key TEXT PRIMARY KEY) WITHOUT ROWID")

    def add_new(self, keys: Sequence[str]) -> int:
        """Add keys, and return how many of them were new."""
        before = self._seen.total_changes
        self._seen.executemany("INSERT OR IGNORE INTO seen VALUES (?)", [(key,) for key in keys])
        return self._seen.total_changes - before

    def close(self) -> None:
        self._seen.close()
