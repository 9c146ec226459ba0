"""Moves that several senders report: only the first report is delivered, the others are attached to it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from domain.delivery import TraceStep
from domain.job_change.model import JobChange
from domain.job_change.moves import MoveKeys, extra_facts
from domain.states import Outcome, Step
from store.delivery.trace import add_steps
from store.schema import attached_reports, job_changes, known_moves, reported_moves
from store.schema.lists import one_of
from store.schema.upserts import ManyRows

MEMORY_MS = 30 * 24 * 60 * 60 * 1_000
"""How long a move is remembered. A later report of the same one is delivered."""

MOST_MOVES = 20
"""How many of the latest moves of one identifier are remembered. No person has more in a month."""

READ_AT_ONCE = 1_000
ERASED_AT_ONCE = 5_000


@dataclass(frozen=True)
class Report:
    """A job change that was just added, and the keys of its move. `at` is in milliseconds."""

    workspace_id: str
    job_change_id: str
    source: str
    payload: str = field(repr=False)
    keys: MoveKeys
    at: int

    @property
    def people(self) -> list[_Person]:
        return [(self.workspace_id, person) for person in self.keys.people]


class _Move(NamedTuple):
    """A move of a person: `companies` as in MoveKeys, and which job change reported it first, from this source."""

    companies: Sequence[str]
    job_change_id: str
    source: str
    at: int


_Person = tuple[str, str]
"""A workspace, and one of the `people` of MoveKeys."""

_Known = Mapping[_Person, Sequence[_Move]]


def attach(connection: Connection, reports: Sequence[Report]) -> dict[str, str]:
    """
    Note the moves of new job changes, and attach those that another source has reported within MEMORY_MS.

    Return the ids of the attached ones with those of the first reports. The unique key of a person decides a race: the
    second transaction waits for the first one's commit, and then sees its moves.
    """
    first_reports = {person: report for report in reversed(reports) for person in report.people}
    if not first_reports:
        return {}
    rows = [
        (*person, " ".join(report.keys.companies), report.job_change_id, report.source, report.at)
        for person, report in first_reports.items()
    ]
    # In a fixed order: otherwise, two replicas that note the same people could deadlock.
    rows.sort()
    if _add_people.add(connection, rows) == len(rows) == sum(len(report.keys.people) for report in reports):
        return {}
    return _attach_known(connection, reports)


_add_people = ManyRows(
    known_moves,
    ("workspace_id", "person", "companies", "job_change_id", "source", "at"),
    unique=("workspace_id", "person"),
    locks=True,
)


def _attach_known(connection: Connection, reports: Sequence[Report]) -> dict[str, str]:
    """Compare reports with all moves of their people, which are rows that this transaction has locked."""
    before = _read(connection, reports)
    known = _with_new(before, reports)
    matching = {report.job_change_id: _matching(known, report) for report in reports}
    payloads = _payloads(connection, {move.job_change_id for moves in matching.values() for move in moves})
    attached: dict[str, str] = {}
    for report in reports:
        firsts = [
            attached.get(move.job_change_id, move.job_change_id)
            for move in matching[report.job_change_id]
            if move.job_change_id in payloads and move.source != report.source
        ]
        if firsts:
            attached[report.job_change_id] = min(firsts)
    _store(connection, [report for report in reports if report.job_change_id in attached], attached, payloads)
    # The company names of attached reports are stored too: a third report may have only those in common.
    after = {
        person: [move._replace(job_change_id=attached.get(move.job_change_id, move.job_change_id)) for move in moves]
        for person, moves in known.items()
    }
    _write(connection, {person: moves for person, moves in after.items() if moves != before[person]})
    return attached


def _with_new(before: _Known, reports: Sequence[Report]) -> dict[_Person, list[_Move]]:
    """Return the moves with those of the reports. Each company of a person belongs to the first that reports it."""
    known = {person: list(moves) for person, moves in before.items()}
    for report in reports:
        for person in report.people:
            companies = {company for move in known[person] for company in move.companies}
            new = [company for company in report.keys.companies if company not in companies]
            if new:
                known[person].append(_Move(new, report.job_change_id, report.source, report.at))
    return known


def _matching(known: _Known, report: Report) -> list[_Move]:
    """Return what other job changes say about the move of this one."""
    companies = set(report.keys.companies)
    return [
        move
        for person in report.people
        for move in known[person]
        if move.job_change_id != report.job_change_id and not companies.isdisjoint(move.companies)
    ]


def _store(
    connection: Connection, reports: Sequence[Report], attached: Mapping[str, str], payloads: Mapping[str, str | None]
) -> None:
    """Store reports that are attached, with a statement for each table, since a file may have a million of them."""
    if not reports:
        return
    connection.execute(_end, [{"of_job_change": report.job_change_id, "now": report.at} for report in reports])
    rows = [
        {
            "job_change_id": report.job_change_id,
            "attached_to": attached[report.job_change_id],
            "workspace_id": report.workspace_id,
            "at": report.at,
        }
        for report in reports
    ]
    connection.execute(insert(attached_reports), rows)
    steps = []
    for report in reports:
        first = attached[report.job_change_id]
        before, after = JobChange.if_readable(payloads[first]), JobChange.if_readable(report.payload)
        facts = extra_facts(before, after) if before and after else []
        steps.append(TraceStep(first, report.at, Step.REPORTED_AGAIN, "; ".join([f"by {report.source}", *facts])))
        steps.append(TraceStep(report.job_change_id, report.at, Step.ATTACHED, f"to {first}"))
    add_steps(connection, steps)


_end = (
    update(job_changes)
    .where(job_changes.c.id == bindparam("of_job_change"))
    .values(due_at=None, outcome=Outcome.MUTED, ended_at=bindparam("now"))
)


_of_people = select(known_moves).where(
    known_moves.c.workspace_id == bindparam("of_workspace"), one_of(known_moves.c.person, "people")
)


def _read(connection: Connection, reports: Sequence[Report]) -> dict[_Person, list[_Move]]:
    """Return the moves of the people in these reports that are still remembered."""
    known: dict[_Person, list[_Move]] = {}
    remembered_since = min(report.at for report in reports) - MEMORY_MS
    for workspace_id in {report.workspace_id for report in reports}:
        people = {person for report in reports if report.workspace_id == workspace_id for person in report.keys.people}
        for part in _parts(people):
            for row in connection.execute(_of_people, {"of_workspace": workspace_id, "people": part}):
                latest = _Move(row.companies.split(), row.job_change_id, row.source, row.at)
                moves = [latest, *(_Move(*move) for move in json.loads(row.earlier or "[]"))]
                known[row.workspace_id, row.person] = [move for move in moves if move.at >= remembered_since]
    return known


def _write(connection: Connection, known: _Known) -> None:
    rows = []
    for (workspace_id, person), moves in sorted(known.items()):
        latest, *earlier = sorted(moves, key=lambda move: move.at, reverse=True)[:MOST_MOVES]
        values = latest._asdict() | {
            "companies": " ".join(latest.companies),
            "earlier": json.dumps(earlier) if earlier else None,
        }
        rows.append(values | {"of_workspace": workspace_id, "of_person": person})
    if rows:
        connection.execute(_replace, rows)


_replace = (
    update(known_moves)
    .where(known_moves.c.workspace_id == bindparam("of_workspace"), known_moves.c.person == bindparam("of_person"))
    .values({name: bindparam(name) for name in (*_Move._fields, "earlier")})
)


def _payloads(connection: Connection, ids: Collection[str]) -> dict[str, str | None]:
    """Return the payloads of those that still exist; None if it was erased."""
    payloads: dict[str, str | None] = {}
    for part in _parts(ids):
        rows = connection.execute(select(job_changes.c.id, job_changes.c.payload).where(job_changes.c.id.in_(part)))
        payloads |= {row.id: row.payload for row in rows}
    return payloads


def _parts(values: Collection[str]) -> list[list[str]]:
    ordered = sorted(values)
    return [ordered[start : start + READ_AT_ONCE] for start in range(0, len(ordered), READ_AT_ONCE)]


def forget(connection: Connection, workspace_id: str, keys: MoveKeys) -> None:
    """Delete the moves of a person, by all identifiers of the person and all names of the company."""
    people = (known_moves.c.workspace_id == workspace_id) & known_moves.c.person.in_(keys.people)
    connection.execute(delete(known_moves).where(people))
    old_keys = [person + company for person in keys.people for company in keys.companies]
    old = (reported_moves.c.workspace_id == workspace_id) & reported_moves.c.key.in_(old_keys)
    connection.execute(delete(reported_moves).where(old))


def delete_old(connection: Connection, now: int) -> int:
    """Delete some of the moves that are no longer remembered, and return how many there were."""
    deleted = 0
    for table in (known_moves, reported_moves):
        workspace_id, key = table.primary_key.columns
        old = select(workspace_id, key).where(table.c.at < now - MEMORY_MS).order_by(table.c.at).limit(ERASED_AT_ONCE)
        rows = [{"of_workspace": row[0], "of_key": row[1]} for row in connection.execute(old)]
        if rows:
            of_row = (workspace_id == bindparam("of_workspace")) & (key == bindparam("of_key"))
            connection.execute(delete(table).where(of_row), rows)
        deleted += len(rows)
    return deleted
