"""Inserting only what is not there yet, or in its place, in the words of either database."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

from sqlalchemy import Connection, Insert, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.base import ReadOnlyColumnCollection


def insert_missing(connection: Connection, table: Table, *unique: str) -> Insert:
    """An INSERT that passes over rows whose *unique* columns are already taken; other conflicts still raise."""
    return _insert_missing(connection.dialect.name, table, unique)


@cache  # to build a statement costs more than to run it; there are as many as places that call
def _insert_missing(dialect: str, table: Table, unique: tuple[str, ...]) -> Insert:
    if dialect == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing(index_elements=unique)
    return postgresql.insert(table).on_conflict_do_nothing(index_elements=unique)


def put(connection: Connection, table: Table, row: Mapping[str, object], *unique: str) -> None:
    """Insert *row* in place of the one whose *unique* columns it has. Of two who do so at once the later one stays."""
    connection.execute(_put(connection.dialect.name, table, unique), [dict(row)])


@cache
def _put(dialect: str, table: Table, unique: tuple[str, ...]) -> Insert:
    # Not one name for both: the two statements have no type in common that knows of conflicts.
    if dialect == "sqlite":
        here = sqlite.insert(table)
        return here.on_conflict_do_update(index_elements=unique, set_=_others(table, unique, here.excluded))
    there = postgresql.insert(table)
    return there.on_conflict_do_update(index_elements=unique, set_=_others(table, unique, there.excluded))


def _others(table: Table, unique: Collection[str], excluded: ReadOnlyColumnCollection[str, Any]) -> dict[str, Any]:
    return {column.name: excluded[column.name] for column in table.columns if column.name not in unique}
