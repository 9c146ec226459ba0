"""Imports a file of job changes row by row into the intake. An interrupted import can be continued."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from domain.errors import PermanentError
from domain.job_change.new import NewJobChange
from domain.job_change.validation import InvalidJobChangeError
from services.intake.files.columns import RowReader
from services.intake.files.formats import RowsFile, detect_format
from services.intake.files.reading import ReadRows, RowsParser, reading
from services.intake.files.refused_rows import RefusalList, RefusedRowsFile, refused_rows_path
from services.intake.files.rows import FileRow, open_rows
from services.intake.intake import LARGEST_JOB_CHANGE, Intake
from services.intake.mapping.row_mapping import RowMapping
from store.database import Database, DatabaseUnavailableError
from store.intake import imports, mappings
from store.intake.imports import DryRunKeys, Progress
from store.intake.job_changes import Added

AT_ONCE = 500
"""Rows that share a commit."""

READ_AHEAD = 2
"""Batches that are read while one is stored."""

SAVED_EVERY = 10
"""The progress is stored after this many batches. Later rows would be read again, as duplicates."""

ATTEMPTS, WAIT_SECONDS = 5, 1.0
"""How often a commit is tried, and the wait between tries."""


@dataclass(frozen=True)
class ImportPlan:
    """A file and how it will be imported. `progress` is that of an interrupted import of the same file."""

    workspace_id: str
    file: RowsFile
    reader: RowReader
    first: FileRow | None
    digest: str
    progress: Progress
    is_dry_run: bool

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
                RowsParser(self.reader, self.workspace_id, LARGEST_JOB_CHANGE).parse(self.first)
            except InvalidJobChangeError as error:
                return str(error)
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
        return ImportPlan(workspace_id, file, RowReader(source, own, file.header), first, digest, progress, is_dry_run)

    async def run(self, plan: ImportPlan, run: ImportRun) -> bool:
        """Import the remaining rows. Return whether the end was reached, rather than the import stopped."""
        run.progress = plan.progress
        parser = RowsParser(plan.reader, plan.workspace_id, self.intake.largest)
        with (
            closing(_refusals(plan, run)) as refusals,
            closing(DryRunKeys()) as dry_run_keys,
            open_rows(plan.file) as (rows, position),
            reading(parser, plan.file.size) as read,
            ThreadPoolExecutor(1, thread_name_prefix="rows") as thread,
        ):
            batches = (
                _Batch(some, position(), thread.submit(read, some, self.now()))
                for some in _batches(islice(rows, plan.progress.read, None))
            )
            for number, batch in enumerate(_ahead(batches), 1):
                result = await asyncio.wrap_future(batch.result)
                for place, reason in result.refused.items():
                    refusals.write(batch.rows[place], reason)
                new = await (
                    self._count_new(plan, result.job_changes, dry_run_keys)
                    if plan.is_dry_run
                    else self._new(plan, result.job_changes)
                )
                counted = run.progress.plus(
                    read=len(batch.rows),
                    accepted=new,
                    duplicate=len(result.job_changes) - new,
                    refused=len(result.refused),
                )
                run.progress, run.bytes_read = replace(counted, refused_bytes=refusals.flush()), batch.bytes_read
                is_stopped = run.stop.is_set()
                if not plan.is_dry_run and (is_stopped or number % SAVED_EVERY == 0):
                    await self.database.run(imports.save, plan.workspace_id, plan.digest, run.progress, self.now())
                if is_stopped:
                    return False
        await self.database.run(imports.finish, plan.workspace_id, plan.digest)
        return True

    async def _new(self, plan: ImportPlan, job_changes: Sequence[NewJobChange]) -> int:
        """Accept job changes, and return how many are new."""
        added = await self._accepted(plan.workspace_id, job_changes)
        if None in added:
            raise PermanentError(f"Workspace {plan.workspace_id} has removed the app")
        return sum(item is not None and item.is_new for item in added)

    async def _accepted(self, workspace_id: str, job_changes: Sequence[NewJobChange]) -> Sequence[Added | None]:
        for _ in range(ATTEMPTS - 1):
            try:
                return await self.intake.accept_new(workspace_id, job_changes)
            except DatabaseUnavailableError:
                await self.wait(WAIT_SECONDS)
        return await self.intake.accept_new(workspace_id, job_changes)

    async def _count_new(self, plan: ImportPlan, job_changes: Sequence[NewJobChange], dry_run_keys: DryRunKeys) -> int:
        """Return how many of the job changes would be new."""
        keys = [job_change.key for job_change in job_changes]
        existing = await self.database.run(imports.existing, plan.workspace_id, keys)
        return dry_run_keys.add_new([key for key in keys if key not in existing])


@dataclass(frozen=True)
class _Batch:
    """Rows that are being read as job changes, and how many bytes of the file end with them."""

    rows: Sequence[FileRow]
    bytes_read: int
    result: Future[ReadRows]


def _ahead(batches: Iterator[_Batch]) -> Iterator[_Batch]:
    """Begin the next batches before one is stored."""
    waiting = deque[_Batch]()
    for batch in batches:
        waiting.append(batch)
        if len(waiting) > READ_AHEAD:
            yield waiting.popleft()
    yield from waiting


def _batches(rows: Iterator[FileRow]) -> Iterator[list[FileRow]]:
    while batch := list(islice(rows, AT_ONCE)):
        yield batch


def _refusals(plan: ImportPlan, run: ImportRun) -> RefusedRowsFile | RefusalList:
    return RefusalList(run.refused) if plan.is_dry_run else RefusedRowsFile.of(plan.file, plan.progress.refused_bytes)
