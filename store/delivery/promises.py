"""Promising a delivery again that a destination may have read before: it is told anew, as a new message."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, select, update

from domain.delivery import NewDelivery
from domain.states import DeliveryState, HandlingState
from store.database import insert_missing
from store.delivery.deliveries import add_deliveries
from store.schema import deliveries, earlier_posts, handlings, lanes

_of_destination = (
    select(deliveries.c.id, deliveries.c.state, deliveries.c.post_id)
    .join(lanes, lanes.c.id == deliveries.c.lane_id)
    .where(
        deliveries.c.job_change_id == bindparam("of_job_change"),
        lanes.c.workspace_id == bindparam("of_workspace"),
        lanes.c.destination == bindparam("to_destination"),
    )
)
_reword = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("of_delivery"))
    .values(role=bindparam("new_role"), reason=bindparam("new_reason"), side=bindparam("new_side"))
)
_tell_anew = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("of_delivery"))
    .values(
        state=DeliveryState.PENDING,
        attempts=0,
        plainness=0,
        post_id=None,
        last_error=None,
        settled_at=None,
        created_at=bindparam("now"),  # our patience with it starts anew
    )
)
_open_again = (
    update(handlings)
    .where(
        handlings.c.delivery_id == bindparam("of_delivery"),
        handlings.c.state.in_((HandlingState.REASSIGNED, HandlingState.RETURNED)),
    )
    .values(state=HandlingState.OPEN, actor=None, at=None, given_to=None)
)


def promise_again(connection: Connection, workspace_id: str, new: NewDelivery, now: int) -> None:
    """
    Tell the destination of *new* about it, in its words, whether or not it was told before.

    There is one delivery a job change and destination; if it was given away, it is open again. The message that
    carried it before is remembered, so that it can still be kept up to date.
    """
    add_deliveries(connection, workspace_id, [new], now)  # locks the lane: nobody settles meanwhile
    whose = {"of_job_change": new.job_change_id, "of_workspace": workspace_id, "to_destination": new.destination}
    delivery_id, state, post_id = connection.execute(_of_destination, whose).one()
    words = {"new_role": new.role, "new_reason": new.reason, "new_side": new.side}
    connection.execute(_reword, {"of_delivery": delivery_id, **words})
    if state in {DeliveryState.DELIVERED, DeliveryState.FAILED, DeliveryState.MOVED}:
        if post_id is not None:
            carried = insert_missing(connection, earlier_posts, "post_id", "delivery_id")
            connection.execute(carried, [{"post_id": post_id, "delivery_id": delivery_id}])
        connection.execute(_tell_anew, {"of_delivery": delivery_id, "now": now})
    connection.execute(_open_again, {"of_delivery": delivery_id})
