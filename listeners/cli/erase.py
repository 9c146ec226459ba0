"""Forgetting a person or a workspace, everywhere."""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from domain.errors import PermanentError
from listeners.cli.terminal import RefusedError, Terminal
from services.clock import SteadyClock
from services.operations.erasure_matching import Identity, payload_without
from store.database import Database
from store.operations import erasure, workspace_erasure
from store.operations.erasure import Content, Erased
from store.slack import workspaces

AT_ONCE = 1_000
"""Job changes that are looked at in one transaction."""

DELETED_AT_ONCE = 200

PATIENCE_SECONDS, LOOK_SECONDS = 120.0, 0.5
"""How long to wait for those that are being decided, and how often to look."""


def arguments(parser: ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--email", metavar="E", help="forget the person with this address")
    which.add_argument("--linkedin-url", metavar="U", help="forget the person with this profile")
    which.add_argument("--workspace", metavar="ID", help="forget this workspace, with all that it ever had")
    parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")


def erase(asked: Namespace, terminal: Terminal) -> int:
    with terminal.database() as database:
        if asked.workspace:
            return _erase_workspace(asked, database, terminal)
        try:
            who = Identity.of_email(asked.email) if asked.email else Identity.of_page(asked.linkedin_url)
        except PermanentError as error:
            raise RefusedError(f"{error}.", status=2) from None
        _confirm(asked, terminal, f"Forget {who.email or who.page} in every workspace? What is forgotten is gone.")
        return _erase_person(who, database, terminal)


def _confirm(asked: Namespace, terminal: Terminal, question: str) -> None:
    if asked.yes:
        return
    if not sys.stdin.isatty():
        raise RefusedError("Nothing was forgotten: nobody can be asked here, so add --yes if you mean it.", status=2)
    if terminal.err.input(f"{question} [y/N] ", markup=False).strip().lower() not in {"y", "yes"}:
        raise RefusedError("Nothing was forgotten.")


@dataclass
class _Report:
    """What an erasure has come to; *workspaces* that had job changes of the person."""

    erased: Erased = field(default_factory=Erased)
    mentions: int = 0
    addresses: int = 0
    workspaces: set[str] = field(default_factory=set)


def _erase_person(who: Identity, database: Database, terminal: Terminal) -> int:
    report, now = _Report(), SteadyClock()
    for page in _pages(database):
        about, mentioning = _sorted(who, page)
        if about:
            report.erased += database.run_sync(erasure.erase, [each.id for each in about], now())
        database.run_sync(erasure.redact, [each.id for each in mentioning], partial(_redacted, who))
        report.mentions += len(mentioning)
        report.workspaces |= {each.workspace_id for each in about}
    _until(lambda: not _are_busy(report, database, now()))
    if who.email:
        report.addresses = database.run_sync(erasure.forget_address, who.email)
    for workspace_id in sorted(report.workspaces):
        database.run_sync(erasure.note, workspace_id, now())
    return _tell(report, terminal)


def _pages(database: Database) -> Iterator[Sequence[Content]]:
    after = ""
    while page := database.run_sync(erasure.contents, after, AT_ONCE):
        yield page
        after = page[-1].id


def _sorted(who: Identity, page: Sequence[Content]) -> tuple[list[Content], list[Content]]:
    """Those that are about the person, and those that only mention it as somebody to be told."""
    about, mentioning = [], []
    for each in page:
        if who.may_be_in(f"{each.payload or ''} {each.decision or ''}"):
            payload, decision = _decoded(each)
            if who.is_subject_of(payload):
                about.append(each)
            elif who.is_in(payload) or who.is_in(decision):
                mentioning.append(each)
    return about, mentioning


def _redacted(who: Identity, content: Content) -> Content:
    payload, decision = _decoded(content)
    return replace(
        content,
        payload=content.payload and json.dumps(payload_without(who, payload), ensure_ascii=False),
        decision=content.decision and json.dumps(who.without(decision)),
    )


def _decoded(content: Content) -> tuple[dict[str, Any], dict[str, Any]]:
    return json.loads(content.payload or "{}"), json.loads(content.decision or "{}")


def _are_busy(report: _Report, database: Database, now: int) -> bool:
    """Try again with those that a router had in hand: it takes seconds, and then they are rows like all others."""
    left, report.erased = report.erased.busy, replace(report.erased, busy=())
    if left:
        report.erased += database.run_sync(erasure.erase, left, now)
    return bool(report.erased.busy)


def _until(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_SECONDS)
    return True


def _tell(report: _Report, terminal: Terminal) -> int:
    erased = report.erased
    terminal.write(f"job changes erased    {erased.job_changes:,}")
    terminal.write(f"  that had not ended  {erased.open:,}")
    terminal.write(f"deliveries called off {erased.promises:,}")
    terminal.write(f"mentions taken out    {report.mentions:,}")
    terminal.write(f"addresses forgotten   {report.addresses:,}")
    if erased.messages:
        terminal.note(f"{erased.messages:,} messages stay in Slack, where only Slack's own tools delete them.")
    if erased.busy:
        terminal.note(f"{len(erased.busy):,} job changes are still being decided: run the same again in a minute.")
    return 1 if erased.busy else 0


def _erase_workspace(asked: Namespace, database: Database, terminal: Terminal) -> int:
    workspace = database.run_sync(workspaces.find, asked.workspace)
    if workspace is None:
        raise RefusedError(f"There is no workspace {asked.workspace}.")
    _confirm(asked, terminal, f"Forget {workspace.name} ({workspace.id}) with all that it has? It is gone then.")
    now = SteadyClock()
    database.run_sync(workspace_erasure.close, workspace.id, now())
    if not _until(lambda: database.run_sync(workspace_erasure.is_at_rest, workspace.id, now())):
        raise RefusedError("Something of it is still being sent: run the same again in a minute.")
    erased = 0
    while count := database.run_sync(workspace_erasure.erase_some, workspace.id, DELETED_AT_ONCE):
        erased += count
    while database.run_sync(workspace_erasure.erase_some_posts, workspace.id, DELETED_AT_ONCE):
        pass
    database.run_sync(workspace_erasure.erase_rest, workspace.id, now())
    terminal.write(f"job changes erased    {erased:,}")
    terminal.write(f"workspace erased      {workspace.id}")
    terminal.note("Its messages stay in Slack. If the app is still there, remove it in Slack, under Manage apps.")
    return 0
