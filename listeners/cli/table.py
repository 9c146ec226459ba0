"""The operator at a terminal: every verb in one table, and what is said when one cannot be done."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from sqlalchemy.exc import DBAPIError

from listeners.cli import doctor, erase, explain, failed, importing, move, ownership, rotate_keys, setup, status
from listeners.cli.running import preparing, serving
from listeners.cli.terminal import COMMAND, Build, RefusedError, Terminal, add_demo_arguments
from services.settings import VERSION, SettingsError
from store.database import DatabaseUnavailableError


def _demo(asked: Namespace, terminal: Terminal) -> int:
    from listeners.cli.running.demo import demo  # noqa: PLC0415 - brings the whole sandbox, which nobody serves with

    return demo(asked, terminal)


@dataclass(frozen=True)
class Verb:
    """What may be asked for; *help* is a line."""

    name: str
    help: str
    do: Callable[[Namespace, Terminal], int]
    arguments: Callable[[ArgumentParser], None] | None = None


VERBS = (
    Verb("serve", "web and worker in one process, the default; migrates SQLite first", serving.serve),
    Verb("web", "serves Slack, senders and browsers; several on PostgreSQL", serving.serve_web),
    Verb("worker", "routes and posts; several on PostgreSQL", serving.serve_worker),
    Verb("migrate", "bring the database to the newest schema", preparing.migrate_database),
    Verb("demo", "try it on this machine: sandbox Slack and Salesforce, sample data", _demo, add_demo_arguments),
    Verb("import", "a file of job changes: CSV, JSON or JSON Lines", importing.import_file, importing.arguments),
    Verb("doctor", "what is wrong with this installation, and what to do", doctor.doctor, doctor.arguments),
    Verb("manifest", "print the Slack app manifest", setup.show_manifest, setup.add_manifest_arguments),
    Verb("status", "how each workspace is doing", status.show_status, status.add_status_arguments),
    Verb("explain", "all that happened to one job change, and why", explain.explain, explain.arguments),
    Verb("buried", "what could not be delivered, and why", failed.show_buried, failed.buried_arguments),
    Verb("audit", "who changed what in a workspace, and when", status.show_audit, status.add_audit_arguments),
    Verb("replay", "try again what was buried", failed.replay_buried, failed.replay_arguments),
    Verb(
        "ownership", "export, import or check a workspace's ownership rules", ownership.ownership, ownership.arguments
    ),
    Verb("simulate", "who would be told of a file's job changes, and why", ownership.simulate, ownership.simulating),
    Verb("intake-key", "a new key for a sender of job changes", setup.make_key, setup.add_key_arguments),
    Verb("erase", "forget a person or a workspace, everywhere", erase.erase, erase.arguments),
    Verb("rotate-keys", "re-encrypt every secret under the first key", rotate_keys.rotate_keys),
    Verb("move", "from SQLite to PostgreSQL, checked row by row", move.move, move.arguments),
)


def run(argv: Sequence[str], environ: Mapping[str, str], build: Build, command: str = COMMAND) -> int:
    """
    Do what was typed; answers the exit status. Raises SystemExit for --help, --version and what makes no sense.

    *command*: what has to be typed before a verb at this terminal, for hints.
    """
    asked = _parser(command).parse_args(argv or ["serve"])
    terminal = Terminal(environ, build, Console(), Console(stderr=True), command)
    try:
        status: int = asked.do(asked, terminal)
    except SettingsError as error:
        terminal.note("Some settings are missing or wrong (.env.example lists them all):")
        for fault in error.faults:
            terminal.note(f"  {fault}")
        if any(fault.startswith("SLACK_CLIENT") for fault in error.faults):
            terminal.note("No Slack app yet? python app.py manifest --url https://your-address leads to one.")
            terminal.note("To try it without one: python app.py demo.")
        return 2
    except RefusedError as error:
        terminal.note(str(error))
        return error.status
    except DatabaseUnavailableError as error:
        terminal.note(f"Check DATABASE_URL and that the database is up: {error}.")
        return 1
    except DBAPIError as error:
        terminal.note(f"The database cannot be used: {error.orig}.")
        return 1
    except KeyboardInterrupt:
        return 130
    return status


def _parser(command: str) -> ArgumentParser:
    parser = ArgumentParser(
        command,
        description="Tells the right person in Slack when a Salesforce contact changes jobs.",
        epilog="\n".join(["verbs:", *(f"  {verb.name:<12}{verb.help}" for verb in VERBS)]),
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=VERSION)
    verbs = parser.add_subparsers(metavar="VERB", required=True, help="what to do; VERB --help tells more")
    for verb in VERBS:
        its = verbs.add_parser(verb.name, description=f"{verb.help[:1].upper()}{verb.help[1:]}.")
        its.set_defaults(do=verb.do)
        if verb.arguments:
            verb.arguments(its)
    return parser
