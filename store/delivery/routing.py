"""Claiming the accepted job changes of a workspace in batches, and storing how they were routed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Connection, bindparam, exists, or_, select, update

from domain.decision.record import Decision
from domain.delivery import NewDelivery, TraceStep
from domain.states import Outcome, Step
from domain.workspace import WebhookEvent
from store.delivery import webhooks
from store.delivery.deliveries import add_deliveries
from store.delivery.trace import add_steps
from store.leases import ROUTE, TurnQueue
from store.schema import job_changes, pauses, turns, workspaces
from store.schema.lists import one_of
from store.schema.postgresql import need_not_last


@dataclass(frozen=True)
class ClaimedJobChange:
    """
    An accepted job change in a batch. `attempts` counts the claims whose batch was never settled.

    `request_id` is that of the HTTP request that brought it, None if there was none.
    """

    id: str
    payload: str | None = field(repr=False)
    accepted_at: int
    attempts: int
    request_id: str | None = None


@dataclass(frozen=True)
class Batch:
    """
    Job changes of one workspace in order of arrival, leased until `lease_until`.

    `salesforce_problem` is set if the batch has to be decided without Salesforce, because it has been failing for
    longer than the workspace is willing to wait. None means: query it. `gathered_until` is until when job changes were
    gathered before this batch, None if they never were.
    """

    workspace_id: str
    lease: str
    lease_until: int
    job_changes: tuple[ClaimedJobChange, ...]
    salesforce_problem: str | None = None
    gathered_until: int | None = None


@dataclass(frozen=True)
class Routed:
    """A decided job change: its deliveries, or without any how it ended at once."""

    job_change_id: str
    decision: Decision
    deliveries: tuple[NewDelivery, ...]
    outcome: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class RoutingPostponed:
    """A job change that cannot be decided yet. Waiting does not count as an attempt."""

    job_change_id: str
    due_at: int
    reason: str


def batch_size(attempts: int) -> int:
    """
    Return how many job changes to claim together.

    A batch that was never settled died with its process or hit a bug. Its job changes come back in smaller batches and
    finally alone, so that a job change that crashes the router delays no other.
    """
    return (200, 20)[attempts] if attempts < 2 else 1


_has_due_job_change = exists().where(
    job_changes.c.workspace_id == turns.c.workspace_id, job_changes.c.due_at <= bindparam("now")
)
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
"""
A condition on `turns` joined with `workspaces`: Salesforce is paused `now`, and the workspace is willing to wait.
"""

GATHERING = "gathering"
"""The subject of the pause between two batches of a workspace, while it saves API calls. A full batch does not wait."""

_gathering = (pauses.c.workspace_id == turns.c.workspace_id) & (pauses.c.subject == GATHERING)
_is_gathering = exists().where(_gathering, pauses.c.until > bindparam("now")).correlate_except(pauses)
_last_of_full_batch = (
    select(job_changes.c.id)
    .where(job_changes.c.workspace_id == turns.c.workspace_id, job_changes.c.due_at <= bindparam("now"))
    .offset(batch_size(0) - 1)
    .limit(1)
    .correlate_except(job_changes)
)
DIRECTORY = "directory"
"""The subject of the pause of a workspace whose members are being listed."""


def directory_awaited(time: str) -> ColumnElement[bool]:
    """Return a condition on `turns`: the members of the workspace were being listed at the time of this parameter."""
    listing = (pauses.c.workspace_id == turns.c.workspace_id) & (pauses.c.subject == DIRECTORY)
    return exists().where(listing, pauses.c.until > bindparam(time)).correlate_except(pauses)


_may_be_routed = ~salesforce_awaited & ~directory_awaited("now") & or_(~_is_gathering, _last_of_full_batch.exists())
_gathered_until = select(pauses.c.until).where(_gathering).correlate_except(pauses).scalar_subquery()
_salesforce_problem = select(pauses.c.reason).where(_salesforce_paused).correlate_except(pauses).scalar_subquery()
ROUTE_TURNS = TurnQueue(ROUTE)
_next_workspace = ROUTE_TURNS.waiting(
    _has_due_job_change & _may_be_routed,
    _salesforce_problem.label("salesforce_problem"),
    _gathered_until.label("gathered_until"),
    turns.c.lease.is_not(None).label("was_never_settled"),
    turns.c.served_at,
)
_due_job_changes = (
    select(
        job_changes.c.id,
        job_changes.c.payload,
        job_changes.c.accepted_at,
        job_changes.c.attempts,
        job_changes.c.request_id,
    )
    .where(job_changes.c.workspace_id == bindparam("of_workspace"), job_changes.c.due_at <= bindparam("now"))
    .order_by(job_changes.c.due_at, job_changes.c.id)
    .limit(batch_size(0))
)
_count_attempt = update(job_changes).where(one_of(job_changes.c.id, "ids")).values(attempts=job_changes.c.attempts + 1)


def claim(connection: Connection, now: int, lease_ms: int) -> Batch | None:
    """
    Claim the next batch, of the least recently served workspace. Return None if nothing is due.

    There is one batch for a workspace at a time, to keep the order of arrival. If the process dies, its lease ends.
    While Salesforce is paused, nothing is claimed until the workspace is no longer willing to wait. The first batch
    after the pause finds out whether Salesforce has recovered, in whichever replica. While job changes are gathered,
    only a full batch is claimed.

    A claim does not change the job changes, because rewriting 200 of them costs more than deciding them. If the
    workspace still has a lease, its latest batch was never settled. The time of that claim says what was in it.
    """
    rows, lease = ROUTE_TURNS.claim(connection, _next_workspace, now, lease_ms)
    if not rows:
        return None
    need_not_last(connection)
    turn = rows[0]
    if turn.was_never_settled:
        earlier = _next_batch(connection, turn.workspace_id, turn.served_at)
        connection.execute(_count_attempt, {"ids": [item.id for item in earlier]})
    claimed = _next_batch(connection, turn.workspace_id, now)
    problem, gathered_until = turn.salesforce_problem, turn.gathered_until
    return Batch(turn.workspace_id, lease.token, lease.until, claimed, problem, gathered_until)


def _next_batch(connection: Connection, workspace_id: str, now: int) -> tuple[ClaimedJobChange, ...]:
    due = connection.execute(_due_job_changes, {"of_workspace": workspace_id, "now": now})
    job_changes_due = [ClaimedJobChange(*values) for values in due]
    size = batch_size(job_changes_due[0].attempts) if job_changes_due else 0
    return tuple(item for item in job_changes_due[:size] if batch_size(item.attempts) >= size)


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
    """
    Store the decisions of a batch. Return False and store nothing if its lease was lost meanwhile.

    A decision that is lost is made again. Claiming its lane before it is posted waits for the disk.
    """
    if not ROUTE_TURNS.release(connection, batch.workspace_id, batch.lease):
        return False
    need_not_last(connection)
    if routed:
        decisions = [
            {
                "of_job_change": item.job_change_id,
                "now": now,
                "new_decision": item.decision.to_stored(),
                "new_outcome": item.outcome,
                "new_reason": item.reason,
                "ended": now if item.outcome else None,
            }
            for item in routed
        ]
        connection.execute(_set_routed, decisions)
    if postponed:
        rows = [{"of_job_change": item.job_change_id, "due": item.due_at, "error": item.reason} for item in postponed]
        connection.execute(_set_postponed, rows)
    add_deliveries(connection, batch.workspace_id, [delivery for item in routed for delivery in item.deliveries], now)
    failed = [item.job_change_id for item in routed if item.outcome == Outcome.FAILED]
    webhooks.queue(connection, WebhookEvent.FAILED, failed, now)
    return True


def prolong(connection: Connection, batch: Batch, until: int) -> None:
    """Extend the lease of a batch that is still being routed."""
    ROUTE_TURNS.prolong(connection, batch.workspace_id, batch.lease, until)


def wake(connection: Connection, workspace_id: str, now: int) -> None:
    """Make postponed job changes due at once, in their order of arrival: what they were waiting for has changed."""
    waiting = (job_changes.c.workspace_id == workspace_id) & (job_changes.c.due_at > now)
    connection.execute(update(job_changes).where(waiting).values(due_at=job_changes.c.accepted_at))


def release_all(connection: Connection) -> None:
    """Release the turns that a dead process held. No other process may run. See also `lanes.release_all`."""
    connection.execute(update(turns).values(lease_until=0))  # the token stays: its batch was never settled


_retry_later = (
    update(job_changes)
    .where(one_of(job_changes.c.id, "ids"))
    .values(
        due_at=bindparam("due"),
        last_error=bindparam("error"),
        attempts=job_changes.c.attempts + bindparam("counted"),
    )
)
_set_failed = (
    update(job_changes)
    .where(one_of(job_changes.c.id, "ids"))
    .values(due_at=None, outcome=Outcome.FAILED, reason=bindparam("error"), ended_at=bindparam("now"))
)


def give_up(
    connection: Connection, batch: Batch, reason: str, now: int, due_at: int, most_attempts: int | None
) -> None:
    """
    Release a batch that could not be routed. Its job changes come back in smaller batches at `due_at`.

    Those that have been attempted `most_attempts` times fail. None means that the cause was not in the batch, so that
    the attempt does not count.
    """
    if not ROUTE_TURNS.release(connection, batch.workspace_id, batch.lease):
        return
    limit = most_attempts or sys.maxsize
    failed = [item.id for item in batch.job_changes if item.attempts + 1 >= limit]
    retried = [item.id for item in batch.job_changes if item.attempts + 1 < limit]
    counted = 0 if most_attempts is None else 1
    connection.execute(_retry_later, {"ids": retried, "due": due_at, "error": reason, "counted": counted})
    connection.execute(_set_failed, {"ids": failed, "error": reason, "now": now})
    add_steps(connection, [TraceStep(job_change_id, now, Step.FAILED, reason) for job_change_id in failed])
    webhooks.queue(connection, WebhookEvent.FAILED, failed, now)
