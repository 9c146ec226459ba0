"""Every verb of `python app.py` in one table, and the error messages that all of them share."""

from __future__ import annotations

import gc
import os
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Any

from rich.console import Console
from sqlalchemy.exc import DBAPIError

from listeners.cli.terminal import COMMAND, Build, RefusedError, Terminal
from services.settings import VERSION, SettingsError
from store.database import DatabaseUnavailableError
from store.encryption import WrongKeyError


@dataclass(frozen=True)
class Verb:
    """
    `help` is one line. `run` names a function of a module in this folder, which returns the exit status.

    The module is loaded when the verb is used, because serving takes much longer to load than the other verbs.
    `arguments` names the function that adds the verb's arguments to its parser.
    """

    name: str
    help: str
    run: str
    arguments: str | None = None

    def add_arguments(self, parser: ArgumentParser) -> None:
        if self.arguments:
            _function(self.arguments)(parser)


VERBS = (
    Verb("serve", "run web and worker in one process (the default)", "running.serving.serve"),
    Verb("web", "run the web process; any number of these on PostgreSQL", "running.serving.serve_web"),
    Verb("worker", "run the worker process; any number of these on PostgreSQL", "running.serving.serve_worker"),
    Verb("migrate", "update the database schema to this version", "running.preparing.migrate_database"),
    Verb(
        "demo",
        "try the app with a sandbox Slack, Salesforce and sample data",
        "running.demo.demo",
        "terminal.add_demo_arguments",
    ),
    Verb("import", "import job changes from a CSV or JSON file", "importing.import_file", "importing.add_arguments"),
    Verb("doctor", "check this installation and show how to fix problems", "doctor.run_doctor", "doctor.add_arguments"),
    Verb("manifest", "print the Slack app manifest", "setup.show_manifest", "setup.add_manifest_arguments"),
    Verb("install", "install the app in a workspace with its bot token", "install.install"),
    Verb("status", "show the status of each workspace", "status.show_status", "terminal.add_list_arguments"),
    Verb("explain", "show what happened to a job change, and why", "explain.explain", "explain.add_arguments"),
    Verb("failed", "list job changes that could not be delivered", "failed.show_failed", "terminal.add_list_arguments"),
    Verb("retry", "retry failed job changes", "failed.retry_failed", "failed.add_retry_arguments"),
    Verb("audit", "show who changed what in a workspace, and when", "status.show_audit", "status.add_audit_arguments"),
    Verb(
        "ownership",
        "export, import, check or score ownership rules",
        "ownership.ownership",
        "ownership.add_rules_arguments",
    ),
    Verb(
        "simulate",
        "show who would be notified of job changes",
        "ownership.simulate",
        "ownership.add_simulation_arguments",
    ),
    Verb("intake-key", "create a key for a sender of job changes", "setup.make_key", "setup.add_key_arguments"),
    Verb(
        "senders",
        "show the senders of a workspace, and what was refused",
        "setup.show_senders",
        "setup.add_sender_arguments",
    ),
    Verb(
        "card-buttons",
        "export or import the buttons on cards",
        "setup.change_card_buttons",
        "setup.add_card_buttons_arguments",
    ),
    Verb("erase", "erase a person or a workspace everywhere", "erase.erase", "erase.add_arguments"),
    Verb("rotate-keys", "re-encrypt all secrets with the first encryption key", "rotate_keys.rotate_keys"),
    Verb("move", "move all data from SQLite to PostgreSQL", "move.move", "move.add_arguments"),
)
RENAMED = {"buried": "failed", "replay": "retry"}
"""Verbs of versions before 0.3, and their new names."""


def run(argv: Sequence[str], environ: Mapping[str, str], build: Build, command: str = COMMAND) -> int:
    """
    Run the verb on the command line and return the exit status.

    `command` is what has to be typed before a verb at this terminal, for hints. Raises SystemExit for --help, --version
    and invalid arguments.
    """
    terminal = Terminal(environ, build, _Output(), Console(stderr=True), command)
    if argv and (hint := _wrong_verb(argv[0])):
        terminal.note(hint)
        return 2
    arguments = argv or ["serve"]
    options = _parser(command, arguments[0]).parse_args(arguments)
    run_verb = _function(options.run)
    gc.enable()  # app.py disables it until the verb is loaded
    try:
        exit_status: int = run_verb(options, terminal)
    except SettingsError as error:
        _print_faults(error, terminal)
        exit_status = 2
    except RefusedError as error:
        terminal.note(str(error))
        exit_status = error.status
    except WrongKeyError as error:
        terminal.note(str(error))
        exit_status = 2
    except DatabaseUnavailableError as error:
        terminal.note(f"Check DATABASE_URL and that the database is running: {error}.")
        exit_status = 1
    except DBAPIError as error:
        terminal.note(f"The database cannot be used: {error.orig}.")
        exit_status = 2
    except KeyboardInterrupt:
        exit_status = 130
    return exit_status


class _Output(Console):
    """Standard output. When nobody reads it any more, as in `doctor | head`, the rest is dropped without an error."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())


def _print_faults(error: SettingsError, terminal: Terminal) -> None:
    terminal.note("Some settings are missing or invalid (.env.example lists all of them):")
    for fault in error.faults:
        terminal.note(f"  {fault}")
    if error.names & {"SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET"}:
        terminal.note(f"To create the Slack app, run: {COMMAND} manifest --url https://your-address")
        terminal.note(f"To try the app without one, run: {COMMAND} demo")


def _wrong_verb(name: str) -> str | None:
    """A hint for a renamed or unknown verb, or None."""
    if new_name := RENAMED.get(name):
        return f"“{name}” is now called “{new_name}”. Run: {COMMAND} {new_name}"
    names = [verb.name for verb in VERBS]
    if name.startswith("-") or name in names:
        return None
    close = get_close_matches(name, names, n=1)
    suggestion = f" Did you mean “{close[0]}”?" if close else ""
    return f"Unknown command “{name}”.{suggestion} To list all commands, run: {COMMAND} --help"


def _function(name: str) -> Callable[..., Any]:
    module, _, function = name.rpartition(".")
    loaded: Callable[..., Any] = getattr(import_module(f"listeners.cli.{module}"), function)
    return loaded


def _parser(command: str, verb_name: str) -> ArgumentParser:
    """Return the parser of all verbs. Only the one with this name gets its arguments."""
    parser = ArgumentParser(
        command,
        description="Notifies the right person in Slack when a Salesforce contact changes jobs.",
        epilog="\n".join(["commands:", *(f"  {verb.name:<13}{verb.help}" for verb in VERBS)]),
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=VERSION)
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True, help="for details, run: COMMAND --help")
    for verb in VERBS:
        verb_parser = subparsers.add_parser(verb.name, description=f"{verb.help[:1].upper()}{verb.help[1:]}.")
        verb_parser.set_defaults(run=verb.run)
        if verb.name == verb_name:
            verb.add_arguments(verb_parser)
    return parser
