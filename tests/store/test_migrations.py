"""The migrations and the schema say the same."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from store import migrations
from store.slack_tables import metadata


async def test_the_migrations_build_exactly_the_schema(database):
    """Whoever changes store/schema.py writes the migration too."""

    def differences(connection):
        return compare_metadata(MigrationContext.configure(connection), metadata)

    assert await database.run(differences) == []


async def test_a_migrated_database_is_known_to_be_the_newest(database):
    """/readyz and doctor ask this before they say yes."""
    assert await database.run(migrations.is_newest)


async def test_migrating_twice_changes_nothing(database):
    """Every start on SQLite migrates first."""
    await database.run(migrations.upgrade)

    assert await database.run(migrations.is_newest)
