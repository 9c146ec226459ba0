"""Migrating a database to the newest schema, with Alembic."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, inspect, select, text
from sqlalchemy.exc import OperationalError

from store.schema import deployment
from store.schema.postgresql import is_pooled
from store.schema.upserts import put

HERE = Path(__file__).parent
_OLDEST = "oldest_revision"

LOCK_MS = 200
"""
How long a migration waits for a table lock on PostgreSQL. Other queries wait behind it.

It is much less than a second, after which PostgreSQL looks for deadlocks and might cancel one of those queries.
"""

ONE_AT_A_TIME = 7_263_548
"""The number of the advisory lock that a migration holds, because every replica may migrate when it starts."""


CONCURRENT_INDEXES = {
    "ix_deliveries_lane": ("deliveries", "(lane_id, state, id)"),
    "ix_posts_lane": ("posts", "(lane_id, state, tried_at)"),
    "ix_handlings_actor": ("handlings", "(actor, at)"),
    "ix_job_changes_ended_at": (
        "job_changes",
        "(workspace_id, ended_at, outcome, told) WHERE ended_at IS NOT NULL",
    ),
}
"""Indexes that a migration adds to tables which may be large, with their tables and columns."""

HOT_TABLES = ("job_changes", "deliveries", "lanes", "posts", "turns", "trace")
AUTOVACUUM = "autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02"
"""
Every row of these tables changes several times within seconds of being added. By default, a table is vacuumed once a
fifth of it has changed, which is late for large ones: https://www.postgresql.org/docs/current/routine-vacuuming.html
"""

BUILD_LOCK_MS = 10_000
"""How long building such an index waits for running transactions. Nothing waits behind it."""


OLDEST_REVISION = "0015"
"""
Code of this revision and later may run on a database that this version has migrated: replicas are replaced one by one.

Raise it when a migration takes something away that older code needs. Code before 0015 does not ask.
"""


class NewerSchemaError(Exception):
    """A newer version of the app has migrated the database, and this one may not run on it."""


class LockedError(Exception):
    """A table was in use for too long. Nothing has changed, and the migration can be tried again."""


def build_indexes_concurrently(connection: Connection) -> None:
    """
    Build CONCURRENT_INDEXES on PostgreSQL while other processes write to their tables. Call it before `upgrade`.

    `connection` is outside a transaction and used for nothing else. Tables that do not exist yet are skipped. Raises
    LockedError.
    """
    if connection.dialect.name != "postgresql" or is_pooled(connection.connection.dbapi_connection):
        return  # through a pooler, `upgrade` builds them: a lock and a setting of the session would not last
    with _translate_lock_timeout():
        connection.exec_driver_sql(f"SET lock_timeout = '{BUILD_LOCK_MS}ms'")
        # It does not wait, because building waits for every running statement, even for one that waits for this lock.
        if not connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({ONE_AT_A_TIME})").scalar_one():
            raise LockedError
        for name, (table, columns) in CONCURRENT_INDEXES.items():
            if connection.execute(_table, {"name": table}).scalar_one() is None:
                continue
            if connection.execute(_is_valid, {"name": name}).scalar_one_or_none() is False:  # an earlier attempt failed
                connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY {name}")
            connection.exec_driver_sql(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {table} {columns}")


_table = text("SELECT to_regclass(:name)")
_is_valid = text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)")


def upgrade(connection: Connection) -> None:
    """Run the missing migrations in the transaction of the caller. Raises NewerSchemaError, LockedError."""
    with _translate_lock_timeout():
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_MS}ms'")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ONE_AT_A_TIME})")
        if may_run(connection):
            return
        if is_newer(connection):
            raise NewerSchemaError
        # Alembic is large, and most starts do not need it.
        from alembic import command  # noqa: PLC0415
        from alembic.config import Config  # noqa: PLC0415

        config = Config()
        config.set_main_option("script_location", str(HERE).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        if connection.dialect.name == "postgresql":
            for table in HOT_TABLES:
                connection.exec_driver_sql(f"ALTER TABLE {table} SET ({AUTOVACUUM})")
        put(connection, deployment, {"name": _OLDEST, "value": OLDEST_REVISION}, "name")


@contextmanager
def _translate_lock_timeout() -> Iterator[None]:
    """Raise LockedError for a table in use, which is not an outage."""
    try:
        yield
    except OperationalError as error:
        if type(error.orig).__name__ == "LockNotAvailable":  # of psycopg, which is not installed for SQLite
            raise LockedError from error
        raise


def may_run(connection: Connection) -> bool:
    """
    Return whether this version may run on the database.

    Every migration of it must have run. If those of a newer version have run, too, that version must allow it.
    """
    revision = revision_of(connection) or ""
    if revision <= newest():
        return revision == newest()
    oldest = connection.execute(select(deployment.c.value).where(deployment.c.name == _OLDEST)).scalar_one_or_none()
    return oldest is not None and oldest <= newest()


def is_newer(connection: Connection) -> bool:
    """Return whether a newer version has migrated the database."""
    return (revision_of(connection) or "") > newest()


def revision_of(connection: Connection) -> str | None:
    """Return the revision of the database, None if it was never migrated."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    current: str | None = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one_or_none()
    return current


def newest() -> str:
    """Return the revision of the last migration. The names of their files start with the revisions, in order."""
    return max(path.name for path in (HERE / "versions").glob("[0-9]*.py")).partition("_")[0]
