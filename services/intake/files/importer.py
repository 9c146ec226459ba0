"""Imports a file of job changes row by row into the intake. An interrupted import can be continued."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, closing
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

from domain.errors import PermanentError
from domain.job_change.new import NewJobChange
from domain.job_change.validation import InvalidJobChangeError
from services.intake.files.columns import RowReader
from services.intake.files.formats import RowsFile, detect_format
from services.intake.files.reading import FileReader, ReadRows, reading
from services.intake.files.refused_rows import RefusalList, RefusedRowsFile, refused_rows_path
from services.intake.files.rows import FileRow, open_rows
from services.intake.intake import Intake
from services.intake.mapping.row_mapping import RowMapping
from store.database import Database, DatabaseUnavailableError
from store.intake import imports, mappings
from store.intake.imports import DryRunKeys, Progress

ATTEMPTS, WAIT_SECONDS = 5, 1.0
"""How often a commit is tried, and the wait between tries."""

PAUSE_SECONDS = 0.003
"""The pause between two transactions on SQLite, in which waiting senders are served."""


@dataclass(frozen=True)
class ImportPlan:
    """A file and how it will be imported. `progress` is that of an interrupted import of the same file."""

    reader: FileReader
    first: FileRow | None
    digest: str
    progress: Progress
    is_dry_run: bool

    @property
    def file(self) -> RowsFile:
        return self.reader.file

    @property
    def workspace_id(self) -> str:
        return self.reader.workspace_id

    @property
    def names(self) -> tuple[str, ...]:
        """The columns, or the names in the first row of JSON."""
        content = self.first.content if self.first else None
        return self.file.header or (tuple(content) if isinstance(content, dict) else ())

    @property
    def first_fault(self) -> str | None:
        """Why the first row will be refused, or None."""
        if self.first is not None:
            try:
                self.reader.parse(self.first)
            except InvalidJobChangeError as error:
                return self.reader.row_reader.reason(error)
        return None

    @property
    def is_in_our_form(self) -> bool:
        """Whether the first row has the documented format, so that its names need no mapping."""
        return not self.file.header and "person" in self.names


@dataclass
class ImportRun:
    """
    The state of a running import, in rows and bytes. Setting `stop` ends it.

    `refused` has the first refused rows of a dry run with their reasons.
    """

    progress: Progress = field(default_factory=Progress)
    bytes_read: int = 0
    refused: list[str] = field(default_factory=list, repr=False)
    stop: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True)
class FileImporter:
    """
    Imports files of any size, with one batch in memory at a time.

    Rows are stored through the database of `intake`. It need not wait for the disk, because the progress is part of
    each transaction. `database` is the same one, and does: when an import has ended, all of its rows are on the disk.

    Its methods raise PermanentError for problems of the file or the workspace, OSError, DatabaseUnavailableError.
    """

    intake: Intake
    database: Database
    now: Callable[[], int]
    wait: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def plan(self, path: Path, workspace_id: str, source: str | None, *, is_dry_run: bool = False) -> ImportPlan:
        """Plan the import of a file. This takes seconds for millions of rows."""
        file = await asyncio.to_thread(detect_format, path)
        definitions = await self.database.run(mappings.all_of, workspace_id)
        own = {name: RowMapping.parse(definition) for name, definition in definitions.items()}
        settings = json.dumps([file.digest, source, definitions], sort_keys=True)
        digest = hashlib.sha256(settings.encode()).hexdigest()
        progress = Progress()
        if not is_dry_run:
            progress = await self.database.run(imports.begin, workspace_id, digest, self.now())
        refused_file = refused_rows_path(path)
        if progress.refused_bytes > (refused_file.stat().st_size if refused_file.exists() else 0):
            progress = Progress()  # the file was removed: start again
        with open_rows(file) as (rows, _):
            first = next(rows, None)
        reader = FileReader(file, RowReader(source, own, file.header), workspace_id, self.intake.largest)
        return ImportPlan(reader, first, digest, progress, is_dry_run)

    async def run(self, plan: ImportPlan, run: ImportRun) -> bool:
        """Import the remaining rows. Return whether the end was reached, rather than the import stopped."""
        run.progress = plan.progress
        refused_rows: RefusedRowsFile | RefusalList = (
            RefusalList(run.refused) if plan.is_dry_run else RefusedRowsFile.of(plan.file, plan.progress.refused_bytes)
        )
        with (
            closing(refused_rows) as refusals,
            closing(DryRunKeys()) as dry_run_keys,
            reading(plan.reader, plan.progress.read, self.now) as batches,
        ):
            async with aclosing(_ahead(batches)) as batches_ahead:
                async for rows in batches_ahead:
                    for row, reason in rows.refused:
                        refusals.write(row, reason)
                    counted = run.progress.plus(read=rows.count, refused=len(rows.refused))
                    if plan.is_dry_run:
                        keys = [job_change.key for job_change in rows.job_changes]
                        existing = await self.database.read(imports.existing, plan.workspace_id, keys)
                        new = dry_run_keys.add_new([key for key in keys if key not in existing])
                        run.progress = counted.plus(accepted=new, duplicate=len(keys) - new)
                    else:
                        counted = replace(counted, refused_bytes=refusals.flush())
                        run.progress = await self._accept(plan, rows.job_changes, counted)
                    run.bytes_read = rows.bytes_read
                    if self.database.is_sqlite:
                        await self.wait(PAUSE_SECONDS)
                    if run.stop.is_set():
                        return False
        if not plan.is_dry_run:
            await self.database.run(imports.finish, plan.workspace_id, plan.digest)
        return True

    async def _accept(self, plan: ImportPlan, job_changes: Sequence[NewJobChange], counted: Progress) -> Progress:
        """Accept job changes, and return the progress with them. `counted` includes their rows."""
        now = self.now()
        arguments = (plan.workspace_id, plan.digest, job_changes, counted, now)
        for attempt in count(1):
            try:
                added, progress = await self.intake.database.run(imports.add, *arguments)
                break
            except DatabaseUnavailableError:
                if attempt == ATTEMPTS:
                    raise
                await self.wait(WAIT_SECONDS)
        if None in added:
            raise PermanentError(f"Workspace {plan.workspace_id} has removed the app")
        self.intake.announce(plan.workspace_id, added, now)
        return progress


async def _ahead(batches: Iterator[ReadRows]) -> AsyncGenerator[ReadRows, None]:
    """Yield batches. The next one is read while the caller stores the last one."""
    with ThreadPoolExecutor(1, thread_name_prefix="rows") as thread:
        following = thread.submit(next, batches, None)
        while rows := await asyncio.wrap_future(following):
            following = thread.submit(next, batches, None)
            yield rows
