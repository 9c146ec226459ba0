"""A lock on a SQLite file, so that only one process uses it. The operating system releases it when the process ends."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.engine import make_url


class DatabaseInUseError(Exception):
    def __init__(self, file: Path) -> None:
        super().__init__(
            f"{file} is in use by another process. Stop that process first. To run several processes, use PostgreSQL."
        )


def sqlite_file(url: str) -> Path | None:
    """Return the file of a database URL, or None if it is not SQLite or is in memory."""
    parsed = make_url(url)
    is_file = parsed.get_backend_name() == "sqlite" and parsed.database not in {None, "", ":memory:"}
    return Path(parsed.database or "") if is_file else None


@contextmanager
def exclusive_lock(file: Path) -> Iterator[None]:
    """Raises DatabaseInUseError without waiting, and OSError if the folder is not writable."""
    real = file.resolve()  # so that every name of the file has the same lock
    with real.with_name(f"{real.name}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DatabaseInUseError(file) from None
        yield
