"""Inserting only what is not there yet, in the words of either database."""

from __future__ import annotations

from functools import cache

from sqlalchemy import Connection, Insert, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_missing(connection: Connection, table: Table, *unique: str) -> Insert:
    """An INSERT that passes over rows whose *unique* columns are already taken; other conflicts still raise."""
    return _insert_missing(connection.dialect.name, table, unique)


@cache  # to build a statement costs more than to run it; there are as many as places that call
def _insert_missing(dialect: str, table: Table, unique: tuple[str, ...]) -> Insert:
    if dialect == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing(index_elements=unique)
    return postgresql.insert(table).on_conflict_do_nothing(index_elements=unique)
