"""The database that all replicas of a run share, in memory, and what the checks read from it without a transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, cast

from sqlalchemy import Connection, Table, create_engine

from store.schema import metadata

Key = tuple[str, str]
"""A table and the key of a row in it."""

Lease = tuple[str | None, int | None]
"""The lease of a row and until when it holds, in milliseconds."""

ROUTE, POST, OTHER = "route", "post", "other"
LOOPS = {"job_changes": ROUTE, "turns": ROUTE, "lanes": POST}
"""Which loop of the worker looks at the rows of a table that are due. The others are looked at by its other work."""


@cache
def _connection() -> tuple[Connection, sqlite3.Connection]:
    """One connection for all runs of this process, since its engine caches compiled statements."""
    engine = create_engine("sqlite://", connect_args={"isolation_level": None})
    connection = engine.connect()
    raw = cast("sqlite3.Connection", connection.connection.driver_connection)
    metadata.create_all(connection)
    return connection, raw


def _key(table: Table) -> str:
    return " || '/' || ".join(column.name for column in table.primary_key)


def _until(table: Table) -> str:
    return "lease_until" if "lease_until" in table.c else "due_at"


def _union(parts: Iterable[str]) -> str:
    return " UNION ALL ".join(parts)


_TABLES = [table for table in metadata.sorted_tables if {"lease", "due_at"} & set(table.c.keys())]
_LEASES = _union(
    f"SELECT '{table.name}', {_key(table)}, lease, {_until(table)} FROM {table.name}"
    for table in _TABLES
    if "lease" in table.c
)
_DUE = _union(
    f"SELECT '{LOOPS.get(table.name, OTHER)}', {_until(table)} FROM {table.name} WHERE {_until(table)} IS NOT NULL"
    + (" AND lease IS NOT NULL" if table.name == "turns" else "")
    for table in _TABLES
)
_WAITING = _union(
    f"SELECT '{what}', count(*) FROM {rows}"
    for what, rows in {
        "job changes without an outcome": "job_changes WHERE ended_at IS NULL OR due_at IS NOT NULL",
        "deliveries": "deliveries WHERE state IN ('pending', 'sending')",
        "posts": "posts WHERE state = 'sending'",
        "redraws": "redraws",
        "notices": "notices WHERE due_at IS NOT NULL AND ts IS NULL",
        "reminders": "reminders WHERE due_at IS NOT NULL",
        "snoozed deliveries": "laters WHERE due_at IS NOT NULL",
        "leased lanes": "lanes WHERE lease IS NOT NULL",
        "leased workspaces": "turns WHERE lease IS NOT NULL",
    }.items()
)


class Storage:
    """An empty database."""

    def __init__(self) -> None:
        self.connection, self.raw = _connection()
        # Not `deserialize`: SQLite 3.40 crashes in json_each after it.
        self.raw.execute("PRAGMA foreign_keys = OFF")
        for table in metadata.sorted_tables:
            self.raw.execute(f"DELETE FROM {table.name}")
        self.raw.execute("PRAGMA foreign_keys = ON")
        self._changes = self.raw.total_changes
        self._due: dict[str, list[int]] = {}
        self._due_at_version = -1
        self.pauses = list[int]()
        """When the vendors may be called again, in milliseconds, sorted. Valid after `due`."""

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction. SQLAlchemy's own would cost more than most of the statements in it."""
        self.raw.execute("BEGIN")
        try:
            yield self.connection
        except BaseException:
            self.raw.execute("ROLLBACK")
            raise
        self.raw.execute("COMMIT")

    def has_changed(self) -> bool:
        """Whether a transaction has changed anything since this was called last."""
        before, self._changes = self._changes, self.raw.total_changes
        return before != self._changes

    @property
    def version(self) -> int:
        return self._changes

    def rows(self, sql: str, *arguments: Any) -> list[Any]:
        return self.raw.execute(sql, arguments).fetchall()

    def leases(self) -> dict[Key, Lease]:
        return {(table, str(key)): (lease, until) for table, key, lease, until in self.raw.execute(_LEASES)}

    def due(self) -> dict[str, list[int]]:
        """When each loop has something to do, in milliseconds, sorted."""
        if self._due_at_version != self.raw.total_changes:
            self._due_at_version = self.raw.total_changes
            self._due = {ROUTE: [], POST: [], OTHER: []}
            for loop, due_at in self.raw.execute(_DUE):
                self._due[loop].append(due_at)
            for times in self._due.values():
                times.sort()
            self.pauses = sorted(until for (until,) in self.raw.execute("SELECT until FROM pauses"))
        return self._due

    def waiting(self) -> dict[str, int]:
        """How much there still is to do, of each kind."""
        return {what: count for what, count in self.raw.execute(_WAITING) if count}
