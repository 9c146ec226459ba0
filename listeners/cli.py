"""The operator at a terminal: every verb in one table, and what is said when one cannot be done."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from sqlalchemy.exc import DBAPIError

from listeners.verbs import (
    Build,
    RefusedError,
    Terminal,
    buried,
    demo,
    explain,
    intake_key,
    manifest,
    migrating,
    serving,
    status,
)
from services.settings import SettingsError
from store.database import DatabaseUnavailableError

VERSION = "0.1.0"


@dataclass(frozen=True)
class Verb:
    """What may be asked for; *help* is a line."""

    name: str
    help: str
    do: Callable[[Namespace, Terminal], int]
    arguments: Callable[[ArgumentParser], None] | None = None


VERBS = (
    Verb("serve", "web and worker in one process (the default); migrates first on SQLite", serving.serve),
    Verb("web", "what Slack, senders and browsers reach; any number of them on PostgreSQL", serving.serve_web),
    Verb("worker", "routes and posts; any number of them on PostgreSQL", serving.serve_worker),
    Verb("migrate", "bring the database to the newest schema", migrating.migrate),
    Verb("demo", "try it on this machine: sandbox Slack and Salesforce, sample data", demo.demo, demo.arguments),
    Verb("manifest", "the Slack app's manifest and the link that creates it", manifest.manifest, manifest.arguments),
    Verb("status", "how the workspaces stand", status.status, status.arguments),
    Verb("explain", "all that happened to one job change, and why", explain.explain, explain.arguments),
    Verb("buried", "what could not be delivered, and why", buried.show_buried, buried.buried_arguments),
    Verb("replay", "try again what was buried", buried.replay_buried, buried.replay_arguments),
    Verb("intake-key", "a new key for a sender of job changes", intake_key.intake_key, intake_key.arguments),
)


def run(argv: Sequence[str], environ: Mapping[str, str], build: Build) -> int:
    """Do what was typed; answers the exit status. Raises SystemExit for --help, --version and what makes no sense."""
    asked = _parser().parse_args(argv or ["serve"])
    terminal = Terminal(environ, build, Console(), Console(stderr=True))
    try:
        return _do(asked, terminal)
    except BrokenPipeError:
        # Whoever read our output has read enough; Python would complain once more when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _do(asked: Namespace, terminal: Terminal) -> int:
    try:
        status: int = asked.do(asked, terminal)
    except SettingsError as error:
        terminal.remark("The settings are not complete (.env.example lists them all):")
        for fault in error.faults:
            terminal.remark(f"  {fault}")
        return 2
    except RefusedError as error:
        terminal.remark(str(error))
        return error.status
    except DatabaseUnavailableError as error:
        terminal.remark(f"Check DATABASE_URL and that the database is up: {error}.")
        return 1
    except DBAPIError as error:
        terminal.remark(f"The database cannot be used: {error.orig}.")
        return 1
    except KeyboardInterrupt:
        return 130
    return status


def _parser() -> ArgumentParser:
    parser = ArgumentParser("python app.py", description="Job-change signals, told in Slack to the right person.")
    parser.add_argument("--version", action="version", version=VERSION)
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for verb in VERBS:
        its = verbs.add_parser(verb.name, help=verb.help, description=f"{verb.help[:1].upper()}{verb.help[1:]}.")
        its.set_defaults(do=verb.do)
        if verb.arguments:
            verb.arguments(its)
    return parser
