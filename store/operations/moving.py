"""Copying a whole database into an empty one, row by row, and counting that all has arrived as it was."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import Connection, Integer, Row, Table, false, func, insert, select

from store.slack.sdk_stores import metadata

AT_ONCE = 1_000
_DIGEST_BITS = 256

TABLES: Sequence[Table] = metadata.sorted_tables
"""In an order in which what is referred to comes first."""


@dataclass(frozen=True)
class TableChecksum:
    """How many rows a table has, and a digest of all of them in whatever order."""

    rows: int
    digest: int


def non_empty_tables(connection: Connection) -> list[str]:
    """The tables that are not empty."""
    return [
        table.name
        for table in TABLES
        if connection.execute(select(*table.primary_key.columns).limit(1)).one_or_none() is not None
    ]


def copy(source: Connection, target: Connection, table: Table) -> Iterator[int]:
    """Copy a table; tells how many rows have been, time and again."""
    rows, copied = _rows(source, table), 0
    while some := list(islice(rows, AT_ONCE)):
        target.execute(insert(table), [dict(row._mapping) for row in some])  # noqa: SLF001 - its documented API
        copied += len(some)
        yield copied


def checksum(connection: Connection, table: Table) -> TableChecksum:
    """The digests of the rows are added up: the two databases sort text differently."""
    count, total = 0, 0
    for row in _rows(connection, table):
        count += 1
        total += int.from_bytes(hashlib.sha256(repr(tuple(row)).encode("utf-8", "surrogatepass")).digest())
    return TableChecksum(count, total % (1 << _DIGEST_BITS))


def reset_sequence(connection: Connection, table: Table) -> None:
    """On PostgreSQL: the next row gets the number after the greatest there is."""
    key = list(table.primary_key.columns)
    if len(key) == 1 and isinstance(key[0].type, Integer):
        sequence = func.pg_get_serial_sequence(table.name, key[0].name)
        greatest = select(func.coalesce(func.max(key[0]), 0) + 1).scalar_subquery()
        connection.execute(select(func.setval(sequence, greatest, false())))


def _rows(connection: Connection, table: Table) -> Iterator[Row[tuple[object, ...]]]:
    return iter(connection.execute(select(table).execution_options(yield_per=AT_ONCE)))
