"""Moves that several senders report: only the first report is delivered, the others are attached to it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from domain.delivery import TraceStep
from domain.job_change.model import JobChange
from domain.job_change.moves import extra_facts
from domain.states import Outcome, Step
from store.delivery.trace import add_steps
from store.schema import attached_reports, job_changes, reported_moves
from store.schema.upserts import ManyRows

MEMORY_MS = 30 * 24 * 60 * 60 * 1_000
"""How long a move is remembered. A later report of the same one is delivered."""

ERASED_AT_ONCE = 5_000


@dataclass(frozen=True)
class Report:
    """A job change that was just added, and the keys of its move. `at` is in milliseconds."""

    workspace_id: str
    job_change_id: str
    source: str
    payload: str = field(repr=False)
    keys: Sequence[str]
    at: int


def attach(connection: Connection, reports: Sequence[Report]) -> dict[str, str]:
    """
    Note the moves of new job changes, and attach those that another source has reported within MEMORY_MS.

    Return the ids of the attached ones with those of the first reports. The unique key of a move decides a race:
    the second transaction waits for the first one's commit, and then sees it.
    """
    holders = {(report.workspace_id, key): report for report in reversed(reports) for key in report.keys}
    if not holders:
        return {}
    # Always in the same order, or two replicas that note the same moves could wait for each other.
    rows = [
        (*place, holders[place].job_change_id, holders[place].source, holders[place].at) for place in sorted(holders)
    ]
    if _note.add(connection, rows) == len(rows) == sum(len(set(report.keys)) for report in reports):
        return {}
    return _attach_known(connection, reports)


def _attach_known(connection: Connection, reports: Sequence[Report]) -> dict[str, str]:
    """Compare reports with those that hold the keys of their moves."""
    held = _holders(connection, reports)
    own = {report.job_change_id: report for report in reports}
    payloads = _payloads(connection, {holder for holder, _ in held.values()} - own.keys())
    payloads |= {report.job_change_id: report.payload for report in reports}
    attached: dict[str, str] = {}
    for report in reports:
        firsts = [
            attached.get(holder, holder)
            for holder, source in (held[report.workspace_id, key] for key in report.keys)
            if holder != report.job_change_id and holder in payloads and source != report.source
        ]
        if firsts and min(firsts) != report.job_change_id:
            attached[report.job_change_id] = min(firsts)
    for job_change_id, first in attached.items():
        _store(connection, own[job_change_id], first, payloads[first])
    return attached


def _store(connection: Connection, report: Report, first: str, payload: str | None) -> None:
    now, job_change_id = report.at, report.job_change_id
    ended = {
        "due_at": None,
        "outcome": Outcome.MUTED,
        "ended_at": now,
        "reason": "another sender has reported the move",
    }
    connection.execute(update(job_changes).where(job_changes.c.id == job_change_id).values(ended))
    row = {"job_change_id": job_change_id, "attached_to": first, "workspace_id": report.workspace_id, "at": now}
    connection.execute(insert(attached_reports).values(row))
    mine = (reported_moves.c.workspace_id == report.workspace_id) & (reported_moves.c.key.in_(report.keys))
    # A third report may have only those keys in common that this one has added.
    connection.execute(
        update(reported_moves).where(mine, reported_moves.c.job_change_id == job_change_id).values(job_change_id=first)
    )
    before, after = JobChange.if_readable(payload), JobChange.if_readable(report.payload)
    facts = extra_facts(before, after) if before and after else []
    add_steps(
        connection,
        [
            TraceStep(first, now, Step.REPORTED_AGAIN, "; ".join([f"by {report.source}", *facts])),
            TraceStep(job_change_id, now, Step.ATTACHED, f"to {first}"),
        ],
    )


_of_keys = select(
    reported_moves.c.workspace_id, reported_moves.c.key, reported_moves.c.job_change_id, reported_moves.c.source
).where(
    reported_moves.c.workspace_id == bindparam("of_workspace"),
    reported_moves.c.key.in_(bindparam("keys", expanding=True)),
)
KEYS_AT_ONCE = 1_000


def _holders(connection: Connection, reports: Sequence[Report]) -> dict[tuple[str, str], tuple[str, str]]:
    """Return the job change that holds each key, and its source."""
    holders = {}
    for workspace_id in {report.workspace_id for report in reports}:
        keys = sorted({key for report in reports if report.workspace_id == workspace_id for key in report.keys})
        for start in range(0, len(keys), KEYS_AT_ONCE):
            values = {"of_workspace": workspace_id, "keys": keys[start : start + KEYS_AT_ONCE]}
            for row in connection.execute(_of_keys, values):
                holders[row.workspace_id, row.key] = (row.job_change_id, row.source)
    return holders


def _payloads(connection: Connection, ids: Collection[str]) -> dict[str, str | None]:
    """Return the payloads of those that still exist; None if it was erased."""
    listed = sorted(ids)
    payloads: dict[str, str | None] = {}
    for start in range(0, len(listed), KEYS_AT_ONCE):
        some = listed[start : start + KEYS_AT_ONCE]
        rows = connection.execute(select(job_changes.c.id, job_changes.c.payload).where(job_changes.c.id.in_(some)))
        payloads |= {row.id: row.payload for row in rows}
    return payloads


_note = ManyRows(
    reported_moves,
    ("workspace_id", "key", "job_change_id", "source", "at"),
    unique=("workspace_id", "key"),
    replaces=f"reported_moves.at < excluded.at - {MEMORY_MS}",  # what is no longer remembered
)


def forget(connection: Connection, workspace_id: str, keys: Sequence[str]) -> None:
    """Delete moves, whose keys are made of what identifies a person."""
    if keys:
        mine = (reported_moves.c.workspace_id == workspace_id) & reported_moves.c.key.in_(keys)
        connection.execute(delete(reported_moves).where(mine))


def delete_old(connection: Connection, now: int) -> int:
    """Delete at most ERASED_AT_ONCE of the moves that are no longer remembered, and return how many there were."""
    old = (
        select(reported_moves.c.workspace_id, reported_moves.c.key)
        .where(reported_moves.c.at < now - MEMORY_MS)
        .order_by(reported_moves.c.at)
        .limit(ERASED_AT_ONCE)
    )
    rows = [{"of_workspace": row.workspace_id, "of_key": row.key} for row in connection.execute(old)]
    if rows:
        connection.execute(_delete, rows)
    return len(rows)


_delete = delete(reported_moves).where(
    reported_moves.c.workspace_id == bindparam("of_workspace"), reported_moves.c.key == bindparam("of_key")
)
