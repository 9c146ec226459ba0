"""Trying again what was buried: from where it was given up, as if for the first time."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import BindParameter, Connection, and_, bindparam, case, select, update

from domain.delivery import TraceStep
from domain.states import DEFAULT_CHANNEL, DeliveryState, Role
from store.delivery.trace import add_steps
from store.schema import deliveries, job_changes, lanes, workspaces

_ids: BindParameter[list[str]] = bindparam("ids", expanding=True)
_buried_until = (
    select(job_changes.c.id)
    .where(job_changes.c.outcome == DeliveryState.FAILED, job_changes.c.ended_at <= bindparam("until"))
    .order_by(job_changes.c.ended_at, job_changes.c.id)
    .limit(bindparam("most"))
)
_lock_workspaces = (
    select(
        workspaces.c.id,
        and_(workspaces.c.default_channel_id.is_not(None), workspaces.c.default_channel_problem.is_(None)).label(
            "open"
        ),
    )
    .where(workspaces.c.id.in_(select(job_changes.c.workspace_id).where(job_changes.c.id.in_(_ids))))
    .order_by(workspaces.c.id)
    .with_for_update(read=True)
)
_given_up = (deliveries.c.state == DeliveryState.FAILED) & (deliveries.c.role != Role.COPY)
_lock_lanes = (
    select(lanes.c.id, lanes.c.workspace_id, lanes.c.destination)
    .where(lanes.c.id.in_(select(deliveries.c.lane_id).where(deliveries.c.job_change_id.in_(_ids), _given_up)))
    .order_by(lanes.c.id)
    .with_for_update()
)
_lock_buried = (
    select(job_changes.c.id)
    .where(job_changes.c.id.in_(_ids), job_changes.c.outcome == DeliveryState.FAILED)
    .order_by(job_changes.c.id)
    .with_for_update()
)
_promise_again = (
    update(deliveries)
    .where(deliveries.c.job_change_id.in_(_ids), _given_up)
    .values(
        state=DeliveryState.PENDING,
        attempts=0,
        plainness=0,
        post_id=None,
        settled_at=None,
        created_at=bindparam("now"),  # our patience with it starts anew
    )
    .returning(deliveries.c.job_change_id)
)
_reopen = (
    update(job_changes)
    .where(job_changes.c.id.in_(_ids))
    .values(outcome=None, told=None, reason=None, ended_at=None, attempts=0)
)
_route_again = (
    update(job_changes).where(job_changes.c.id.in_(_ids)).values(due_at=bindparam("now"), routed_at=None, decision=None)
)
_make_due = (
    update(lanes)
    .where(lanes.c.id.in_(_ids), lanes.c.due_at.is_(None))
    .values(due_at=case((lanes.c.paced_until > bindparam("now"), lanes.c.paced_until), else_=bindparam("now")))
)


def buried_until(connection: Connection, until: int, most: int) -> list[str]:
    """The ids of those buried until this time (milliseconds), the longest buried first."""
    return list(connection.execute(_buried_until, {"until": until, "most": most}).scalars())


def replay(connection: Connection, job_change_ids: Sequence[str], now: int, by: str = "by the operator") -> list[str]:
    """
    Those of these job changes that are buried go again; their ids.

    What was buried before anybody was promised it is routed again; of what was, the same promise is kept.
    """
    # Workspaces first, then lanes, then what is in them, in one order everywhere: see store/delivery/deliveries.py.
    asked = {"ids": list(job_change_ids)}
    open_channels = {row.id: row.open for row in connection.execute(_lock_workspaces, asked)}
    waking = [
        lane.id
        for lane in connection.execute(_lock_lanes, asked)
        if lane.destination != DEFAULT_CHANNEL or open_channels.get(lane.workspace_id)
    ]
    buried = list(connection.execute(_lock_buried, asked).scalars())
    promised = set(connection.execute(_promise_again, {"ids": buried, "now": now}).scalars())
    connection.execute(_reopen, {"ids": buried})
    connection.execute(_route_again, {"ids": [each for each in buried if each not in promised], "now": now})
    connection.execute(_make_due, {"ids": waking, "now": now})
    add_steps(connection, [TraceStep(each, now, "replayed", by) for each in buried])
    return buried
