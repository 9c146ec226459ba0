"""What every verb at the terminal shares: the terminal itself, the app, the database, and how values are shown."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from services.settings import Settings
from store import migrations
from store.database import Database
from store.encryption import Cipher
from store.operations.single_process import sqlite_file

if TYPE_CHECKING:
    from aiohttp import web

    from listeners.slack.socket_mode import SocketMode
    from services.delivery.worker import Worker
    from services.intake.added_senders import AddedSenders
    from services.intake.intake import Intake
    from services.intake.keys import IntakeKeys
    from services.operations.doctor import Doctor
    from services.operations.heartbeat import Heartbeat
    from services.operations.readiness import Readiness
    from services.operations.watchdog import Watchdog
    from services.ownership.rulebook import Rulebook
    from services.ownership.simulation import Simulation
    from services.slack.tokens.install import TokenInstall

MANIFEST = Path(__file__).parents[2] / "manifest.json"
COMMAND = "python app.py"
"""How hints call the app. It is replaced with the command that works at the operator's terminal."""

MIGRATE = f"Run: {COMMAND} migrate"


class RefusedError(Exception):
    """A verb cannot run. The text says why and what to do; `status` is the exit status."""

    def __init__(self, text: str, status: int = 1) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class App:
    """The parts of the app that verbs run or read. listeners/assembly.py builds them."""

    settings: Settings
    database: Database
    monitoring: web.Application
    web: web.Application
    socket_mode: SocketMode | None
    readiness: Readiness
    heartbeat: Heartbeat | None
    watchdog: Watchdog
    worker: Worker
    intake: Intake
    doctor: Doctor
    rulebook: Rulebook
    simulation: Simulation
    intake_keys: IntakeKeys
    added_senders: AddedSenders
    token_install: TokenInstall


_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Characters that could move the cursor or reorder a line. Line breaks and tabs are ours."""

Build = Callable[[Settings, Cipher], AbstractAsyncContextManager[App]]


@dataclass(frozen=True)
class Terminal:
    """The operator's terminal. Results go to `out`, which may be piped; everything else goes to `err`."""

    environ: Mapping[str, str] = field(repr=False)
    build: Build
    out: Console
    err: Console
    command: str = COMMAND

    def write(self, text: str) -> None:
        """Print a result, without wrapping or color."""
        self.out.out(self._with_command(text), highlight=False)

    def note(self, text: str) -> None:
        """Print something that is not part of the result."""
        self.err.out(self._with_command(text), highlight=False)

    def _with_command(self, text: str) -> str:
        return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text).replace(f"{COMMAND} ", f"{self.command} ")

    def settings(self, *, serving: bool = False) -> Settings:
        """Raises SettingsError."""
        return Settings.from_environ(self.environ, serving=serving)

    @contextmanager
    def database(self) -> Iterator[Database]:
        """Open an existing, migrated database. Raises RefusedError, DatabaseUnavailableError."""
        url = self.settings().database_url
        file = sqlite_file(url)
        if file and not file.exists():
            raise RefusedError(f"There is no database at {file} yet. To create it, run: {COMMAND} serve")
        with opened(url) as database:
            if not database.run_sync(migrations.may_run):
                raise RefusedError(f"The database schema is out of date. {MIGRATE}")
            yield database


@contextmanager
def opened(url: str) -> Iterator[Database]:
    """Open a database for `run_sync` in this thread."""
    database = Database(url)
    try:
        yield database
    finally:
        database.engine.dispose()


def add_workspace_argument(parser: ArgumentParser) -> None:
    parser.add_argument("--workspace", required=True, metavar="ID", help="the workspace, such as T0123456789")


def add_workspace_filter(parser: ArgumentParser) -> None:
    parser.add_argument("--workspace", metavar="ID", help="only this workspace")


def add_list_arguments(parser: ArgumentParser) -> None:
    add_workspace_filter(parser)
    add_json_argument(parser)


def add_json_argument(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="as JSON, times in milliseconds since the epoch")


def add_demo_arguments(parser: ArgumentParser) -> None:
    # Defined here so that --help does not have to load the sandbox.
    parser.add_argument(
        "--once", action="store_true", help="exit after the samples: status 0 if every outcome is as expected"
    )
    parser.add_argument(
        "--port",
        type=int,
        metavar="N",
        help="serve the app on N, and the sandboxes on the two ports after it (default: free ones)",
    )
