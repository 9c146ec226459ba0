"""Importing a file of job changes: how its columns are read, its progress, and the counts."""

from __future__ import annotations

import asyncio
import signal
from argparse import ArgumentParser, Namespace
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.progress import BarColumn, Progress, Task, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from domain.day_counts import counted
from domain.errors import PermanentError
from listeners.cli.terminal import RefusedError, Terminal, add_workspace_argument
from listeners.http.traces import open_traces
from services.clock import SteadyClock
from services.intake.files.columns import DEFAULT_SOURCE, missing
from services.intake.files.importer import FileImporter, ImportPlan, ImportRun
from services.intake.files.refused_rows import refused_rows_path
from services.intake.intake import Intake
from services.journal import Journal
from store.database import Database
from store.operations.notify import WorkNotifier
from store.slack import workspaces

REFRESH_SECONDS = 0.2
"""How often the progress bar is updated."""

LINE_EVERY_MS = 10_000
"""How often progress is printed where it cannot be drawn, such as in the log of a job."""

LONGEST_COMMIT_SECONDS = 60.0
"""Now and then a commit on SQLite writes 256 MB of log into the database, which takes half a second on a fast disk."""

INTERRUPTED = 130

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "pipes"}


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=Path, help="a CSV, JSON or JSON Lines file of any size")
    add_workspace_argument(parser)
    parser.add_argument(
        "--source", metavar="NAME", help=f"the source of the rows (default: as the rows say, or {DEFAULT_SOURCE})"
    )
    parser.add_argument("--dry-run", action="store_true", help="show what would be accepted or refused, import nothing")


def import_file(options: Namespace, terminal: Terminal) -> int:
    if not options.file.is_file():
        raise RefusedError(f"There is no file {options.file}.", status=2)
    with terminal.database() as database:
        workspace = database.run_sync(workspaces.find, options.workspace)
    if workspace is None or not (workspace.is_active or workspace.may_come_back):
        raise RefusedError(f"The app is not installed in workspace {options.workspace}.")
    try:
        return asyncio.run(_import(options, terminal))
    except PermanentError as error:
        raise RefusedError(f"{error}.") from None
    except OSError as error:
        raise RefusedError(f"{error.filename or options.file} cannot be used: {error.strerror}.") from None


async def _import(options: Namespace, terminal: Terminal) -> int:
    async with _importer(terminal) as importer:
        plan = await importer.plan(options.file, options.workspace, options.source, is_dry_run=options.dry_run)
        _print_plan(plan, terminal)
        run = ImportRun()
        is_done = await _run_with_progress(importer, plan, run, terminal)
        _print_counts(plan, run, terminal)
        await asyncio.to_thread(importer.database.empty_log)  # it may have grown to 256 MB, which `serve` would keep
    if not is_done:
        terminal.note("Interrupted. Run the same command to continue from here.")
        return INTERRUPTED
    return 1 if run.progress.refused else 0


@asynccontextmanager
async def _importer(terminal: Terminal) -> AsyncIterator[FileImporter]:
    """Build the importer without the rest of the app, which would take half a second and 40 MB."""
    settings, now = terminal.settings(), SteadyClock()
    database = Database(settings.database_url)
    rows_database = Database(settings.database_url, LONGEST_COMMIT_SECONDS, for_import=True)
    traces = open_traces(settings, now)
    notifier = WorkNotifier(database, settings.database_direct_url)
    largest = settings.job_change_kib * 1024
    try:
        intake = Intake(rows_database, now, notifier.notify, Journal(traces=traces), largest)
        yield FileImporter(intake, database, now)
    finally:
        await asyncio.to_thread(traces.close)
        await rows_database.close()
        await database.close()


def _print_plan(plan: ImportPlan, terminal: Terminal) -> None:
    file = plan.file
    separator = f", separated by {_SEPARATORS.get(file.separator, file.separator)}" if file.separator else ""
    terminal.note(f"{file.path.name}: {file.kind}, {file.encoding}{separator}, {file.size:,} bytes")
    if plan.is_in_our_form:
        terminal.note("The rows have the documented format.")
    else:
        _print_columns(plan, terminal)
    if fault := plan.first_fault:
        terminal.note(f"The first row will be refused: {fault}")
    if plan.progress.read:
        terminal.note(f"Continuing after {counted(plan.progress.read, 'row')}, where the last import was interrupted.")


def _print_columns(plan: ImportPlan, terminal: Terminal) -> None:
    understood = plan.reader.row_reader.interpret_columns(plan.names)
    if plan.file.header and not any(understood.values()):
        header = ", ".join(understood)[:200]
        raise RefusedError(
            f"{plan.file.path.name} has no column that the import knows ({header}). The first line of a CSV file must"
            " name the columns, such as full_name, email, new_company, new_title."
        )
    width = max(map(len, understood), default=0)
    for name, path in understood.items():
        terminal.note(f"  {name:<{width}}  {path or 'kept under custom'}")
    if plan.file.header:
        for field in missing(list(understood.values())):
            terminal.note(f"No column contains {field}, which every row needs.")


async def _run_with_progress(importing: FileImporter, plan: ImportPlan, run: ImportRun, terminal: Terminal) -> bool:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, run.stop.set)
    lines = ProgressLines(terminal, plan.file.size, importing.now)
    with _bar(plan, terminal) as bar:
        updating = asyncio.create_task(_refresh(bar, lines, run))
        try:
            return await importing.run(plan, run)
        finally:
            updating.cancel()
            _update(bar, run)
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)


@contextmanager
def _bar(plan: ImportPlan, terminal: Terminal) -> Iterator[Progress]:
    columns = (
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]:,} rows,"),
        _Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=terminal.err, disable=not terminal.err.is_terminal, transient=True) as bar:
        bar.add_task("", total=plan.file.size, rows=plan.progress.read, before=plan.progress.read)
        yield bar


class _Rate(TextColumn):
    """Rows per second since the start."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> Text:
        rows = task.fields["rows"] - task.fields["before"]
        return Text(f"{rows / task.elapsed:,.0f} a second," if task.elapsed else "")


@dataclass
class ProgressLines:
    """Prints a line now and then unless there is a terminal. `size` is in bytes; `now` returns milliseconds."""

    terminal: Terminal
    size: int
    now: Callable[[], int]
    _printed_at: int | None = field(default=None, init=False)
    _rows: int = field(default=0, init=False)

    def update(self, run: ImportRun) -> None:
        now, rows = self.now(), run.progress.read
        if self._printed_at is None:
            self._printed_at, self._rows = now, rows
        elapsed = now - self._printed_at
        if self.terminal.err.is_terminal or elapsed < LINE_EVERY_MS:
            return
        rate = 1_000 * (rows - self._rows) / elapsed
        self.terminal.note(f"{rows:,} rows, {run.bytes_read / self.size:.0%} of the file, {rate:,.0f} rows a second")
        self._printed_at, self._rows = now, rows


async def _refresh(bar: Progress, lines: ProgressLines, run: ImportRun) -> None:
    while True:
        _update(bar, run)
        lines.update(run)
        await asyncio.sleep(REFRESH_SECONDS)


def _update(bar: Progress, run: ImportRun) -> None:
    bar.update(bar.task_ids[0], completed=run.bytes_read, rows=run.progress.read)


def _print_counts(plan: ImportPlan, run: ImportRun, terminal: Terminal) -> None:
    progress = run.progress
    terminal.write(f"Accepted   {progress.accepted:,}")
    terminal.write(f"Duplicate  {progress.duplicate:,}")
    terminal.write(f"Refused    {progress.refused:,}")
    report_file = refused_rows_path(plan.file.path)
    if not plan.is_dry_run:
        if progress.refused:
            terminal.note(f"The refused rows and the reasons are in {report_file}")
        return
    for line in run.refused:
        terminal.note(f"  {line}")
    if progress.refused > len(run.refused):
        terminal.note(f"  and more; without --dry-run, all of them are written to {report_file}")
    terminal.note("This was a dry run. Nothing was imported.")
