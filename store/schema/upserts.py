"""Inserting rows that may exist already, in the dialects of both databases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection, Insert, Table
from sqlalchemy.dialects import postgresql, sqlite

_DIALECTS: Mapping[str, Any] = {"postgresql": postgresql, "sqlite": sqlite}  # their inserts have no common type


def insert_missing(connection: Connection, table: Table, *unique: str) -> Insert:
    """Return an INSERT that skips rows whose `unique` columns exist already. Other conflicts still raise."""
    return _insert_missing(connection.dialect.name, table, unique)


@cache  # building a statement costs more than running it, and there are few different ones
def _insert_missing(dialect: str, table: Table, unique: tuple[str, ...]) -> Insert:
    statement: Insert = _DIALECTS[dialect].insert(table).on_conflict_do_nothing(index_elements=unique)
    return statement


def put(connection: Connection, table: Table, row: Mapping[str, object], *unique: str) -> None:
    """Insert the row or replace the one with the same `unique` columns. If two do so at once, the later one wins."""
    connection.execute(_put(connection.dialect.name, table, unique), [dict(row)])


@cache
def _put(dialect: str, table: Table, unique: tuple[str, ...]) -> Insert:
    new = _DIALECTS[dialect].insert(table)
    others = {column.name: new.excluded[column.name] for column in table.columns if column.name not in unique}
    statement: Insert = new.on_conflict_do_update(index_elements=unique, set_=others)
    return statement


@dataclass(frozen=True)
class ManyRows:
    """
    An INSERT of tuples, for where many rows are added at once. `names` are their columns.

    A row whose `unique` columns exist is skipped. With `locks`, the existing one is locked until the commit.

    The rows go directly to the driver, since SQLAlchemy takes longer to prepare their parameters than the database
    takes to add them. SQLite gets one row after the other, and PostgreSQL, where rows cost more, one array for each
    column. `json_each` is not used on SQLite: with ON CONFLICT it crashed the process in the simulation.
    """

    table: Table
    names: tuple[str, ...]
    unique: tuple[str, ...]
    locks: bool = False

    def add(self, connection: Connection, rows: Sequence[tuple[object, ...]]) -> int:
        """Return how many rows were added. There is at least one."""
        is_sqlite = connection.dialect.name == "sqlite"
        values: Any = (
            list(rows) if is_sqlite else dict(zip(self.names, map(list, zip(*rows, strict=True)), strict=True))
        )
        statement = _many_rows(connection.dialect.name, self)
        options = {"preserve_rowcount": True}
        return connection.exec_driver_sql(statement, values, execution_options=options).rowcount


_ARRAYS = {str: "text[]", int: "bigint[]"}
"""Sent in binary (`%b`): psycopg takes six times as long for the text of an array."""


@cache
def _many_rows(dialect: str, many: ManyRows) -> str:
    if dialect == "sqlite":
        source = f"VALUES ({', '.join('?' for _ in many.names)})"
    else:
        arrays = {name: _ARRAYS[many.table.c[name].type.python_type] for name in many.names}
        source = f"SELECT {', '.join(f'unnest(%({name})b::{array})' for name, array in arrays.items())}"
    action = "NOTHING"
    if many.locks:
        # An update also locks rows that its condition leaves out: https://www.postgresql.org/docs/current/sql-insert.html
        action = f"UPDATE SET {many.names[0]} = excluded.{many.names[0]} WHERE FALSE"
    into = f"INSERT INTO {many.table.name} ({', '.join(many.names)})"
    return f"{into} {source} ON CONFLICT ({', '.join(many.unique)}) DO {action}"
