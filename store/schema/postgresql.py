"""Connections to PostgreSQL: their parameters, poolers between it and the app, and replacing dead ones."""

from __future__ import annotations

import select
import time
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

CONNECTION_PARAMETERS = {
    "application_name": "usergems-slack",  # in pg_stat_activity and the server's log
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
"""
Parameters of libpq that DATABASE_URL can override. A server that has vanished is noticed within half a minute.

By default Linux waits two hours for an answer, and a quarter of an hour for an acknowledgement:
https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
"""

IDLE_SECONDS = 5.0
"""A connection that has been idle for longer is tested before it is used, because it may have died unnoticed."""

BACKEND_PID = "SELECT pg_backend_pid()"
"""
What `is_pooled` compares with the process id that was sent when the connection was opened.

A pooler sends one of its own. In its transaction mode, each transaction may run in another session of the server.
"""


def prepare_engine(engine: Engine) -> None:
    """Let an engine of psycopg find poolers, and replace connections that died while they were idle."""
    event.listen(engine, "connect", prepare_connection)
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "checkout", partial(_replace_if_dead, engine))


def is_pooled(connection: Any) -> bool:
    """Return whether a pooler, such as PgBouncer, is between this connection of psycopg and the server."""
    pid = connection.execute(BACKEND_PID).fetchone()[0]
    connection.rollback()
    return bool(pid != connection.info.backend_pid)


def prepare_connection(connection: Any, _record: object) -> None:
    """
    Set up a session. Behind a pooler, keep nothing in it: the next transaction may run in another session.

    https://www.psycopg.org/psycopg3/docs/advanced/prepare.html#using-prepared-statements-with-pgbouncer
    """
    if is_pooled(connection):
        connection.prepare_threshold = None
    else:
        # A session keeps the plans of statements and of foreign keys. One that reads a nearly empty table as a whole
        # would go on doing so while the table grows, until autovacuum looks at it. Before version 18, PostgreSQL
        # estimates that a scan without an index is expensive enough to be compiled (`jit`).
        connection.execute("SET enable_seqscan = off; SET jit = off")
        connection.commit()


def need_not_last(connection: Connection) -> None:
    """
    Let this transaction commit without waiting for the disk, because its work is repeated if it is lost.

    Only a crash of the server loses it, and not once a later transaction that waits has committed.
    https://www.postgresql.org/docs/current/wal-async-commit.html
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL synchronous_commit TO OFF")


def _note_use(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info["used_at"] = time.monotonic()


def _replace_if_dead(engine: Engine, connection: Any, record: ConnectionPoolEntry, _fairy: object) -> None:
    """
    Replace a connection that died while it was idle, before it fails the next transaction.

    Between two transactions a socket has data only if the server has closed the connection. So a busy connection is
    checked without a round trip.
    """
    poller = select.poll()
    idle = time.monotonic() - record.info.get("used_at", time.monotonic())
    try:
        poller.register(connection.fileno(), select.POLLIN)
        if idle < IDLE_SECONDS and not poller.poll(0):
            return
        engine.dialect.do_ping(connection)
    except engine.dialect.loaded_dbapi.Error as error:
        raise DisconnectionError from error
