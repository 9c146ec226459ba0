"""Job changes that could not be delivered: listing them and retrying them from the step that failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_, bindparam, literal, or_, select, update

from domain.delivery import FailedJobChange, TraceStep
from domain.states import DEFAULT_CHANNEL, DeliveryState, Outcome, Role, Step
from store.delivery.deliveries import has_usable_channel, make_due
from store.delivery.trace import add_steps
from store.schema import deliveries, earlier_posts, job_changes, lanes, workspaces
from store.schema.lists import one_of
from store.schema.upserts import insert_missing

# A literal, because SQLite does not use the partial index for a bound parameter.
_has_failed = job_changes.c.outcome == literal(Outcome.FAILED, literal_execute=True)


@dataclass(frozen=True)
class Failure:
    """A job change that could not be delivered, and why. `ended_at` is in milliseconds."""

    job_change_id: str
    workspace_id: str
    reason: str
    ended_at: int


def failures(connection: Connection, workspace_id: str | None = None, limit: int = 1_000) -> list[Failure]:
    """Return the newest failures first, of all workspaces if `workspace_id` is None."""
    columns = (job_changes.c.id, job_changes.c.workspace_id, job_changes.c.reason, job_changes.c.ended_at)
    query = select(*columns).where(_has_failed).order_by(job_changes.c.ended_at.desc()).limit(limit)
    if workspace_id is not None:
        query = query.where(job_changes.c.workspace_id == workspace_id)
    return [Failure(*row) for row in connection.execute(query)]


def page(connection: Connection, workspace_id: str, after: tuple[int, str] | None, most: int) -> list[FailedJobChange]:
    """Return the newest first, starting after the one that ended at `after[0]` and has the id `after[1]`."""
    columns = (job_changes.c.id, job_changes.c.payload, job_changes.c.reason, job_changes.c.ended_at)
    query = select(*columns).where(_has_failed, job_changes.c.workspace_id == workspace_id)
    if after is not None:
        ended_at, job_change_id = after
        same_time = and_(job_changes.c.ended_at == ended_at, job_changes.c.id < job_change_id)
        query = query.where(or_(job_changes.c.ended_at < ended_at, same_time))
    rows = connection.execute(query.order_by(job_changes.c.ended_at.desc(), job_changes.c.id.desc()).limit(most))
    return [FailedJobChange(*row) for row in rows]


def failed_among(connection: Connection, workspace_id: str, job_change_ids: Sequence[str]) -> list[str]:
    """Return those of the ids that belong to this workspace and have failed."""
    query = select(job_changes.c.id).where(
        one_of(job_changes.c.id, "ids"), job_changes.c.workspace_id == workspace_id, _has_failed
    )
    return list(connection.execute(query, {"ids": list(job_change_ids)}).scalars())


def oldest(connection: Connection, until: int, most: int, workspace_id: str | None = None) -> list[str]:
    """Return the ids of those that failed until this time (milliseconds), oldest first."""
    query = select(job_changes.c.id).where(_has_failed, job_changes.c.ended_at <= until)
    if workspace_id is not None:
        query = query.where(job_changes.c.workspace_id == workspace_id)
    return list(connection.execute(query.order_by(job_changes.c.ended_at, job_changes.c.id).limit(most)).scalars())


_lock_workspaces = (
    select(workspaces.c.id, has_usable_channel.label("has_usable_channel"))
    .where(workspaces.c.id.in_(select(job_changes.c.workspace_id).where(one_of(job_changes.c.id, "ids"))))
    .order_by(workspaces.c.id)
    .with_for_update(read=True)
)
_delivery_failed = (deliveries.c.state == DeliveryState.FAILED) & (deliveries.c.role != Role.COPY)
_lock_lanes = (
    select(lanes.c.id, lanes.c.workspace_id, lanes.c.destination)
    .where(
        lanes.c.id.in_(select(deliveries.c.lane_id).where(one_of(deliveries.c.job_change_id, "ids"), _delivery_failed))
    )
    .order_by(lanes.c.id)
    .with_for_update()
)
_lock_failed = (
    select(job_changes.c.id)
    .where(one_of(job_changes.c.id, "ids"), job_changes.c.outcome == Outcome.FAILED)
    .order_by(job_changes.c.id)
    .with_for_update()
)
_failed_posts = select(deliveries.c.post_id, deliveries.c.id.label("delivery_id")).where(
    one_of(deliveries.c.job_change_id, "ids"), _delivery_failed, deliveries.c.post_id.is_not(None)
)
_retry_deliveries = (
    update(deliveries)
    .where(one_of(deliveries.c.job_change_id, "ids"), _delivery_failed)
    .values(
        state=DeliveryState.PENDING,
        attempts=0,
        plainness=0,
        post_id=None,
        settled_at=None,
        created_at=bindparam("now"),  # so that it is retried for another three days
    )
    .returning(deliveries.c.job_change_id)
)
_reopen = (
    update(job_changes)
    .where(one_of(job_changes.c.id, "ids"))
    .values(outcome=None, told=None, reason=None, ended_at=None, attempts=0)
)
_route_again = (
    update(job_changes)
    .where(one_of(job_changes.c.id, "ids"))
    .values(due_at=bindparam("now"), routed_at=None, decision=None)
)


def retry(connection: Connection, job_change_ids: Sequence[str], now: int, by: str = "by the operator") -> list[str]:
    """
    Retry those of the job changes that have failed, and return their ids.

    Job changes that failed before they had a delivery are routed again. The others keep their deliveries.
    """
    # Workspaces first, then lanes, then job changes, in one order everywhere: see store/delivery/deliveries.py.
    ids = {"ids": list(job_change_ids)}
    usable = {row.id: row.has_usable_channel for row in connection.execute(_lock_workspaces, ids)}
    due_lanes = [
        lane.id
        for lane in connection.execute(_lock_lanes, ids)
        if lane.destination != DEFAULT_CHANNEL or usable.get(lane.workspace_id)
    ]
    failed = list(connection.execute(_lock_failed, ids).scalars())
    if posts := connection.execute(_failed_posts, {"ids": failed}).mappings().all():
        # They may have arrived all the same: then their buttons go on working.
        connection.execute(insert_missing(connection, earlier_posts, "post_id", "delivery_id"), [*map(dict, posts)])
    with_delivery = set(connection.execute(_retry_deliveries, {"ids": failed, "now": now}).scalars())
    connection.execute(_reopen, {"ids": failed})
    connection.execute(_route_again, {"ids": [key for key in failed if key not in with_delivery], "now": now})
    connection.execute(make_due, {"ids": due_lanes, "now": now})
    add_steps(connection, [TraceStep(job_change_id, now, Step.RETRIED, by) for job_change_id in failed])
    return failed
