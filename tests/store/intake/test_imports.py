"""Storing the rows of a file together with the progress of its import."""

from __future__ import annotations

from domain.job_change.new import NewJobChange
from store.database import Database
from store.intake import imports
from store.intake.imports import Progress
from tests.conftest import SOMEDAY
from tests.store.sample_rows import add_workspace


async def test_on_postgresql_an_import_waits_for_the_disk_only_at_its_end(postgresql_url):
    """The progress is part of each transaction, so that what a crash of the machine loses is read again."""
    database = Database(postgresql_url)
    await database.run(add_workspace)

    def waits(connection):
        return connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"

    def import_rows(connection):
        row = NewJobChange("T1", "a", "tests", "{}", SOMEDAY)
        imports.add(connection, "T1", "digest", [row], Progress(read=1), SOMEDAY)
        return waits(connection)

    def finish(connection):
        imports.finish(connection, "T1", "digest")
        return waits(connection)

    assert not await database.run(import_rows)
    assert await database.run(imports.begin, "T1", "digest", SOMEDAY) == Progress(read=1, accepted=1)
    assert await database.run(finish)
    await database.close()
