"""The database that all replicas of a run share, in memory, and what the checks read from it without a transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from functools import cache
from typing import Any, cast

from sqlalchemy import Engine, Table

from store.database import Database
from store.schema import metadata

Key = tuple[str, str]
"""A table and the key of a row in it."""

Lease = tuple[str | None, int | None]
"""The lease of a row and until when it holds, in milliseconds."""

ROUTE, POST, OTHER = "route", "post", "other"
LOOPS = {"job_changes": ROUTE, "turns": ROUTE, "lanes": POST}
"""Which loop of the worker looks at the rows of a table that are due. The others are looked at by its other work."""


@cache
def _engine() -> tuple[Engine, bytes]:
    """One engine for all runs of this process, since it caches compiled statements, and its empty schema."""
    engine = Database("sqlite://").engine
    with engine.begin() as connection:
        metadata.create_all(connection)
    return engine, _raw(engine).serialize()


def _raw(engine: Engine) -> sqlite3.Connection:
    return cast("sqlite3.Connection", engine.raw_connection().driver_connection)


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
    f"SELECT '{LOOPS.get(table.name, OTHER)}', min({_until(table)}), "
    f"min(CASE WHEN {_until(table)} > :now THEN {_until(table)} END) FROM {table.name}"
    + (" WHERE lease IS NOT NULL" if table.name == "turns" else "")
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
        self.engine, empty = _engine()
        self.raw = _raw(self.engine)
        self.raw.deserialize(empty)
        self._changes = self.raw.total_changes

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

    def due(self, now: int) -> tuple[set[str], dict[str, int]]:
        """The loops that have something to do now, and when the others, or the same again, will: in milliseconds."""
        overdue, upcoming = set[str](), dict[str, int]()
        for loop, first, later in self.raw.execute(_DUE, {"now": now}):
            if first is not None and first <= now:
                overdue.add(loop)
            if later is not None:
                upcoming[loop] = min(later, upcoming.get(loop, later))
        for (until,) in self.raw.execute("SELECT until FROM pauses WHERE until > ?", (now,)):
            for loop in (ROUTE, POST, OTHER):
                upcoming[loop] = min(until, upcoming.get(loop, until))
        return overdue, upcoming

    def waiting(self) -> dict[str, int]:
        """How much there still is to do, of each kind."""
        return {what: count for what, count in self.raw.execute(_WAITING) if count}
