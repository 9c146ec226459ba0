"""Reads a file as job changes, a large one in a process of its own, while earlier rows are being stored."""

from __future__ import annotations

import gc
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, cast

from domain.errors import PermanentError
from domain.job_change.model import JobChange
from domain.job_change.new import NewJobChange, check_size
from domain.job_change.validation import Fault, InvalidJobChangeError
from services.clock import SteadyClock
from services.intake.files.columns import RowReader
from services.intake.files.formats import RowsFile
from services.intake.files.rows import FileRow, open_rows

AT_ONCE = 1_000
"""Rows that share a commit. On SQLite, senders wait meanwhile, about 50 ms."""

LARGE_BYTES = 4 * 1024 * 1024
"""The size of a file from which a second process, which takes half a second to start, saves time."""

_ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class ReadRows:
    """
    The next rows of a file: their job changes, and the rows that are not valid with the reasons.

    `count` is the number of rows, `bytes_read` how much of the file has been read up to their end.
    """

    count: int
    bytes_read: int
    job_changes: Sequence[NewJobChange] = field(repr=False)
    refused: Sequence[tuple[FileRow, str]] = field(repr=False)


@dataclass(frozen=True)
class FileReader:
    """Reads the rows of a file for a workspace. `largest` is the size of a job change in bytes, as JSON."""

    file: RowsFile
    row_reader: RowReader
    workspace_id: str
    largest: int

    def read(self, skipped: int, now: Callable[[], int]) -> Generator[ReadRows, None, None]:
        """Yield the rows after the first `skipped`. `now` returns milliseconds. Raises OSError."""
        with open_rows(self.file) as (rows, position):
            following = islice(rows, skipped, None)
            while some := list(islice(following, AT_ONCE)):
                yield self._read(some, position(), now())

    def _read(self, rows: Sequence[FileRow], bytes_read: int, now: int) -> ReadRows:
        job_changes: list[NewJobChange] = []
        refused: list[tuple[FileRow, str]] = []
        for row in rows:
            try:
                job_changes += [NewJobChange.of(self.workspace_id, change, now) for change in self.parse(row)]
            except InvalidJobChangeError as error:
                refused.append((row, self.row_reader.reason(error)))
        return ReadRows(len(rows), bytes_read, job_changes, refused)

    def parse(self, row: FileRow) -> list[JobChange]:
        """Raises InvalidJobChangeError."""
        if row.fault:
            raise InvalidJobChangeError([Fault("", row.fault)])
        job_changes = self.row_reader.read(row.content)
        for job_change in job_changes:
            check_size(job_change, self.largest)
        return [JobChange.parse(job_change) for job_change in job_changes]


@contextmanager
def reading(reader: FileReader, skipped: int, now: Callable[[], int]) -> Iterator[Iterator[ReadRows]]:
    """Yield an iterator like that of `FileReader.read`. Only one thread may use it at a time."""
    if reader.file.size < LARGE_BYTES:
        with closing(reader.read(skipped, now)) as batches:
            yield batches
        return
    # A session of its own, so that Ctrl-C ends only the import, which then stores the rows that it has read. It is no
    # multiprocessing.Process, which would import all of app.py, and so take a second and 100 MB.
    command = [sys.executable, "-m", "services.intake.files.reading"]
    with subprocess.Popen(  # noqa: S603 - the command is our own
        command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        pickle.dump((reader, skipped, now()), given := cast("IO[bytes]", process.stdin))
        given.close()
        yield _received(cast("IO[bytes]", process.stdout))


def _received(answers: IO[bytes]) -> Iterator[ReadRows]:
    try:
        while answer := pickle.load(answers):  # noqa: S301 - it comes from our own process
            if isinstance(answer, OSError):
                raise answer
            yield answer
    except (EOFError, pickle.UnpicklingError):
        raise PermanentError("The process that reads the rows has ended") from None


def main() -> None:
    """Write what is read to stdout, and None at the end. If the import has ended, the next write ends this process."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    # No row is kept. With the defaults, collecting garbage took a fifth of the time.
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    reader, skipped, started_at = pickle.load(sys.stdin.buffer)  # noqa: S301 - it comes from `reading`
    clock = SteadyClock(lambda: started_at / 1_000)  # goes on from the time of the import
    answers = sys.stdout.buffer
    try:
        for rows in reader.read(skipped, clock):
            pickle.dump(rows, answers)
            answers.flush()
        pickle.dump(None, answers)
    except OSError as error:
        pickle.dump(error, answers)


if __name__ == "__main__":
    main()
