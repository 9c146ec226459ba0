"""The job changes that are assigned to a member: sent to them as the DRI, or claimed by them in a channel."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, Connection, bindparam, case, exists, func, null, select, union_all

from domain.decision.record import Decision
from domain.delivery import AssignedDelivery
from domain.states import FINISHED, HELD, AssignedState, DeliveryState, HandlingState, Role
from store.schema import deliveries, handlings, job_changes, lanes, laters, posts, wrong_data

MOST = 500
"""How many of the latest of each kind are read, so that reading costs the same however many a person has received."""

_any = handlings.alias("any_handling")
_is_of_job_change = _any.c.job_change_id == deliveries.c.job_change_id


def _holds(states: Collection[HandlingState]) -> ColumnElement[bool]:
    return exists().where(_is_of_job_change, _any.c.state.in_(states), _any.c.actor == bindparam("of_user"))


_state = case(
    (_holds({HandlingState.TAKEN}), AssignedState.TAKEN),
    (_holds(FINISHED), AssignedState.DONE),
    (exists().where(_is_of_job_change, _any.c.state.in_(HELD)), null()),  # another person has it
    (exists().where(wrong_data.c.job_change_id == deliveries.c.job_change_id), AssignedState.DONE),
    (exists().where(_any.c.delivery_id == deliveries.c.id, _any.c.state != HandlingState.OPEN), null()),  # passed on
    (exists().where(laters.c.delivery_id == deliveries.c.id, laters.c.due_at.is_not(None)), AssignedState.SNOOZED),
    else_=AssignedState.OPEN,
).label("state")
"""What it asks of the member; null means nothing."""

_theirs = (
    select(lanes.c.id)
    .where(lanes.c.workspace_id == bindparam("of_workspace"), lanes.c.destination == bindparam("of_user"))
    .scalar_subquery()
)
_sent = (
    select(deliveries.c.id)
    .where(
        deliveries.c.lane_id == _theirs,
        deliveries.c.state == DeliveryState.DELIVERED,
        deliveries.c.role == Role.DRI,
    )
    .order_by(deliveries.c.id.desc())
    .limit(MOST)
    .subquery()
)
_same = deliveries.alias("same_job_change")
_claimed = (
    select(handlings.c.delivery_id.label("id"))
    .where(
        handlings.c.actor == bindparam("of_user"),
        handlings.c.state.in_(HELD),
        ~exists().where(_same.c.job_change_id == handlings.c.job_change_id, _same.c.lane_id == _theirs),
    )
    .order_by(handlings.c.at.desc())
    .limit(MOST)
    .subquery()
)
_ids = union_all(select(_sent.c.id), select(_claimed.c.id)).subquery()
_assigned = (
    select(deliveries.c.id, _state)
    .join(_ids, _ids.c.id == deliveries.c.id)
    .join(job_changes, job_changes.c.id == deliveries.c.job_change_id)
    .where(deliveries.c.workspace_id == bindparam("of_workspace"), job_changes.c.payload.is_not(None))
    .subquery()
)
_counts = select(_assigned.c.state, func.count()).where(_assigned.c.state.is_not(None)).group_by(_assigned.c.state)
_page = (
    select(
        deliveries.c.id,
        deliveries.c.job_change_id,
        lanes.c.destination,
        _assigned.c.state,
        deliveries.c.side,
        func.coalesce(deliveries.c.settled_at, deliveries.c.created_at),
        posts.c.channel,
        posts.c.ts,
        job_changes.c.payload,
        job_changes.c.decision,
    )
    .join(_assigned, _assigned.c.id == deliveries.c.id)
    .join(lanes, lanes.c.id == deliveries.c.lane_id)
    .join(job_changes, job_changes.c.id == deliveries.c.job_change_id)
    .outerjoin(posts, posts.c.id == deliveries.c.post_id)
    .where(_assigned.c.state.in_(bindparam("states", expanding=True)))
    .order_by(func.coalesce(deliveries.c.settled_at, deliveries.c.created_at).desc(), deliveries.c.id.desc())
    .offset(bindparam("skip"))
    .limit(bindparam("most"))
)

MOST_DECISIONS = 15
"""The latest decisions that are searched for the names of owners."""

_decisions = (
    select(job_changes.c.decision)
    .join(deliveries, deliveries.c.job_change_id == job_changes.c.id)
    .where(deliveries.c.lane_id == _theirs, deliveries.c.state == DeliveryState.DELIVERED)
    .order_by(deliveries.c.id.desc())
    .limit(bindparam("most"))
)


def owner_names(connection: Connection, workspace_id: str, user_id: str) -> dict[str, str]:
    """Return the names in Salesforce of the owners in what this Slack user was sent last, by their addresses."""
    key = {"of_workspace": workspace_id, "of_user": user_id, "most": MOST_DECISIONS}
    decisions = connection.execute(_decisions, key).scalars()
    return {address: name for stored in decisions for address, name in Decision.from_stored(stored).names.items()}


def counts(connection: Connection, workspace_id: str, user_id: str) -> dict[AssignedState, int]:
    """Count what is assigned to this Slack user, by state; erased job changes are left out."""
    rows = connection.execute(_counts, {"of_workspace": workspace_id, "of_user": user_id})
    return {AssignedState(state): count for state, count in rows}


def page(
    connection: Connection, workspace_id: str, user_id: str, states: Collection[AssignedState], skip: int, most: int
) -> list[AssignedDelivery]:
    """Return what is assigned to this Slack user and in one of the states, newest first, without the newest `skip`."""
    key = {"of_workspace": workspace_id, "of_user": user_id, "states": sorted(states), "skip": skip, "most": most}
    return [AssignedDelivery(*tuple(row)) for row in connection.execute(_page, key)]
