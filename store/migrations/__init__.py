"""Bringing a database to the newest schema, with Alembic."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


def upgrade(connection: Connection) -> None:
    """Run what is missing, inside the caller's transaction; nothing if the schema is the newest."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def is_newest(connection: Connection) -> bool:
    """Whether every migration this version knows has run."""
    current = MigrationContext.configure(connection).get_current_revision()
    return current == ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config
