"""Reads rows as job changes, those of a large file in a process of its own, while earlier ones are being stored."""

from __future__ import annotations

import gc
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from domain.errors import PermanentError
from domain.job_change.model import JobChange
from domain.job_change.new import NewJobChange, check_size
from domain.job_change.validation import Fault, InvalidJobChangeError
from services.intake.files.columns import RowReader
from services.intake.files.rows import FileRow

LARGE_BYTES = 4 * 1024 * 1024
"""The size of a file from which a second process, which takes half a second to start, saves time."""

_ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class ReadRows:
    """The job changes of some rows, and the reasons of the rows that are not valid by their place among them."""

    job_changes: Sequence[NewJobChange]
    refused: dict[int, str] = field(repr=False)


@dataclass(frozen=True)
class RowsParser:
    """Parses rows for a workspace. `largest` is the size of a job change in bytes, as JSON."""

    reader: RowReader
    workspace_id: str
    largest: int

    def read(self, rows: Sequence[FileRow], now: int) -> ReadRows:
        """`now` is when they are accepted, in milliseconds."""
        job_changes: list[NewJobChange] = []
        refused: dict[int, str] = {}
        for number, row in enumerate(rows):
            try:
                job_changes += [NewJobChange.of(self.workspace_id, change, now) for change in self.parse(row)]
            except InvalidJobChangeError as error:
                refused[number] = str(error)
        return ReadRows(job_changes, refused)

    def parse(self, row: FileRow) -> list[JobChange]:
        """Raises InvalidJobChangeError."""
        if row.fault:
            raise InvalidJobChangeError([Fault("", row.fault)])
        job_changes = self.reader.read(row.content)
        for job_change in job_changes:
            check_size(job_change, self.largest)
        return [JobChange.parse(job_change) for job_change in job_changes]


Read = Callable[[Sequence[FileRow], int], ReadRows]


@contextmanager
def reading(parser: RowsParser, size: int) -> Iterator[Read]:
    """Yield a function that reads rows of a file of `size` bytes. Only one thread may call it at a time."""
    if size < LARGE_BYTES:
        yield parser.read
        return
    # A session of its own, so that Ctrl-C ends only the import, which then finishes the rows that it has read. The
    # process ends when its input does, also if the import is killed. It is no multiprocessing.Process, which would
    # import all of app.py, and so take a second and 100 MB.
    command = [sys.executable, "-m", "services.intake.files.reading"]
    with subprocess.Popen(  # noqa: S603 - the command is our own
        command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        given, answered = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
        pickle.dump(parser, given)

        def read(rows: Sequence[FileRow], now: int) -> ReadRows:
            try:
                pickle.dump((rows, now), given)
                given.flush()
                result: ReadRows = pickle.load(answered)  # noqa: S301 - it comes from our own process
            except (EOFError, BrokenPipeError):
                raise PermanentError("The process that reads the rows has ended") from None
            return result

        yield read


def main() -> None:
    """Read rows from stdin and write their job changes to stdout, until stdin ends."""
    given, answered = sys.stdin.buffer, sys.stdout.buffer
    # Nothing that is read stays. By default, looking for garbage took a fifth of the time.
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    parser: RowsParser = pickle.load(given)  # noqa: S301 - all of it comes from `reading`
    with suppress(EOFError):
        while True:
            rows, now = pickle.load(given)  # noqa: S301
            pickle.dump(parser.read(rows, now), answered)
            answered.flush()


if __name__ == "__main__":
    main()
