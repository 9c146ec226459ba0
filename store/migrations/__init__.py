"""Bringing a database to the newest schema, with Alembic."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import OperationalError

HERE = Path(__file__).parent

LOCK_MS = 200
"""
How long a migration waits for a table on PostgreSQL, and so who serves waits behind it.

Much less than the second after which PostgreSQL looks for a deadlock, of which one of those might be the victim.
"""

ONE_AT_A_TIME = 7_263_548
"""The number of PostgreSQL's advisory lock that a migration holds: replicas may all try when they start."""


BESIDE = {
    "ix_deliveries_lane": ("deliveries", "lane_id, state, id"),
    "ix_posts_lane": ("posts", "lane_id, state, tried_at"),
}
"""Indexes that a migration gives to tables which may be large: the table and the columns of each."""

BUILD_LOCK_MS = 10_000
"""How long such an index waits for who has the table in hand. Nobody waits behind it meanwhile."""


class NewerSchemaError(Exception):
    """A newer version of the app has migrated this database."""


class LockedError(Exception):
    """A table that has to change was in use for too long. Nothing has changed: try again."""


def build_beside(connection: Connection) -> None:
    """
    On PostgreSQL, before `upgrade`: build the indexes of BESIDE while others write to their tables.

    *connection* is outside of any transaction, and not used for anything else. Nothing where the tables are not there
    yet. Raises LockedError.
    """
    if connection.dialect.name != "postgresql":
        return
    with _standing_back():
        connection.exec_driver_sql(f"SET lock_timeout = '{BUILD_LOCK_MS}ms'")
        # Not waited for: who builds waits for every statement that runs, also for one that waits for this lock.
        if not connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({ONE_AT_A_TIME})").scalar_one():
            raise LockedError
        for name, (table, columns) in BESIDE.items():
            if connection.execute(_table, {"name": table}).scalar_one() is not None:
                _build(connection, name, f"{table} ({columns})")


_table = text("SELECT to_regclass(:name)")
_is_valid = text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)")


def _build(connection: Connection, name: str, target: str) -> None:
    if connection.execute(_is_valid, {"name": name}).scalar_one_or_none() is False:  # somebody gave up over it, or died
        connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY {name}")
    connection.exec_driver_sql(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {target}")


def upgrade(connection: Connection) -> None:
    """
    Run what is missing, inside the caller's transaction; nothing if it is the newest.

    Raises NewerSchemaError, LockedError.
    """
    with _standing_back():
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_MS}ms'")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ONE_AT_A_TIME})")
        if not is_newest(connection):
            _run_missing(connection)


@contextmanager
def _standing_back() -> Iterator[None]:
    """That a table is in use is no outage."""
    try:
        yield
    except OperationalError as error:
        if type(error.orig).__name__ == "LockNotAvailable":  # psycopg's, which SQLite does not need
            raise LockedError from error
        raise


def _run_missing(connection: Connection) -> None:
    # Alembic is large, and nearly every start finds nothing to do for it.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(HERE).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise NewerSchemaError from error


def is_newest(connection: Connection) -> bool:
    """Whether every migration this version knows has run."""
    if not inspect(connection).has_table("alembic_version"):
        return False
    current = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one_or_none()
    return current == newest()


def newest() -> str:
    """The last migration there is: their files begin with their revisions, which count."""
    return max(path.name for path in (HERE / "versions").glob("[0-9]*.py")).partition("_")[0]
