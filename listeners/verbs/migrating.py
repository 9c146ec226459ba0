"""Bringing the database to the newest schema."""

from __future__ import annotations

from argparse import Namespace

from listeners.verbs import Terminal, opened
from listeners.verbs.preparing import migrate as bring_up


def migrate(_asked: Namespace, terminal: Terminal) -> int:
    with opened(terminal.settings().database_url) as database:
        bring_up(database)
    terminal.tell("The database is at the newest schema.")
    return 0
