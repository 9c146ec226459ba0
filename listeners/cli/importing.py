"""A file of job changes, any size, with a look at what was understood before and the counts after."""

from __future__ import annotations

import asyncio
import signal
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.progress import BarColumn, Progress, Task, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from domain.errors import PermanentError
from listeners.cli.running.preparing import cipher_of
from listeners.cli.terminal import RefusedError, Terminal
from services.intake.files.columns import DEFAULT_SOURCE, missing
from services.intake.files.importing import Importing, Plan, Watch
from services.intake.files.refusals import refusals_of
from store.slack import workspaces

LOOK_SECONDS = 0.2
"""How often the bar moves."""

INTERRUPTED = 130

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=Path, help="CSV, JSON or JSON Lines, of any size")
    parser.add_argument("--workspace", required=True, metavar="ID", help="the workspace, such as T0123456789")
    parser.add_argument(
        "--source", metavar="NAME", help=f"who made the rows (default: what they say, else {DEFAULT_SOURCE})"
    )
    parser.add_argument("--dry-run", action="store_true", help="only show what would be accepted and what refused")


def import_file(asked: Namespace, terminal: Terminal) -> int:
    if not asked.file.is_file():
        raise RefusedError(f"There is no file {asked.file}.", status=2)
    with terminal.database() as database:
        workspace = database.run_sync(workspaces.find, asked.workspace)
    if workspace is None or not workspace.is_active:
        raise RefusedError(f"No workspace {asked.workspace} has installed the app.")
    try:
        return asyncio.run(_import(asked, terminal))
    except PermanentError as error:
        raise RefusedError(f"{error}.") from None
    except OSError as error:
        raise RefusedError(f"{error.filename or asked.file} cannot be used: {error.strerror}.") from None


async def _import(asked: Namespace, terminal: Terminal) -> int:
    settings = terminal.settings()
    async with terminal.build(settings, cipher_of(settings)) as app:
        plan = await app.importing.plan(asked.file, asked.workspace, asked.source, is_rehearsal=asked.dry_run)
        _tell_plan(plan, terminal)
        watch = Watch()
        is_done = await _watched(app.importing, plan, watch, terminal)
    _tell_counts(plan, watch, terminal)
    if not is_done:
        terminal.note("Interrupted. Run the same command to continue from here.")
        return INTERRUPTED
    return 1 if watch.progress.refused else 0


def _tell_plan(plan: Plan, terminal: Terminal) -> None:
    file = plan.file
    by = f", separated by {_SEPARATORS.get(file.separator, file.separator)}" if file.separator else ""
    terminal.note(f"{file.path.name}: {file.kind}, {file.encoding}{by}, {file.size:,} bytes")
    if plan.is_in_our_form:
        terminal.note("Its rows are in the documented form.")
    else:
        _tell_columns(plan, terminal)
    if fault := plan.first_fault:
        terminal.note(f"Its first row will be refused: {fault}")
    if plan.progress.read:
        terminal.note(f"Continuing after {plan.progress.read:,} rows, where its last import was interrupted.")


def _tell_columns(plan: Plan, terminal: Terminal) -> None:
    understood = plan.reading.understood(plan.names)
    if plan.file.header and not any(understood.values()):
        shown = ", ".join(understood)[:200]
        raise RefusedError(
            f"None of the names in {plan.file.path.name} is understood ({shown}). The first line of a CSV has to name"
            " the columns, such as full_name, email, new_company, new_title."
        )
    width = max(map(len, understood), default=0)
    for name, field in understood.items():
        terminal.note(f"  {name:<{width}}  {field or 'kept under custom'}")
    if plan.file.header:
        for what in missing(list(understood.values())):
            terminal.note(f"No column tells {what}: every row needs it.")


async def _watched(importing: Importing, plan: Plan, watch: Watch, terminal: Terminal) -> bool:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, watch.stop.set)
    with _bar(plan, terminal) as bar:
        moving = asyncio.create_task(_move(bar, watch))
        try:
            return await importing.run(plan, watch)
        finally:
            moving.cancel()
            _show(bar, watch)
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)


@contextmanager
def _bar(plan: Plan, terminal: Terminal) -> Iterator[Progress]:
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
    """How many rows a second, since it began."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> Text:
        rows = task.fields["rows"] - task.fields["before"]
        return Text(f"{rows / task.elapsed:,.0f} a second," if task.elapsed else "")


async def _move(bar: Progress, watch: Watch) -> None:
    while True:
        _show(bar, watch)
        await asyncio.sleep(LOOK_SECONDS)


def _show(bar: Progress, watch: Watch) -> None:
    bar.update(bar.task_ids[0], completed=watch.bytes_read, rows=watch.progress.read)


def _tell_counts(plan: Plan, watch: Watch, terminal: Terminal) -> None:
    progress = watch.progress
    terminal.write(f"accepted   {progress.accepted:,}")
    terminal.write(f"duplicate  {progress.duplicate:,}")
    terminal.write(f"refused    {progress.refused:,}")
    written = refusals_of(plan.file.path)
    if not plan.is_rehearsal:
        if progress.refused:
            terminal.note(f"The refused rows, with the reasons: {written}")
        return
    for refused in watch.refused:
        terminal.note(f"  {refused}")
    if progress.refused > len(watch.refused):
        terminal.note(f"  and more; without --dry-run all of them are written to {written}")
    terminal.note("This was a dry run: nothing was accepted, and nothing written.")
