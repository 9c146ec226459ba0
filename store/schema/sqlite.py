"""Connections to SQLite: their settings, and transactions that write or only read."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, event

SQLITE_SYNCHRONOUS = "FULL"
"""A commit is on the disk before the request is answered. Tests set it to OFF."""

BUSY_TIMEOUT_MS = 10_000

CACHE_KIB = 16 * 1024
PAGES_OF_LOG = 4_000
"""
Keys are in no order, so that every commit touches pages all over their indexes.

A larger cache reads each of them less often, and a longer log (16 MB) writes it less often: a tenth of the CPU of
accepting.
"""


def prepare_engine(engine: Engine, *, reading: bool) -> None:
    """With `reading`, transactions neither lock anything nor wait: https://www.sqlite.org/wal.html"""
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin_reading if reading else _begin_writing)


def _prepare(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # BEGIN is sent by _begin_writing
    cursor = connection.cursor()
    if cursor.execute("PRAGMA page_count").fetchone() == (0,):
        # Of a new file only: for any other, the statement changes nothing but waits for the write lock.
        cursor.execute("PRAGMA auto_vacuum = INCREMENTAL")
    for pragma in (
        "journal_mode = WAL",
        f"synchronous = {SQLITE_SYNCHRONOUS}",
        f"busy_timeout = {BUSY_TIMEOUT_MS}",
        "foreign_keys = ON",
        "secure_delete = ON",  # what is erased is overwritten
        f"cache_size = -{CACHE_KIB}",
        f"wal_autocheckpoint = {PAGES_OF_LOG}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_writing(connection: Connection) -> None:
    # This waits for the write lock. A transaction that starts with a read and then writes would fail with "locked".
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_reading(connection: Connection) -> None:
    connection.exec_driver_sql("PRAGMA query_only = ON")
    connection.exec_driver_sql("BEGIN")
