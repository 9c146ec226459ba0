"""The migrations create exactly the schema."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from store import migrations
from store.slack.sdk_stores import metadata


async def test_the_migrations_create_exactly_the_schema(database):
    """A change of store/schema needs a migration."""

    def differences(connection):
        return compare_metadata(MigrationContext.configure(connection), metadata)

    assert await database.run(differences) == []


async def test_a_migrated_database_is_recognized_as_the_newest(database):
    """/readyz and doctor depend on it."""
    assert await database.run(migrations.may_run)


def test_the_newest_migration_is_the_head_of_alembic():
    """It is read from the names of the files, without loading Alembic."""
    assert migrations.newest() == ScriptDirectory(str(migrations.HERE)).get_current_head()


async def test_a_database_that_was_never_migrated_is_not_the_newest(database):
    """Neither is one that was emptied, or is a migration behind."""
    await database.run(lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '0000'")))
    assert not await database.run(migrations.may_run)

    await database.run(lambda connection: connection.execute(text("DELETE FROM alembic_version")))
    assert not await database.run(migrations.may_run)

    await database.run(lambda connection: connection.execute(text("DROP TABLE alembic_version")))
    assert not await database.run(migrations.may_run)


async def test_migrating_twice_changes_nothing(database):
    """Every start on SQLite migrates first."""
    await database.run(migrations.upgrade)

    assert await database.run(migrations.may_run)
