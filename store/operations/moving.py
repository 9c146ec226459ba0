"""Copying all tables into an empty database, and comparing them by checksum."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import Connection, Integer, Row, Table, false, func, insert, select

from store.schema import deployment
from store.slack.sdk_stores import metadata

AT_ONCE = 1_000
_DIGEST_BITS = 256

TABLES: Sequence[Table] = [table for table in metadata.sorted_tables if table is not deployment]
"""The tables, ordered so that referenced ones come first. The facts of a deployment belong to its own database."""


@dataclass(frozen=True)
class TableChecksum:
    """The number of rows of a table, and a digest of them that does not depend on their order."""

    rows: int
    digest: int


def non_empty_tables(connection: Connection) -> list[str]:
    """Return the names of the tables that have rows."""
    return [
        table.name
        for table in TABLES
        if connection.execute(select(*table.primary_key.columns).limit(1)).one_or_none() is not None
    ]


def copy(source: Connection, target: Connection, table: Table) -> Iterator[int]:
    """Copy a table, and yield the number of rows copied so far."""
    rows, copied = _rows(source, table), 0
    while batch := list(islice(rows, AT_ONCE)):
        target.execute(insert(table), [dict(row._mapping) for row in batch])  # noqa: SLF001 - its documented API
        copied += len(batch)
        yield copied


def checksum(connection: Connection, table: Table) -> TableChecksum:
    """Add up the digests of the rows, because SQLite and PostgreSQL sort text differently."""
    count, total = 0, 0
    for row in _rows(connection, table):
        count += 1
        total += int.from_bytes(hashlib.sha256(repr(tuple(row)).encode("utf-8", "surrogatepass")).digest())
    return TableChecksum(count, total % (1 << _DIGEST_BITS))


def reset_sequence(connection: Connection, table: Table) -> None:
    """On PostgreSQL, let the next row get the number after the greatest one."""
    key = list(table.primary_key.columns)
    if len(key) == 1 and isinstance(key[0].type, Integer):
        sequence = func.pg_get_serial_sequence(table.name, key[0].name)
        greatest = select(func.coalesce(func.max(key[0]), 0) + 1).scalar_subquery()
        connection.execute(select(func.setval(sequence, greatest, false())))


def _rows(connection: Connection, table: Table) -> Iterator[Row[tuple[object, ...]]]:
    return iter(connection.execute(select(table).execution_options(yield_per=AT_ONCE)))
