"""The rows of the first half: accepted job changes on their way to deliveries, a workspace's batch at a time."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, bindparam, exists, or_, select, update

from domain.delivery import NewDelivery, TraceStep
from domain.states import Outcome, Step
from store.delivery.deliveries import add_deliveries
from store.delivery.trace import add_steps
from store.schema import job_changes, pauses, turns, workspaces

ROUTE = "route"


@dataclass(frozen=True)
class Claimed:
    """An accepted job change in a batch. *attempts*: how often it was claimed and its batch not settled."""

    id: str
    payload: str | None = field(repr=False)
    accepted_at: int
    attempts: int


@dataclass(frozen=True)
class Batch:
    """
    Job changes of one workspace, in order of arrival, ours until *lease_until*.

    *salesforce_away*: why Salesforce is not to be asked about them, the workspace's patience with it being over; None:
    ask it.
    """

    workspace_id: str
    lease: str
    lease_until: int
    job_changes: tuple[Claimed, ...]
    salesforce_away: str | None = None


@dataclass(frozen=True)
class Routed:
    """A job change was decided: whom to tell, or, with no delivery, how it ended at once."""

    job_change_id: str
    decision: Mapping[str, Any]
    deliveries: tuple[NewDelivery, ...]
    outcome: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class RoutingPostponed:
    """A job change that cannot be decided yet; waiting is no failure and uses up no attempt."""

    job_change_id: str
    due_at: int
    reason: str


def batch_size(attempts: int) -> int:
    """
    How many job changes to take together.

    A batch that was never settled died with its process or met a bug: its members come back in smaller batches, at
    last alone, so that one poisonous job change holds up nobody else.
    """
    return (200, 20)[attempts] if attempts < 2 else 1


_due = exists().where(job_changes.c.workspace_id == turns.c.workspace_id, job_changes.c.due_at <= bindparam("now"))
_salesforce_paused = (
    (pauses.c.workspace_id == turns.c.workspace_id)
    & (pauses.c.subject == "salesforce")
    & (pauses.c.until > bindparam("now"))
)
_patience_ends = pauses.c.since + workspaces.c.salesforce_patience_minutes * 60_000
salesforce_awaited = (
    exists()
    .where(_salesforce_paused, or_(pauses.c.failures == 0, _patience_ends > bindparam("now")))
    .correlate_except(pauses)
)
"""Of *turns* joined with *workspaces*: Salesforce is not called *now*, and our patience with it is not over."""

_salesforce_away = select(pauses.c.reason).where(_salesforce_paused).correlate_except(pauses).scalar_subquery()
_next_workspace = (
    select(turns.c.workspace_id, _salesforce_away.label("salesforce_away"))
    .join(workspaces, workspaces.c.id == turns.c.workspace_id)
    .where(
        turns.c.half == ROUTE,
        turns.c.lease_until <= bindparam("now"),
        workspaces.c.state == "active",
        _due,
        ~salesforce_awaited,
    )
    .order_by(turns.c.served_at)
    .limit(1)
    .with_for_update(of=turns, skip_locked=True)
)
_take_turn = (
    update(turns)
    .where(turns.c.workspace_id == bindparam("of_workspace"), turns.c.half == ROUTE)
    .values(lease=bindparam("new_lease"), lease_until=bindparam("until"), served_at=bindparam("now"))
)
_due_job_changes = (
    select(job_changes.c.id, job_changes.c.payload, job_changes.c.accepted_at, job_changes.c.attempts)
    .where(job_changes.c.workspace_id == bindparam("of_workspace"), job_changes.c.due_at <= bindparam("now"))
    .order_by(job_changes.c.due_at, job_changes.c.id)
    .limit(batch_size(0))
)
_count_attempt = (
    update(job_changes)
    .where(job_changes.c.id.in_(bindparam("ids", expanding=True)))
    .values(attempts=job_changes.c.attempts + 1)
)


def claim(connection: Connection, now: int, lease_ms: int) -> Batch | None:
    """
    The next workspace's batch, least recently served first; None if nothing is due.

    One batch a workspace at a time, or the order of arrival would be lost. If this process dies, the lease runs out.
    While Salesforce is paused, nothing of a workspace is claimed before its patience is over; the first batch after the
    pause finds out whether Salesforce is back, whichever replica takes it.
    """
    next_one = connection.execute(_next_workspace, {"now": now}).one_or_none()
    if next_one is None:
        return None
    workspace_id, lease = next_one.workspace_id, uuid4().hex
    connection.execute(
        _take_turn, {"of_workspace": workspace_id, "new_lease": lease, "until": now + lease_ms, "now": now}
    )
    rows = [Claimed(*row) for row in connection.execute(_due_job_changes, {"of_workspace": workspace_id, "now": now})]
    size = batch_size(rows[0].attempts) if rows else 0
    taken = tuple(row for row in rows[:size] if batch_size(row.attempts) >= size)
    connection.execute(_count_attempt, {"ids": [row.id for row in taken]})
    return Batch(workspace_id, lease, now + lease_ms, taken, next_one.salesforce_away)


_give_turn_back = (
    update(turns)
    .where(
        turns.c.workspace_id == bindparam("of_workspace"),
        turns.c.half == ROUTE,
        turns.c.lease == bindparam("our_lease"),
    )
    .values(lease=None, lease_until=0)
)
_set_routed = (
    update(job_changes)
    .where(job_changes.c.id == bindparam("of_job_change"))
    .values(
        due_at=None,
        routed_at=bindparam("now"),
        last_error=None,
        decision=bindparam("new_decision"),
        outcome=bindparam("new_outcome"),
        reason=bindparam("new_reason"),
        ended_at=bindparam("ended"),
    )
)
_set_postponed = (
    update(job_changes)
    .where(job_changes.c.id == bindparam("of_job_change"))
    .values(due_at=bindparam("due"), last_error=bindparam("error"), attempts=0)
)


def settle(
    connection: Connection, batch: Batch, routed: Sequence[Routed], postponed: Sequence[RoutingPostponed], now: int
) -> bool:
    """Store what was decided, all in one transaction; False, and nothing stored, if the lease was lost meanwhile."""
    if not _release(connection, batch):
        return False
    if routed:
        connection.execute(_set_routed, [_routed_values(each, now) for each in routed])
    if postponed:
        connection.execute(
            _set_postponed,
            [{"of_job_change": each.job_change_id, "due": each.due_at, "error": each.reason} for each in postponed],
        )
    add_deliveries(connection, batch.workspace_id, [new for each in routed for new in each.deliveries], now)
    return True


def _routed_values(routed: Routed, now: int) -> dict[str, object]:
    return {
        "of_job_change": routed.job_change_id,
        "now": now,
        "new_decision": json.dumps(routed.decision),
        "new_outcome": routed.outcome,
        "new_reason": routed.reason,
        "ended": now if routed.outcome else None,
    }


def _release(connection: Connection, batch: Batch) -> bool:
    given_back = connection.execute(_give_turn_back, {"of_workspace": batch.workspace_id, "our_lease": batch.lease})
    return bool(given_back.rowcount)


_back_off = (
    update(job_changes)
    .where(job_changes.c.id.in_(bindparam("ids", expanding=True)))
    .values(
        due_at=bindparam("due"),
        last_error=bindparam("error"),
        attempts=job_changes.c.attempts - bindparam("given_back"),
    )
)
_bury = (
    update(job_changes)
    .where(job_changes.c.id.in_(bindparam("ids", expanding=True)))
    .values(due_at=None, outcome=Outcome.FAILED, reason=bindparam("error"), ended_at=bindparam("now"))
)


_prolong_lease = (
    update(turns)
    .where(
        turns.c.workspace_id == bindparam("of_workspace"),
        turns.c.half == ROUTE,
        turns.c.lease == bindparam("our_lease"),
    )
    .values(lease_until=bindparam("until"))
)


def prolong(connection: Connection, batch: Batch, until: int) -> None:
    """We are still at it."""
    connection.execute(_prolong_lease, {"of_workspace": batch.workspace_id, "our_lease": batch.lease, "until": until})


def wake(connection: Connection, workspace_id: str, now: int) -> None:
    """What they waited for is there: job changes that were postponed are due at once."""
    waiting = (job_changes.c.workspace_id == workspace_id) & (job_changes.c.due_at > now)
    connection.execute(update(job_changes).where(waiting).values(due_at=now))


def release_all(connection: Connection) -> None:
    """Nobody else is running: what a dead process held is free at once. Lanes it held may hold posts in doubt."""
    connection.execute(update(turns).values(lease=None, lease_until=0))


def give_up(
    connection: Connection, batch: Batch, reason: str, now: int, due_at: int, most_attempts: int | None
) -> None:
    """
    Something stopped this batch: its members come back in smaller batches at *due_at*.

    Those that have been stopped *most_attempts* times are buried; None: it was not about them and counts as no attempt.
    """
    if not _release(connection, batch):
        return
    limit = most_attempts or sys.maxsize
    spent = [each.id for each in batch.job_changes if each.attempts + 1 >= limit]
    again = [each.id for each in batch.job_changes if each.attempts + 1 < limit]
    given_back = 1 if most_attempts is None else 0
    connection.execute(_back_off, {"ids": again, "due": due_at, "error": reason, "given_back": given_back})
    connection.execute(_bury, {"ids": spent, "error": reason, "now": now})
    add_steps(connection, [TraceStep(each, now, Step.FAILED, reason) for each in spent])
