"""Bringing a database to the newest schema, with Alembic."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect
from sqlalchemy.exc import OperationalError

HERE = Path(__file__).parent

LOCK_MS = 200
"""
How long a migration waits for a table on PostgreSQL, and so who serves waits behind it.

Much less than the second after which PostgreSQL looks for a deadlock, of which one of those might be the victim.
"""

ONE_AT_A_TIME = 7_263_548
"""The number of PostgreSQL's advisory lock that a migration holds: replicas may all try when they start."""


class NewerSchemaError(Exception):
    """A newer version of the app has migrated this database."""


class LockedError(Exception):
    """A table that has to change was in use for too long. Nothing has changed: try again."""


def upgrade(connection: Connection) -> None:
    """
    Run what is missing, inside the caller's transaction; nothing if it is the newest.

    Raises NewerSchemaError, LockedError.
    """
    try:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_MS}ms'")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ONE_AT_A_TIME})")
        if not is_newest(connection):
            _run_missing(connection)
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
