"""How far an import has come, so that one that was interrupted goes on where it was."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection, bindparam, delete, select

from store.database import put
from store.schema import imports, job_changes

FORGOTTEN_MS = 30 * 24 * 60 * 60 * 1_000
"""An import that nobody went on with for so long is not gone on with."""


@dataclass(frozen=True)
class Progress:
    """How many rows were read, and what became of them; *refused_bytes* is the size of the file of those refused."""

    read: int = 0
    accepted: int = 0
    duplicate: int = 0
    refused: int = 0
    refused_bytes: int = 0

    def plus(self, *, accepted: int = 0, duplicate: int = 0, refused: int = 0) -> Progress:
        return replace(
            self,
            read=self.read + accepted + duplicate + refused,
            accepted=self.accepted + accepted,
            duplicate=self.duplicate + duplicate,
            refused=self.refused + refused,
        )


_COLUMNS = [imports.c[name] for name in Progress.__dataclass_fields__]
_existing = select(job_changes.c.key).where(
    job_changes.c.workspace_id == bindparam("of_workspace"), job_changes.c.key.in_(bindparam("keys", expanding=True))
)


def begin(connection: Connection, workspace_id: str, digest: str, now: int) -> Progress:
    """How far an earlier import of the same came; *digest* is of the file and of how it is read."""
    connection.execute(delete(imports).where(imports.c.updated_at < now - FORGOTTEN_MS))
    mine = (imports.c.workspace_id == workspace_id) & (imports.c.digest == digest)
    row = connection.execute(select(*_COLUMNS).where(mine)).one_or_none()
    return Progress(*row) if row else Progress()


def save(connection: Connection, workspace_id: str, digest: str, progress: Progress, now: int) -> None:
    """All that it counts has been accepted, or written to the file of the refused."""
    key = {"workspace_id": workspace_id, "digest": digest}
    put(connection, imports, key | vars(progress) | {"updated_at": now}, *key)


def finish(connection: Connection, workspace_id: str, digest: str) -> None:
    """It has come to its end: the next one begins at the beginning."""
    mine = (imports.c.workspace_id == workspace_id) & (imports.c.digest == digest)
    connection.execute(delete(imports).where(mine))


def existing(connection: Connection, workspace_id: str, keys: Collection[str]) -> set[str]:
    """Those of these keys that stand for a job change already."""
    return set(connection.execute(_existing, {"of_workspace": workspace_id, "keys": list(keys)}).scalars())


@dataclass(frozen=True)
class DryRunKeys:
    """The keys of rows that would have been accepted: in a file of its own, since they may be millions."""

    _seen: sqlite3.Connection = field(default_factory=lambda: sqlite3.connect(""), repr=False)

    def __post_init__(self) -> None:
        self._seen.execute("CREATE TABLE seen (key TEXT PRIMARY KEY) WITHOUT ROWID")

    def new(self, keys: Sequence[str]) -> int:
        """How many of these were not there before, nor among those before them."""
        before = self._seen.total_changes
        self._seen.executemany("INSERT OR IGNORE INTO seen VALUES (?)", [(key,) for key in keys])
        return self._seen.total_changes - before

    def close(self) -> None:
        self._seen.close()
