"""Inserting rows that may exist already, in the dialects of both databases."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

from sqlalchemy import Connection, Insert, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.base import ReadOnlyColumnCollection


def insert_missing(connection: Connection, table: Table, *unique: str) -> Insert:
    """Return an INSERT that skips rows whose `unique` columns exist already. Other conflicts still raise."""
    return _insert_missing(connection.dialect.name, table, unique)


@cache  # building a statement costs more than running it, and there are few different ones
def _insert_missing(dialect: str, table: Table, unique: tuple[str, ...]) -> Insert:
    if dialect == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing(index_elements=unique)
    return postgresql.insert(table).on_conflict_do_nothing(index_elements=unique)


def put(connection: Connection, table: Table, row: Mapping[str, object], *unique: str) -> None:
    """Insert the row or replace the one with the same `unique` columns. If two do so at once, the later one wins."""
    connection.execute(_put(connection.dialect.name, table, unique), [dict(row)])


@cache
def _put(dialect: str, table: Table, unique: tuple[str, ...]) -> Insert:
    # Two variables, because the two statements have no common type with conflict handling.
    if dialect == "sqlite":
        sqlite_insert = sqlite.insert(table)
        return sqlite_insert.on_conflict_do_update(
            index_elements=unique, set_=_others(table, unique, sqlite_insert.excluded)
        )
    postgresql_insert = postgresql.insert(table)
    return postgresql_insert.on_conflict_do_update(
        index_elements=unique, set_=_others(table, unique, postgresql_insert.excluded)
    )


def _others(table: Table, unique: Collection[str], excluded: ReadOnlyColumnCollection[str, Any]) -> dict[str, Any]:
    return {column.name: excluded[column.name] for column in table.columns if column.name not in unique}
