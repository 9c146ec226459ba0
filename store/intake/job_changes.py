"""Accepted job changes: adding each once, many requests per transaction, and reading one with its history."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select
from uuid6 import uuid7

from domain.decision.record import Decision
from domain.delivery import AttachedReport, DeliveryRecord, JobChangeRecord, TraceStep
from domain.job_change.new import NewJobChange
from domain.states import DEFAULT_CHANNEL, DeliveryState, Outcome, Step
from store.database import DatabaseUnavailableError
from store.delivery.trace import steps_of
from store.intake import moves, senders
from store.intake.moves import Report
from store.intake.senders import Receipt
from store.schema import (
    attached_reports,
    deliveries,
    delivery_reasons,
    job_changes,
    lanes,
    pauses,
    posts,
    workspaces,
)
from store.schema.upserts import ManyRows
from store.slack.workspaces import takes_job_changes

MOST_REPORTS = 50
"""Reports of the same move that are listed."""


@dataclass(frozen=True)
class Added:
    """
    The id of an accepted job change. `is_new` is False if an earlier one has the same key.

    `attached_to` is the job change of another sender that reports the same move, so that this one is not delivered.
    `outcome` is how an earlier one ended; None if it is new or in progress.
    """

    id: str
    is_new: bool
    attached_to: str | None = None
    outcome: str | None = None


_lock_workspaces = (
    select(workspaces.c.id, workspaces.c.merge_reports)
    .where(workspaces.c.id.in_(bindparam("ids", expanding=True)), takes_job_changes)
    .order_by(workspaces.c.id)
    .with_for_update(read=True, key_share=True)  # FOR KEY SHARE: it cannot be deleted until we commit
)
_known = (
    select(
        job_changes.c.workspace_id,
        job_changes.c.key,
        job_changes.c.id,
        job_changes.c.outcome,
        attached_reports.c.attached_to,
    )
    .outerjoin(attached_reports, attached_reports.c.job_change_id == job_changes.c.id)
    .where(
        # Not as pairs, for which SQLite would read the whole table. Other matches are ignored.
        job_changes.c.workspace_id.in_(bindparam("workspace_ids", expanding=True)),
        job_changes.c.key.in_(bindparam("keys", expanding=True)),
    )
)


def add(connection: Connection, items: Sequence[NewJobChange]) -> list[Added | None]:
    """
    Accept job changes, and return a result for each in order; None means that its workspace is not active.

    They are due at once, except for those that are attached to another one. The same key may occur twice, and other
    replicas may be adding it at the same time.
    """
    locked = connection.execute(_lock_workspaces, {"ids": list({item.workspace_id for item in items})})
    active = {row.id: row.merge_reports for row in locked}
    new_rows = _new_rows(items)
    rows = [row for row in new_rows if row[0] in active]
    if not rows:
        return [None] * len(items)
    # Always in the same order, or two replicas that add the same keys could wait for each other.
    rows.sort()
    inserted = _insert_missing.add(connection, rows)
    earlier = {} if inserted == len(rows) else _known_by_key(connection, {row[:2] for row in rows})
    added = [
        _added(new_id, earlier.get((workspace_id, key))) if workspace_id in active else None
        for workspace_id, key, new_id, *_ in new_rows
    ]
    merged = [
        Report(item.workspace_id, result.id, item.source, item.payload, item.move_keys, item.accepted_at)
        for item, result in zip(items, added, strict=True)
        if result and result.is_new and item.move_keys and active[item.workspace_id]
    ]
    if attached := moves.attach(connection, merged):
        added = [item and replace(item, attached_to=attached.get(item.id, item.attached_to)) for item in added]
    if receipts := list(_receipts(items, added)):
        senders.note(connection, receipts)
    return added


def _added(new_id: str, earlier: Row[Any] | None) -> Added:
    if earlier is None or earlier.id == new_id:
        return Added(new_id, is_new=True)
    return Added(earlier.id, is_new=False, attached_to=earlier.attached_to, outcome=earlier.outcome)


def _receipts(items: Sequence[NewJobChange], added: Sequence[Added | None]) -> Iterator[Receipt]:
    """Yield what changes in the figures of senders."""
    for item, result in zip(items, added, strict=True):
        if item.sender and result:
            new = int(result.is_new)
            yield Receipt(item.workspace_id, item.sender, item.accepted_at, accepted=new, duplicate=1 - new)


_NewRow = tuple[str, str, str, str, str, int, int, str | None]
_insert_missing = ManyRows(
    job_changes,
    ("workspace_id", "key", "id", "source", "payload", "accepted_at", "due_at", "request_id"),
    unique=("workspace_id", "key"),
)


def _new_rows(items: Iterable[NewJobChange]) -> list[_NewRow]:
    """Rows with time-ordered ids, UUIDs of version 7. They count up from a random one, since a UUID takes 5 µs."""
    first = str(uuid7())
    head, tail = first[:24], int(first[24:], 16) >> 1  # so that it cannot overflow
    rows: list[_NewRow] = []
    for number, item in enumerate(items, tail):
        new_id, at = f"{head}{number:012x}", item.accepted_at
        rows.append((item.workspace_id, item.key, new_id, item.source, item.payload, at, at, item.request_id))
    return rows


def _known_by_key(connection: Connection, places: Collection[tuple[str, str]]) -> dict[tuple[str, str], Row[Any]]:
    """`places` are workspaces with keys."""
    values = {"workspace_ids": list({workspace_id for workspace_id, _ in places}), "keys": [key for _, key in places]}
    earlier: dict[tuple[str, str], Any] = {
        (row.workspace_id, row.key): row for row in connection.execute(_known, values)
    }
    if not set(places) <= earlier.keys():
        raise DatabaseUnavailableError("a job change was erased while it was being sent again")
    return earlier


_pause_reason = (
    select(pauses.c.reason)
    .where(
        pauses.c.workspace_id == job_changes.c.workspace_id,
        pauses.c.subject == "salesforce",
        pauses.c.until > job_changes.c.accepted_at,
        job_changes.c.due_at.is_not(None),
    )
    .scalar_subquery()
)
_find = select(
    job_changes.c.id,
    job_changes.c.source,
    job_changes.c.accepted_at,
    job_changes.c.routed_at,
    job_changes.c.ended_at,
    job_changes.c.outcome,
    job_changes.c.told.label("sent_to"),
    job_changes.c.reason,
    job_changes.c.attempts,
    func.coalesce(job_changes.c.last_error, _pause_reason).label("last_error"),  # why it waits
    job_changes.c.decision,
    job_changes.c.request_id,
).where(job_changes.c.workspace_id == bindparam("of_workspace"), job_changes.c.id == bindparam("of_job_change"))
_deliveries = (
    select(
        lanes.c.destination,
        deliveries.c.role,
        delivery_reasons,
        deliveries.c.state,
        deliveries.c.attempts,
        deliveries.c.last_error,
        deliveries.c.settled_at,
        posts.c.channel,
        posts.c.ts,
    )
    .join(lanes, lanes.c.id == deliveries.c.lane_id)
    .outerjoin(posts, posts.c.id == deliveries.c.post_id)
    .where(deliveries.c.job_change_id == bindparam("of_job_change"))
    .order_by(deliveries.c.id)
)


_attached_to = select(attached_reports.c.attached_to).where(
    attached_reports.c.job_change_id == bindparam("of_job_change")
)
_reports = (
    select(job_changes.c.id, job_changes.c.source, attached_reports.c.at)
    .join(attached_reports, attached_reports.c.job_change_id == job_changes.c.id)
    .where(attached_reports.c.attached_to == bindparam("of_job_change"))
    .order_by(attached_reports.c.at, job_changes.c.id)
    .limit(MOST_REPORTS)
)


def find(connection: Connection, workspace_id: str, job_change_id: str) -> JobChangeRecord | None:
    """Return a job change with its history, or None if this workspace has none with this id."""
    row = connection.execute(_find, {"of_workspace": workspace_id, "of_job_change": job_change_id}).one_or_none()
    if row is None:
        return None
    rows = connection.execute(_deliveries, {"of_job_change": job_change_id})
    delivery_records = [DeliveryRecord(*delivery) for delivery in rows]
    attached_to = connection.execute(_attached_to, {"of_job_change": job_change_id}).scalar_one_or_none()
    reports = [AttachedReport(*report) for report in connection.execute(_reports, {"of_job_change": job_change_id})]
    columns = dict(row._mapping) | ({"outcome": Outcome.ATTACHED} if attached_to else {})  # noqa: SLF001 - its documented API
    job_change = JobChangeRecord(
        **columns | {"decision": Decision.from_stored(row.decision)},
        deliveries=delivery_records,
        trace=steps_of(connection, job_change_id),
        attached_to=attached_to,
        reports=reports,
    )
    return replace(job_change, trace=sorted([*_steps_of_rows(job_change), *job_change.trace], key=lambda step: step.at))


def _steps_of_rows(job_change: JobChangeRecord) -> Iterator[TraceStep]:
    """Yield the steps that follow from the rows of a job change. Its end is one only if its trace does not have it."""
    yield TraceStep(job_change.id, job_change.accepted_at, Step.ACCEPTED, f"from {job_change.source}")
    if job_change.routed_at is not None:
        yield TraceStep(job_change.id, job_change.routed_at, Step.ROUTED, job_change.decision.rule)
    for delivery in job_change.deliveries:
        if delivery.state == DeliveryState.DELIVERED and delivery.settled_at is not None:
            where = "the default channel" if delivery.destination == DEFAULT_CHANNEL else delivery.destination
            yield TraceStep(job_change.id, delivery.settled_at, Step.POSTED, f"to {where}")
    if job_change.ended_at is None or job_change.outcome is None:
        return
    ended_as = Step.FAILED if job_change.outcome == Outcome.FAILED else job_change.outcome
    if ended_as not in {step.step for step in job_change.trace}:
        detail = {"dri": "to the DRI", "channel": "to the default channel"}.get(
            job_change.sent_to or "", job_change.reason or ""
        )
        yield TraceStep(job_change.id, job_change.ended_at, ended_as, detail)


@dataclass(frozen=True)
class Origin:
    """The workspace and the payload of a job change. `payload` is None if it was erased."""

    workspace_id: str
    payload: str | None = field(repr=False)


def origin(connection: Connection, job_change_id: str) -> Origin | None:
    """Return the origin of a job change in any workspace, for the operator."""
    columns = (job_changes.c.workspace_id, job_changes.c.payload)
    row = connection.execute(select(*columns).where(job_changes.c.id == job_change_id)).one_or_none()
    return Origin(*row) if row else None


_of_workspace = select(job_changes.c.id, job_changes.c.payload).where(
    job_changes.c.workspace_id == bindparam("of_workspace")
)
_open_last = (
    _of_workspace.where(job_changes.c.ended_at.is_(None))
    .order_by(job_changes.c.accepted_at.desc(), job_changes.c.id.desc())
    .limit(bindparam("most"))
)
_ended_last = (
    _of_workspace.where(job_changes.c.ended_at.is_not(None))
    .order_by(job_changes.c.ended_at.desc(), job_changes.c.id.desc())
    .limit(bindparam("most"))
)


def latest(connection: Connection, workspace_id: str, most: int) -> list[tuple[str, str]]:
    """
    Return ids and payloads of recent job changes, newest first, without those that were erased.

    The latest open ones and the latest ended ones are combined, since no index sorts all of them by arrival.
    """
    values = {"of_workspace": workspace_id, "most": most}
    rows = [row for query in (_open_last, _ended_last) for row in connection.execute(query, values)]
    return sorted(((row.id, row.payload) for row in rows if row.payload is not None), reverse=True)[:most]
