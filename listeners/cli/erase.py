"""Erasing a person or a workspace everywhere."""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from domain.day_counts import counted
from domain.errors import PermanentError
from listeners.cli.terminal import RefusedError, Terminal
from services.clock import SteadyClock
from services.intake.files.refused_rows import REFUSED_ROWS
from services.operations.erasure_matching import ERASED, PersonMatcher, without_recipient
from store.database import Database
from store.intake import refused_payloads
from store.operations import erasure, free_text, workspace_erasure
from store.operations.erasure import Content, Erased
from store.slack import workspaces

AT_ONCE = 1_000
"""Job changes that are read in one transaction."""

DELETED_AT_ONCE = 200

PATIENCE_SECONDS, POLL_SECONDS = 120.0, 0.5
"""How long to wait for job changes that are being routed, and how often to check."""


def add_arguments(parser: ArgumentParser) -> None:
    subject = parser.add_mutually_exclusive_group(required=True)
    subject.add_argument("--email", metavar="EMAIL", help="erase the person with this email address")
    subject.add_argument("--linkedin-url", metavar="URL", help="erase the person with this LinkedIn profile")
    subject.add_argument("--workspace", metavar="ID", help="erase this workspace and all of its data")
    parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")


def erase(options: Namespace, terminal: Terminal) -> int:
    with terminal.database() as database:
        if options.workspace:
            return _erase_workspace(options, database, terminal)
        try:
            person = (
                PersonMatcher.of_email(options.email) if options.email else PersonMatcher.of_page(options.linkedin_url)
            )
        except PermanentError as error:
            raise RefusedError(f"{error}.", status=2) from None
        _confirm(options, terminal, f"Erase {person.email or person.page} in every workspace? This cannot be undone.")
        return _erase_person(person, database, terminal)


def _confirm(options: Namespace, terminal: Terminal, question: str) -> None:
    if options.yes:
        return
    if not sys.stdin.isatty():
        raise RefusedError("Nothing was erased. Not interactive: use --yes to confirm.", status=2)
    if terminal.err.input(f"{question} [y/N] ", markup=False).strip().lower() not in {"y", "yes"}:
        raise RefusedError("Nothing was erased.")


@dataclass
class _Report:
    """
    Counts of an erasure. `texts` are audit entries, reasons, errors and rules.

    `persons` are all addresses and profiles of the person, `names` their names. `files` are refused rows that name
    them. `is_in_log` is true if SQLite's log could not be emptied. `workspaces` are the ids of those that had job
    changes about the person.
    """

    erased: Erased = field(default_factory=Erased)
    mentions: int = 0
    addresses: int = 0
    refused: int = 0
    texts: int = 0
    is_in_log: bool = False
    names: set[str] = field(default_factory=set)
    files: set[Path] = field(default_factory=set)
    persons: set[PersonMatcher] = field(default_factory=set)
    workspaces: set[str] = field(default_factory=set)


def _erase_person(person: PersonMatcher, database: Database, terminal: Terminal) -> int:
    """Erase the person, then by each other address and profile that job changes about them name."""
    report, now = _Report(), SteadyClock()
    remaining = {person}
    while remaining:
        current = remaining.pop()
        report.persons.add(current)
        remaining |= _erase_job_changes(current, database, report, now) - report.persons
        _erase_elsewhere(current, database, report)
    if names := {name.lower() for name in report.names}:
        database.run_sync(free_text.replace, free_text.NAMES, names, lambda _: ERASED)
    _wait_until(lambda: not _are_busy(report, database, now()))
    for workspace_id in sorted(report.workspaces):
        database.run_sync(erasure.record, workspace_id, now())
    report.is_in_log = not database.empty_log()
    return _print(report, database, terminal)


def _erase_job_changes(
    person: PersonMatcher, database: Database, report: _Report, now: Callable[[], int]
) -> set[PersonMatcher]:
    """Return the other addresses and profiles of the person."""
    others: set[PersonMatcher] = set()
    for page in _pages(database):
        about, mentioning = _matches(person, page)
        for content in about:
            payload = _decoded(content)[0]
            others |= {*person.others(payload)}
            report.names |= person.names(payload)
        if about:
            report.erased += database.run_sync(erasure.erase, [content.id for content in about], now())
        database.run_sync(erasure.redact, [content.id for content in mentioning], partial(_redacted, person))
        report.mentions += len(mentioning)
        report.workspaces |= {content.workspace_id for content in about}
    return others


def _erase_elsewhere(person: PersonMatcher, database: Database, report: _Report) -> None:
    if person.email:
        report.addresses += database.run_sync(erasure.delete_email, person.email)
    report.refused += database.run_sync(_delete_refused, person)
    report.texts += database.run_sync(free_text.replace, free_text.TEXTS, person.forms, person.without)
    report.texts += database.run_sync(
        free_text.replace, free_text.JSON, person.forms, partial(_without_in_json, person)
    )
    report.files |= {path for path in Path().glob(f"*{REFUSED_ROWS}") if person.matches(_text_of(path))}


def _without_in_json(person: PersonMatcher, text: str) -> str:
    try:
        return json.dumps(person.without_in_rules(json.loads(text)), ensure_ascii=False)
    except ValueError:
        return person.without(text)


def _text_of(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _delete_refused(connection: Connection, person: PersonMatcher) -> int:
    """Delete the payloads of senders that were refused and mention the person, and return how many there were."""
    payloads = refused_payloads.all_payloads(connection)
    mentioning = [key for key, text in payloads if person.may_match(text) and person.matches(json.loads(text))]
    return refused_payloads.delete_all(connection, mentioning)


def _pages(database: Database) -> Iterator[Sequence[Content]]:
    after = ""
    while page := database.run_sync(erasure.read_page, after, AT_ONCE):
        yield page
        after = page[-1].id


def _matches(person: PersonMatcher, page: Sequence[Content]) -> tuple[list[Content], list[Content]]:
    """Return the job changes about the person, and those that only mention them, such as a DRI."""
    about, mentioning = [], []
    for content in page:
        if person.may_match(f"{content.payload or ''} {content.decision or ''}"):
            payload, decision = _decoded(content)
            if person.matches_subject(payload):
                about.append(content)
            elif person.matches(payload) or person.matches(decision):
                mentioning.append(content)
    return about, mentioning


def _redacted(person: PersonMatcher, content: Content) -> Content:
    payload, decision = _decoded(content)
    return replace(
        content,
        payload=content.payload and json.dumps(without_recipient(person, payload), ensure_ascii=False),
        decision=content.decision and json.dumps(person.redact(decision)),
    )


def _decoded(content: Content) -> tuple[dict[str, Any], dict[str, Any]]:
    return json.loads(content.payload or "{}"), json.loads(content.decision or "{}")


def _are_busy(report: _Report, database: Database, now: int) -> bool:
    """Retry the job changes that were being routed, which takes seconds. Return whether some still are."""
    busy_ids, report.erased = report.erased.busy, replace(report.erased, busy=())
    if busy_ids:
        report.erased += database.run_sync(erasure.erase, busy_ids, now)
    return bool(report.erased.busy)


def _wait_until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _print(report: _Report, database: Database, terminal: Terminal) -> int:
    erased = report.erased
    terminal.write(f"Job changes erased          {erased.job_changes:,}")
    terminal.write(f"  of these without outcome  {erased.open:,}")
    terminal.write(f"Deliveries canceled         {erased.canceled:,}")
    terminal.write(f"Mentions removed            {report.mentions:,}")
    terminal.write(f"Email addresses erased      {report.addresses:,}")
    terminal.write(f"Refused payloads erased     {report.refused:,}")
    terminal.write(f"Reasons, rules, audit       {report.texts:,}")
    if len(report.persons) > 1:
        terminal.note(f"Job changes about this person named {len(report.persons) - 1} more, which were erased, too:")
        for name in sorted(person.email or person.page or "" for person in report.persons):
            terminal.note(f"  {name}")
    if erased.messages:
        terminal.note(
            f"Left in Slack: {counted(erased.messages, 'message')}. Only Slack's own tools can delete messages."
        )
    for path in sorted(report.files):
        terminal.note(f"Left in a file of refused rows: {path}. Delete it, or its rows about this person.")
    if report.is_in_log:
        terminal.note("Left in SQLite's write-ahead log, which is in use. Run this again, or restart the server.")
    elif not database.is_sqlite:
        terminal.note("PostgreSQL keeps replaced rows until it vacuums their tables, and in its archived log.")
    terminal.note("Not reached: backups, exported rules, and refused rows (*.refused.csv) in other folders.")
    terminal.note("Restart the app if it is running: it keeps rules in memory.")
    if erased.busy:
        terminal.note(
            f"Not erased yet: {counted(len(erased.busy), 'job change')} being routed. Run this again in a minute."
        )
    return 1 if erased.busy else 0


def _erase_workspace(options: Namespace, database: Database, terminal: Terminal) -> int:
    workspace = database.run_sync(workspaces.find, options.workspace)
    if workspace is None:
        raise RefusedError(f"There is no workspace {options.workspace}.")
    _confirm(options, terminal, f"Erase {workspace.name} ({workspace.id}) and all of its data? This cannot be undone.")
    now = SteadyClock()
    database.run_sync(workspace_erasure.close, workspace.id, now())
    if not _wait_until(lambda: database.run_sync(workspace_erasure.is_idle, workspace.id, now())):
        raise RefusedError("Messages of this workspace are still being sent. Run this again in a minute.")
    erased = 0
    while count := database.run_sync(workspace_erasure.erase_some, workspace.id, DELETED_AT_ONCE):
        erased += count
    while database.run_sync(workspace_erasure.erase_some_posts, workspace.id, DELETED_AT_ONCE):
        pass
    database.run_sync(workspace_erasure.erase_rest, workspace.id, now())
    terminal.write(f"Job changes erased  {erased:,}")
    terminal.write(f"Workspace erased    {workspace.id}")
    terminal.note("Messages remain in Slack. If the app is still installed, remove it in Slack under Manage apps.")
    return 0
