"""Progress of file imports, so that an interrupted one can be continued."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection, bindparam, delete, select

from domain.job_change.new import NewJobChange
from store.intake import job_changes
from store.intake.job_changes import Added
from store.schema import imports
from store.schema import job_changes as job_change_rows
from store.schema.lists import one_of
from store.schema.postgresql import need_not_last
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

    def plus(self, *, read: int = 0, accepted: int = 0, duplicate: int = 0, refused: int = 0) -> Progress:
        """Add counts. `read` and `refused` count rows, of which one may have several job changes."""
        return replace(
            self,
            read=self.read + read,
            accepted=self.accepted + accepted,
            duplicate=self.duplicate + duplicate,
            refused=self.refused + refused,
        )


_COLUMNS = [imports.c[name] for name in Progress.__dataclass_fields__]
_existing = select(job_change_rows.c.key).where(
    job_change_rows.c.workspace_id == bindparam("of_workspace"),
    one_of(job_change_rows.c.key, "keys"),
)


def begin(connection: Connection, workspace_id: str, digest: str, now: int) -> Progress:
    """Return the progress of an earlier import. `digest` is that of the file and of how it is read."""
    connection.execute(delete(imports).where(imports.c.updated_at < now - FORGOTTEN_MS))
    of_file = (imports.c.workspace_id == workspace_id) & (imports.c.digest == digest)
    row = connection.execute(select(*_COLUMNS).where(of_file)).one_or_none()
    return Progress(*row) if row else Progress()


def add(
    connection: Connection, workspace_id: str, digest: str, items: Sequence[NewJobChange], counted: Progress, now: int
) -> tuple[Sequence[Added | None], Progress]:
    """
    Accept job changes and store the progress of their import: `counted`, plus how many of them are new and duplicate.

    Rows up to there were accepted or written to the file of refused rows. If a crash loses the transaction, they are
    read again. Nothing is stored if the workspace is not active; then all results are None.
    """
    need_not_last(connection)
    added = job_changes.add(connection, items) if items else []
    if None in added:
        return added, counted
    new = sum(item is not None and item.is_new for item in added)
    progress = counted.plus(accepted=new, duplicate=len(added) - new)
    key = {"workspace_id": workspace_id, "digest": digest}
    put(connection, imports, key | vars(progress) | {"updated_at": now}, *key)
    return added, progress


def finish(connection: Connection, workspace_id: str, digest: str) -> None:
    """Delete the progress of a completed import. This commit waits until all of its transactions are on the disk."""
    of_file = (imports.c.workspace_id == workspace_id) & (imports.c.digest == digest)
    connection.execute(delete(imports).where(of_file))


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
