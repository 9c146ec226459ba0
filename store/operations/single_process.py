"""Being the only process that works on a SQLite file: a lock that the operating system lets go when we die."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.engine import make_url


class DatabaseInUseError(Exception):
    """Another process works on this database."""

    def __init__(self, file: Path) -> None:
        super().__init__(
            f"Another process already works on {file}. Stop it first; to run several at once, use PostgreSQL."
        )


def sqlite_file(url: str) -> Path | None:
    """The file behind a database URL; None: it is not SQLite, or lives in memory only."""
    parsed = make_url(url)
    is_file = parsed.get_backend_name() == "sqlite" and parsed.database not in {None, "", ":memory:"}
    return Path(parsed.database or "") if is_file else None


@contextmanager
def exclusive_lock(file: Path) -> Iterator[None]:
    """Raises DatabaseInUseError at once; OSError when nothing can be written beside the file."""
    real = file.resolve()  # one lock, however the file is named
    with real.with_name(f"{real.name}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DatabaseInUseError(file) from None
        yield
