"""Deliveries: promises to tell one destination of one job change, put into the lane of that destination."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_, bindparam, case, literal, select, update

from domain.delivery import NewDelivery
from domain.notification_hours import NotificationHours
from domain.states import DEFAULT_CHANNEL, DeliveryState
from store.database import insert_missing
from store.delivery.held_back import HOURS, hours_of, hours_of_readers, keep_empty, kept_step, of_reader
from store.delivery.trace import add_steps
from store.schema import deliveries, job_changes, lanes, member_preferences, workspaces

_lock_lanes = (
    select(lanes.c.destination, lanes.c.id, *HOURS)
    .outerjoin(member_preferences, of_reader)
    .where(
        lanes.c.workspace_id == bindparam("workspace_id"),
        lanes.c.destination.in_(bindparam("destinations", expanding=True)),
    )
    .order_by(lanes.c.id)  # one order everywhere, or two replicas lock each other out
    .with_for_update(of=lanes)
)
_default_channel_is_usable = (
    select(and_(workspaces.c.default_channel_id.is_not(None), workspaces.c.default_channel_problem.is_(None)))
    .where(workspaces.c.id == bindparam("workspace_id"))
    .with_for_update(read=True)
)
_make_due = (
    update(lanes)
    .where(lanes.c.id.in_(bindparam("ids", expanding=True)), lanes.c.due_at.is_(None))
    .values(due_at=case((lanes.c.paced_until > bindparam("now"), lanes.c.paced_until), else_=bindparam("now")))
)


def add_deliveries(connection: Connection, workspace_id: str, new: Sequence[NewDelivery], now: int) -> None:
    """
    Put deliveries into their lanes, in order, and make the lanes due; a lane that is paced stays paced.

    What its reader wants to read later is kept until then, and the trace says so. The default channel's lane stays
    parked while there is no default channel that can be posted to.
    """
    if not new:
        return
    destinations = {each.destination for each in new}
    parked = DEFAULT_CHANNEL in destinations and not _default_channel_usable(connection, workspace_id)
    ids, readers = _locked_lanes(connection, workspace_id, sorted(destinations))
    connection.execute(
        insert_missing(connection, deliveries, "job_change_id", "lane_id"),
        [
            {
                "workspace_id": workspace_id,
                "job_change_id": each.job_change_id,
                "lane_id": ids[each.destination],
                "role": each.role,
                "reason": each.reason,
                "side": each.side,
                "state": DeliveryState.PENDING,
                "created_at": now,
            }
            for each in new
        ],
    )
    if parked:
        del ids[DEFAULT_CHANNEL]
    kept = {destination: hours for destination, hours in readers.items() if hours.held_until(now, now) > now}
    if kept:
        waits = [{"of_lane": ids.pop(each), "until": hours.held_until(now, now)} for each, hours in kept.items()]
        connection.execute(keep_empty, waits)
        add_steps(
            connection,
            [
                kept_step(each.job_change_id, kept[each.destination], now, now)
                for each in new
                if each.destination in kept
            ],
        )
    connection.execute(_make_due, {"ids": list(ids.values()), "now": now})


def _default_channel_usable(connection: Connection, workspace_id: str) -> bool:
    # The workspace is locked before any lane, everywhere, or two replicas lock each other out. Whoever mends the
    # channel meanwhile waits for us, and then opens the lane that we leave parked.
    return bool(connection.execute(_default_channel_is_usable, {"workspace_id": workspace_id}).scalar_one())


def _locked_lanes(
    connection: Connection, workspace_id: str, destinations: list[str]
) -> tuple[dict[str, int], dict[str, NotificationHours]]:
    """The ids of the lanes, and the hours of those readers who prefer any; by destination."""
    connection.execute(
        insert_missing(connection, lanes, "workspace_id", "destination"),
        [{"workspace_id": workspace_id, "destination": destination} for destination in destinations],
    )
    rows = connection.execute(_lock_lanes, {"workspace_id": workspace_id, "destinations": destinations}).all()
    ids = {row.destination: row.id for row in rows}
    readers = [row.destination for row in rows if hours_of(row)]
    # Read again now that the lanes are ours: who changed what they prefer while we waited for that has done so.
    return ids, hours_of_readers(connection, workspace_id, readers) if readers else {}


@dataclass(frozen=True)
class Buried:
    """A job change that could not be delivered, and why."""

    job_change_id: str
    workspace_id: str
    reason: str
    ended_at: int


def buried(connection: Connection, workspace_id: str | None = None, limit: int = 1_000) -> list[Buried]:
    """The newest first; of all workspaces when *workspace_id* is None."""
    columns = (job_changes.c.id, job_changes.c.workspace_id, job_changes.c.reason, job_changes.c.ended_at)
    query = (
        select(*columns)
        .where(job_changes.c.outcome == literal(DeliveryState.FAILED, literal_execute=True))
        .order_by(job_changes.c.ended_at.desc())
        .limit(limit)
    )
    if workspace_id is not None:
        query = query.where(job_changes.c.workspace_id == workspace_id)
    return [Buried(*row) for row in connection.execute(query)]
