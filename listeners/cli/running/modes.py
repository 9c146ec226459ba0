"""Whether other users of this machine could read what is for the app alone: its key, its settings, its database."""

from __future__ import annotations

import logging
import stat
from collections.abc import Iterable
from pathlib import Path

log = logging.getLogger(__name__)

UMASK = 0o077
"""Of the process: whatever it makes is for its own user."""


def is_open(file: Path) -> bool:
    """Whether everybody may read or write it. A group is the operator's own business."""
    return file.exists() and bool(stat.S_IMODE(file.stat().st_mode) & stat.S_IRWXO)


def warn_of_open(files: Iterable[Path]) -> None:
    """In the log, with what to do. What the app made itself never is open."""
    for file in files:
        if is_open(file):
            log.warning("%s can be read by everybody on this machine: chmod o= %s", file, file)
