"""What the operator can ask for at a terminal, a module each; here is what all of them are handed."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from aiohttp import web
from rich.console import Console

from listeners.slack.socket_mode import SocketMode
from services.delivery.worker import Worker
from services.home.status import Status
from services.intake.files.importing import Importing
from services.intake.keys import IntakeKeys
from services.operations.doctor import Checkup
from services.operations.heartbeat import Heartbeat
from services.ownership.rulebook import Rulebook
from services.ownership.simulation import Simulation
from services.settings import Settings
from store import migrations
from store.database import Database
from store.encryption import Cipher
from store.operations.single_process import sqlite_file

MANIFEST = Path(__file__).parents[2] / "manifest.json"
COMMAND = "python app.py"
"""How hints call the app; at a terminal they are told as they have to be typed there."""

MIGRATE = f"run {COMMAND} migrate"


class RefusedError(Exception):
    """A verb cannot do what was asked: a sentence that says why and what to do, and the exit status."""

    def __init__(self, text: str, status: int = 1) -> None:
        super().__init__(text)
        self.status = status


class App(Protocol):
    """The parts of the app that verbs run, or ask; app.py has it."""

    @property
    def database(self) -> Database: ...

    @property
    def monitoring(self) -> web.Application: ...

    @property
    def web(self) -> web.Application: ...

    @property
    def socket_mode(self) -> SocketMode | None: ...

    @property
    def heartbeat(self) -> Heartbeat | None: ...

    @property
    def worker(self) -> Worker: ...

    @property
    def importing(self) -> Importing: ...

    @property
    def checkup(self) -> Checkup: ...

    @property
    def rulebook(self) -> Rulebook: ...

    @property
    def simulation(self) -> Simulation: ...

    @property
    def intake_keys(self) -> IntakeKeys: ...

    @property
    def status(self) -> Status: ...


Build = Callable[[Settings, Cipher], AbstractAsyncContextManager[App]]


@dataclass(frozen=True)
class Terminal:
    """Where the verb was typed. Results go to *out*, which may be piped; all else goes to *err*."""

    environ: Mapping[str, str] = field(repr=False)
    build: Build
    out: Console
    err: Console
    command: str = COMMAND

    def write(self, text: str) -> None:
        """Print a result as it is: neither wrapped nor coloured."""
        self.out.out(self._typeable(text), highlight=False)

    def note(self, text: str) -> None:
        """Print what is not part of the result."""
        self.err.out(self._typeable(text), highlight=False)

    def _typeable(self, text: str) -> str:
        return text.replace(f"{COMMAND} ", f"{self.command} ")

    def settings(self, *, serving: bool = False) -> Settings:
        """Raises SettingsError."""
        return Settings.from_environ(self.environ, serving=serving)

    @contextmanager
    def database(self) -> Iterator[Database]:
        """The database, which is there and at the newest schema. Raises RefusedError, DatabaseUnavailableError."""
        url = self.settings().database_url
        file = sqlite_file(url)
        if file and not file.exists():
            raise RefusedError(f"There is no database at {file} yet: start with python app.py serve.")
        with opened(url) as database:
            if not database.run_sync(migrations.is_newest):
                raise RefusedError(f"The database schema is out of date: {MIGRATE}.")
            yield database


@contextmanager
def opened(url: str) -> Iterator[Database]:
    """For `run_sync` in this thread."""
    database = Database(url)
    try:
        yield database
    finally:
        database.engine.dispose()


def shown_time(milliseconds: int) -> str:
    """As people read it, in UTC."""
    return f"{datetime.fromtimestamp(milliseconds / 1_000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def add_workspace_argument(parser: ArgumentParser) -> None:
    parser.add_argument("--workspace", required=True, metavar="ID", help="the workspace, such as T0123456789")


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
