"""The progress of file imports, by which an interrupted one is continued."""

from __future__ import annotations

from store.intake import imports
from store.intake.imports import Progress
from tests.conftest import SOMEDAY
from tests.store.sample_rows import add_workspace

THIRTY_DAYS_MS = 30 * 24 * 60 * 60 * 1_000


async def test_an_interrupted_import_can_be_continued_for_thirty_days(database):
    """It belongs to its workspace and file. A finished one starts again at once, and forgets no other."""
    places = [("T1", "a file"), ("T1", "another file"), ("T2", "a file")]
    progress = [Progress(read=10, accepted=6, duplicate=2, refused=2, refused_bytes=99), Progress(1), Progress(2)]
    for workspace_id in ("T1", "T2"):
        await database.run(add_workspace, workspace_id)
    for (workspace_id, digest), imported in zip(places, progress, strict=True):
        await database.run(imports.add, workspace_id, digest, [], imported, SOMEDAY)

    async def continued(now: int) -> list[Progress]:
        return [await database.run(imports.begin, *place, now) for place in places]

    assert await continued(SOMEDAY + THIRTY_DAYS_MS) == progress
    await database.run(imports.finish, "T1", "a file")
    assert await continued(SOMEDAY + THIRTY_DAYS_MS) == [Progress(), *progress[1:]]
    assert await continued(SOMEDAY + THIRTY_DAYS_MS + 1) == [Progress()] * 3
