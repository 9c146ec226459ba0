"""Connections to SQLite: their settings, and transactions that write or only read."""

from __future__ import annotations

import sqlite3
import time
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, event

SQLITE_SYNCHRONOUS = "FULL"
"""A commit is on the disk before the request is answered. Tests set it to OFF."""

BUSY_TIMEOUT_MS = 10_000
LOOK_EVERY_MS = 2
"""How often a writer that waits tries again. SQLite alone would wait up to 100 ms, and miss the pauses of an import."""

CACHE_KIB = 16 * 1024
PAGES_OF_LOG = 4_000
"""
Keys are in no order, so that every commit touches pages all over their indexes.

A larger cache reads each of them less often, and a longer log (16 MB) writes it less often: a tenth of the CPU of
accepting.
"""

IMPORT_CACHE_KIB = 32 * 1024
IMPORT_PAGES_OF_LOG = 64_000
"""A million rows write most pages of those indexes many times; of what is in 256 MB of log, each is written once."""


def prepare_engine(engine: Engine, *, reading: bool, for_import: bool) -> None:
    """
    With `reading`, transactions neither lock anything nor wait.

    With `for_import`, they do not wait for the disk, so a crash of the machine may lose the latest, and nothing else.
    https://www.sqlite.org/wal.html, https://www.sqlite.org/pragma.html#pragma_synchronous
    """
    event.listen(engine, "connect", partial(_prepare, for_import))
    event.listen(engine, "begin", _begin_reading if reading else _begin_writing)


def _prepare(for_import: bool, connection: Any, _record: object) -> None:
    connection.isolation_level = None  # BEGIN is sent by _begin_writing
    cursor = connection.cursor()
    if cursor.execute("PRAGMA page_count").fetchone() == (0,):
        # Of a new file only: for any other, the statement changes nothing but waits for the write lock.
        cursor.execute("PRAGMA auto_vacuum = INCREMENTAL")
    for pragma in (
        "journal_mode = WAL",
        f"synchronous = {'NORMAL' if for_import else SQLITE_SYNCHRONOUS}",
        f"busy_timeout = {BUSY_TIMEOUT_MS}",
        "foreign_keys = ON",
        "secure_delete = ON",  # what is erased is overwritten
        f"cache_size = -{IMPORT_CACHE_KIB if for_import else CACHE_KIB}",
        f"wal_autocheckpoint = {IMPORT_PAGES_OF_LOG if for_import else PAGES_OF_LOG}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_writing(connection: Connection) -> None:
    # This waits for the write lock. A transaction that starts with a read and then writes would fail with "locked".
    driver: Any = connection.connection.driver_connection
    until = time.monotonic() + BUSY_TIMEOUT_MS / 1_000
    driver.execute(f"PRAGMA busy_timeout = {LOOK_EVERY_MS}")
    try:
        while time.monotonic() < until:
            try:
                driver.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    break
            else:
                return
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # raises the error as one of SQLAlchemy
    finally:
        driver.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")


def _begin_reading(connection: Connection) -> None:
    connection.exec_driver_sql("PRAGMA query_only = ON")
    connection.exec_driver_sql("BEGIN")
