"""Bringing the database to the newest schema."""

from __future__ import annotations

from argparse import Namespace

from listeners.cli.running.preparing import migrate as bring_up
from listeners.cli.terminal import Terminal, opened


def migrate(_asked: Namespace, terminal: Terminal) -> int:
    with opened(terminal.settings().database_url) as database:
        bring_up(database)
    terminal.tell("The database is at the newest schema.")
    return 0
