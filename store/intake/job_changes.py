"""Accepted job changes: adding them once, many requests in one transaction, and reading one with all it led to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, bindparam, func, select
from uuid6 import uuid7

from domain.delivery import DeliveryRecord, JobChangeRecord, TraceStep
from domain.states import DEFAULT_CHANNEL, DeliveryState, Outcome, Step, WorkspaceState
from store.database import DatabaseUnavailableError, insert_missing
from store.delivery.trace import steps_of
from store.schema import deliveries, job_changes, lanes, pauses, posts, workspaces


@dataclass(frozen=True)
class NewJobChange:
    """A job change to accept. *key* is unique in its workspace; *accepted_at* in milliseconds."""

    workspace_id: str
    key: str
    source: str
    payload: str = field(repr=False)
    accepted_at: int


@dataclass(frozen=True)
class Added:
    """The row that stands for a job change now; not new when an earlier one with its key stood there already."""

    id: str
    is_new: bool


_lock_workspaces = (
    select(workspaces.c.id)
    .where(workspaces.c.id.in_(bindparam("ids", expanding=True)), workspaces.c.state == WorkspaceState.ACTIVE)
    .order_by(workspaces.c.id)
    .with_for_update(read=True, key_share=True)  # FOR KEY SHARE: nobody can erase it until we commit
)
_ids_of_keys = select(job_changes.c.workspace_id, job_changes.c.key, job_changes.c.id).where(
    # Not as pairs: SQLite would read the whole table for them. What matches besides is passed over.
    job_changes.c.workspace_id.in_(bindparam("workspace_ids", expanding=True)),
    job_changes.c.key.in_(bindparam("keys", expanding=True)),
)


def add(connection: Connection, items: Sequence[NewJobChange]) -> list[Added | None]:
    """
    Accept job changes, due at once: one answer an item, in order; None when it has no such active workspace.

    The same key may stand twice among the items, and other replicas may be adding it at this very moment.
    """
    active = set(connection.execute(_lock_workspaces, {"ids": list({item.workspace_id for item in items})}).scalars())
    ids = [str(uuid7()) for _ in items]
    rows = [_row(new_id, item) for new_id, item in zip(ids, items, strict=True) if item.workspace_id in active]
    if not rows:
        return [None] * len(items)
    # In one order everywhere, or two replicas that add the same keys could each wait for the other's row.
    rows.sort(key=lambda row: (row["workspace_id"], row["key"], row["id"]))
    missing = insert_missing(connection, job_changes, "workspace_id", "key")
    inserted = connection.execute(missing, rows, execution_options={"preserve_rowcount": True})
    known = {} if inserted.rowcount == len(rows) else _known_ids(connection, rows)
    return [
        _added(new_id, known.get((item.workspace_id, item.key), new_id)) if item.workspace_id in active else None
        for new_id, item in zip(ids, items, strict=True)
    ]


def _row(new_id: str, item: NewJobChange) -> dict[str, Any]:
    return {
        "id": new_id,
        "workspace_id": item.workspace_id,
        "key": item.key,
        "source": item.source,
        "payload": item.payload,
        "accepted_at": item.accepted_at,
        "due_at": item.accepted_at,
    }


def _known_ids(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], str]:
    asked = {"workspace_ids": list({row["workspace_id"] for row in rows}), "keys": list({row["key"] for row in rows})}
    known = {(row.workspace_id, row.key): row.id for row in connection.execute(_ids_of_keys, asked)}
    if not {(row["workspace_id"], row["key"]) for row in rows} <= known.keys():
        raise DatabaseUnavailableError("a job change was erased while it was sent again")
    return known


def _added(new_id: str, known_id: str) -> Added:
    return Added(known_id, is_new=known_id == new_id)


_awaited = (
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
    func.coalesce(job_changes.c.last_error, _awaited).label("last_error"),  # it waits, though it was no part of a try
    job_changes.c.decision,
).where(job_changes.c.workspace_id == bindparam("of_workspace"), job_changes.c.id == bindparam("of_job_change"))
_told = (
    select(
        lanes.c.destination,
        deliveries.c.role,
        deliveries.c.reason,
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


def find(connection: Connection, workspace_id: str, job_change_id: str) -> JobChangeRecord | None:
    """None also when it belongs to another workspace."""
    row = connection.execute(_find, {"of_workspace": workspace_id, "of_job_change": job_change_id}).one_or_none()
    if row is None:
        return None
    told = [DeliveryRecord(*delivery) for delivery in connection.execute(_told, {"of_job_change": job_change_id})]
    decision = json.loads(row.decision) if row.decision else None
    found = JobChangeRecord(
        **dict(row._mapping) | {"decision": decision},  # noqa: SLF001 - its documented API
        deliveries=told,
        trace=steps_of(connection, job_change_id),
    )
    return replace(found, trace=sorted([*_course(found), *found.trace], key=lambda step: step.at))


def _course(found: JobChangeRecord) -> Iterator[TraceStep]:
    """Yield the steps that the rows of a job change tell. How it ended is one only if its trace does not say so."""
    yield TraceStep(found.id, found.accepted_at, Step.ACCEPTED, f"from {found.source}")
    if found.routed_at is not None:
        yield TraceStep(found.id, found.routed_at, Step.ROUTED, str((found.decision or {}).get("rule", "")))
    for delivery in found.deliveries:
        if delivery.state == DeliveryState.DELIVERED and delivery.settled_at is not None:
            where = "the default channel" if delivery.destination == DEFAULT_CHANNEL else delivery.destination
            yield TraceStep(found.id, delivery.settled_at, Step.POSTED, f"to {where}")
    if found.ended_at is None or found.outcome is None:
        return
    ended_as = Step.FAILED if found.outcome == Outcome.FAILED else found.outcome
    if ended_as not in {step.step for step in found.trace}:
        detail = {"dri": "to the DRI", "channel": "to the default channel"}.get(found.sent_to or "", found.reason or "")
        yield TraceStep(found.id, found.ended_at, ended_as, detail)


@dataclass(frozen=True)
class Origin:
    """Whose a job change is, and what it says; *payload* None: erased."""

    workspace_id: str
    payload: str | None = field(repr=False)


def origin(connection: Connection, job_change_id: str) -> Origin | None:
    """Whichever workspace it belongs to: for the operator."""
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
    Ids and payloads of the job changes of late, the newest first, without those that were erased.

    Of those that are open and of those that ended, the last: to sort all there are by when they came is not for a page.
    """
    asked = {"of_workspace": workspace_id, "most": most}
    found = [(row.id, row.payload) for last in (_open_last, _ended_last) for row in connection.execute(last, asked)]
    return sorted((each for each in found if each[1] is not None), reverse=True)[:most]
