"""Imports a file of job changes row by row into the intake. An interrupted import can be continued."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from domain.errors import PermanentError
from domain.job_change.model import JobChange
from domain.job_change.validation import Fault, InvalidJobChangeError
from services.intake.files.columns import RowReader
from services.intake.files.formats import RowsFile, detect_format
from services.intake.files.refused_rows import RefusalList, RefusedRowsFile, refused_rows_path
from services.intake.files.rows import FileRow, open_rows
from services.intake.intake import LARGEST_JOB_CHANGE, Intake, check_size
from services.intake.mapping.row_mapping import RowMapping
from store.database import Database, DatabaseUnavailableError
from store.intake import imports, mappings
from store.intake.imports import DryRunKeys, Progress
from store.intake.job_changes import Added

AT_ONCE = 500
"""Rows that share a commit. Others may write while the next ones are read."""

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
                _read(self.reader, self.first)
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
        with (
            closing(_refusals(plan, run)) as refusals,
            closing(DryRunKeys()) as dry_run_keys,
            open_rows(plan.file) as (rows, position),
        ):
            for number, batch in enumerate(_batches(islice(rows, plan.progress.read, None)), 1):
                changes, refused = _changes(plan.reader, batch, refusals, self.intake.largest)
                new = await (
                    self._count_new(plan, changes, dry_run_keys) if plan.is_dry_run else self._new(plan, changes)
                )
                counted = run.progress.plus(
                    read=len(batch), accepted=new, duplicate=len(changes) - new, refused=refused
                )
                run.progress, run.bytes_read = replace(counted, refused_bytes=refusals.flush()), position()
                is_stopped = run.stop.is_set()
                if not plan.is_dry_run and (is_stopped or number % SAVED_EVERY == 0):
                    await self.database.run(imports.save, plan.workspace_id, plan.digest, run.progress, self.now())
                if is_stopped:
                    return False
        await self.database.run(imports.finish, plan.workspace_id, plan.digest)
        return True

    async def _new(self, plan: ImportPlan, changes: Sequence[JobChange]) -> int:
        """Accept job changes, and return how many are new."""
        added = await self._accepted(plan.workspace_id, changes)
        if None in added:
            raise PermanentError(f"Workspace {plan.workspace_id} has removed the app")
        return sum(item is not None and item.is_new for item in added)

    async def _accepted(self, workspace_id: str, changes: Sequence[JobChange]) -> Sequence[Added | None]:
        for _ in range(ATTEMPTS - 1):
            try:
                return await self.intake.accept_parsed(workspace_id, changes)
            except DatabaseUnavailableError:
                await self.wait(WAIT_SECONDS)
        return await self.intake.accept_parsed(workspace_id, changes)

    async def _count_new(self, plan: ImportPlan, changes: Sequence[JobChange], dry_run_keys: DryRunKeys) -> int:
        """Return how many of the job changes would be new."""
        today = datetime.fromtimestamp(self.now() / 1_000, UTC).date()
        keys = [change.key(today) for change in changes]
        existing = await self.database.run(imports.existing, plan.workspace_id, keys)
        return dry_run_keys.add_new([key for key in keys if key not in existing])


def _batches(rows: Iterator[FileRow]) -> Iterator[list[FileRow]]:
    while batch := list(islice(rows, AT_ONCE)):
        yield batch


def _refusals(plan: ImportPlan, run: ImportRun) -> RefusedRowsFile | RefusalList:
    return RefusalList(run.refused) if plan.is_dry_run else RefusedRowsFile.of(plan.file, plan.progress.refused_bytes)


def _changes(
    reader: RowReader, batch: Sequence[FileRow], refusals: RefusedRowsFile | RefusalList, largest: int
) -> tuple[list[JobChange], int]:
    """
    Parse rows, and return their job changes and how many rows are not valid.

    Those are written to `refusals` with their reasons.
    """
    changes: list[JobChange] = []
    refused = 0
    for row in batch:
        try:
            changes += _read(reader, row, largest)
        except InvalidJobChangeError as error:
            refusals.write(row, str(error))
            refused += 1
    return changes, refused


def _read(reader: RowReader, row: FileRow, largest: int = LARGEST_JOB_CHANGE) -> list[JobChange]:
    if row.fault:
        raise InvalidJobChangeError([Fault("", row.fault)])
    job_changes = reader.read(row.content)
    for job_change in job_changes:
        check_size(job_change, largest)
    return [JobChange.parse(job_change) for job_change in job_changes]
