"""Deliveries that come back, once, at a time that their reader chose."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, select, update

from domain.delivery import Delivery, NewDelivery
from domain.states import Role
from store.database import insert_missing
from store.delivery.promises import promise_again
from store.messages import acting
from store.schema import deliveries, laters

_due = (
    select(laters.c.delivery_id, laters.c.due_at, deliveries.c.workspace_id)
    .join(deliveries, deliveries.c.id == laters.c.delivery_id)
    .where(laters.c.due_at <= bindparam("now"))
    .order_by(laters.c.due_at)
    .limit(1)
    .with_for_update(of=laters, skip_locked=True)
)
_back = (
    update(laters).where(laters.c.delivery_id == bindparam("of_delivery")).values(due_at=None, back_at=bindparam("now"))
)


def put_off(connection: Connection, delivery: Delivery, actor: str, due_at: int, now: int) -> None:
    """It comes back at *due_at*; a later wish replaces an earlier one."""
    row = {"delivery_id": delivery.id, "job_change_id": delivery.job_change_id, "actor": actor}
    connection.execute(insert_missing(connection, laters, "delivery_id"), [row])
    mine = laters.c.delivery_id == delivery.id
    connection.execute(update(laters).where(mine).values(actor=actor, due_at=due_at, back_at=None))
    acting.acted(connection, delivery, now, "put off", f"by {actor}")


def come_back(connection: Connection, now: int) -> bool:
    """
    Tell the longest due of what was put off, as a new message; False if nothing is due.

    One a transaction: each locks a lane, and lanes are locked in order of their ids.
    """
    row = connection.execute(_due, {"now": now}).one_or_none()
    if row is None:
        return False
    connection.execute(_back, {"of_delivery": row.delivery_id, "now": now})
    delivery = acting.find(connection, row.workspace_id, row.delivery_id)
    if delivery is not None and delivery.payload is not None:  # what was erased meanwhile stays erased
        new = NewDelivery(
            delivery.job_change_id, delivery.destination, Role(delivery.role), delivery.reason, delivery.side
        )
        # As of the moment it was put off to: a digest at that very minute is not over yet.
        promise_again(connection, delivery.workspace_id, new, row.due_at)
        acting.acted(connection, delivery, now, "came back", "as its reader asked")
    return True
