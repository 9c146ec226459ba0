"""Pauses of vendor APIs: who asked us to wait and who keeps failing, by workspace, for every replica."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, func, literal, select, update

from domain.errors import Outage, Vendor
from domain.states import WorkspaceState
from store.schema import job_changes, pauses, workspaces
from store.schema.lists import one_of
from store.schema.upserts import insert_missing


@dataclass(frozen=True)
class Failing:
    """How often a subject has failed in a row, and since when (milliseconds)."""

    failures: int
    since: int


SUBJECTS = {"slack": Vendor.SLACK, "salesforce": Vendor.SALESFORCE}
"""The subjects of pauses that are a whole vendor."""

_of_subject = (pauses.c.workspace_id == bindparam("of_workspace")) & (pauses.c.subject == bindparam("of_subject"))
_until = select(pauses.c.until).where(_of_subject, pauses.c.until > bindparam("now"))
_last_until = select(pauses.c.until).where(_of_subject)
_untils = select(pauses.c.workspace_id, pauses.c.subject, pauses.c.until).where(
    one_of(pauses.c.workspace_id, "workspaces")
)
_prolong = (
    update(pauses)
    .where(_of_subject, pauses.c.until < bindparam("new_until"))
    .values(until=bindparam("new_until"), reason=bindparam("new_reason"))
)
_count_failure = (
    update(pauses)
    .where(_of_subject)
    .values(failures=pauses.c.failures + 1, reason=bindparam("new_reason"))
    .returning(pauses.c.failures, pauses.c.since)
)
_forget_failures = delete(pauses).where(_of_subject, pauses.c.failures > 0)
_restart_count = update(pauses).where(_of_subject, pauses.c.failures == 0).values(since=bindparam("now"))

_open = (
    select(func.count())
    .where(job_changes.c.workspace_id == pauses.c.workspace_id, job_changes.c.ended_at.is_(None))
    .correlate(pauses)
)
_outages = (
    select(
        pauses.c.workspace_id,
        pauses.c.subject,
        pauses.c.since,
        pauses.c.reason,
        _open.where(job_changes.c.routed_at.is_(None)).scalar_subquery().label("unrouted"),
        _open.where(job_changes.c.routed_at.is_not(None)).scalar_subquery().label("unsent"),
    )
    .join(workspaces, workspaces.c.id == pauses.c.workspace_id)
    .where(workspaces.c.state == WorkspaceState.ACTIVE, pauses.c.subject.in_(SUBJECTS), pauses.c.failures > 0)
    .order_by(pauses.c.since, pauses.c.workspace_id, pauses.c.subject)
)


def paused_until(connection: Connection, workspace_id: str, subject: str, now: int) -> int | None:
    """Return until when the subject must not be called, in milliseconds, or None if it may be called."""
    key = {"of_workspace": workspace_id, "of_subject": subject, "now": now}
    until: int | None = connection.execute(_until, key).scalar_one_or_none()
    return until


def last_until(connection: Connection, workspace_id: str, subject: str) -> int:
    """Return until when the subject is or was paused, in milliseconds, or 0."""
    key = {"of_workspace": workspace_id, "of_subject": subject}
    return connection.execute(_last_until, key).scalar_one_or_none() or 0


def paused_until_each(connection: Connection, items: Sequence[tuple[str, str, int]]) -> list[int | None]:
    """Do the same as `paused_until` for many items, in order. Each is a workspace, a subject and the time now."""
    rows = connection.execute(_untils, {"workspaces": list({workspace_id for workspace_id, _, _ in items})})
    untils = {(workspace_id, subject): until for workspace_id, subject, until in rows}
    times = [(untils.get((workspace_id, subject), 0), now) for workspace_id, subject, now in items]
    return [until if until > now else None for until, now in times]


def pause(connection: Connection, workspace_id: str, subject: str, until: int, now: int, reason: str) -> None:
    """Pause the subject until this time, unless it is paused for longer. Does nothing for an unknown workspace."""
    _ensure(connection, workspace_id, subject, now)
    key = {"of_workspace": workspace_id, "of_subject": subject}
    connection.execute(_prolong, key | {"new_until": until, "new_reason": reason})


def record_failure(connection: Connection, workspace_id: str, subject: str, now: int, reason: str) -> Failing:
    """Count a failure of the subject. The caller decides how long to pause it."""
    _ensure(connection, workspace_id, subject, now)
    key = {"of_workspace": workspace_id, "of_subject": subject}
    connection.execute(_restart_count, key | {"now": now})
    row = connection.execute(_count_failure, key | {"new_reason": reason}).one_or_none()
    return Failing(row.failures, row.since) if row else Failing(1, now)


def record_success(connection: Connection, workspace_id: str, subject: str) -> bool:
    """Forget the failures of the subject, but not a pause that it asked for. Return whether it had failed."""
    key = {"of_workspace": workspace_id, "of_subject": subject}
    return bool(connection.execute(_forget_failures, key).rowcount)


def outages(connection: Connection, workspace_id: str | None = None) -> tuple[Outage, ...]:
    """Return those of one workspace or of all, the longest first."""
    query = _outages if workspace_id is None else _outages.where(pauses.c.workspace_id == workspace_id)
    return tuple(
        Outage(
            workspace_id=row.workspace_id,
            vendor=(vendor := SUBJECTS[row.subject]),
            since=row.since,
            error=row.reason,
            waiting=row.unrouted if vendor is Vendor.SALESFORCE else row.unsent,
        )
        for row in connection.execute(query)
    )


def clear(connection: Connection, workspace_id: str, vendor: str) -> None:
    """End the vendor's pauses and forget its failures, because the connection has changed."""
    of_vendor = (pauses.c.subject == vendor) | pauses.c.subject.startswith(f"{vendor}:")
    connection.execute(delete(pauses).where(pauses.c.workspace_id == workspace_id, of_vendor))


def end(connection: Connection, workspace_id: str, subject: str, now: int) -> None:
    """End the pause, and remember when it ended."""
    of_subject = (pauses.c.workspace_id == workspace_id) & (pauses.c.subject == subject) & (pauses.c.until > now)
    connection.execute(update(pauses).where(of_subject).values(until=now))


def prune(connection: Connection, before: int) -> int:
    """Delete the pauses that ended before this time. Return how many."""
    return connection.execute(delete(pauses).where(pauses.c.until < before, pauses.c.failures == 0)).rowcount


def _ensure(connection: Connection, workspace_id: str, subject: str, now: int) -> None:
    row = select(workspaces.c.id, literal(subject), literal(0), literal(now)).where(workspaces.c.id == workspace_id)
    missing = insert_missing(connection, pauses, "workspace_id", "subject")
    connection.execute(missing.from_select(["workspace_id", "subject", "until", "since"], row))
