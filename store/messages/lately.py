"""What a member was told lately, newest first."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, select

from domain.delivery import SentDelivery
from domain.states import DeliveryState
from store.schema import deliveries, job_changes, lanes, posts

LATELY_MS = 14 * 24 * 60 * 60 * 1_000
"""What is older is not looked for."""


_told = (
    select(
        deliveries.c.id,
        deliveries.c.job_change_id,
        deliveries.c.side,
        deliveries.c.settled_at,
        job_changes.c.payload,
        job_changes.c.decision,
    )
    .select_from(posts)
    .join(lanes, lanes.c.id == posts.c.lane_id)
    .join(deliveries, deliveries.c.post_id == posts.c.id)
    .join(job_changes, job_changes.c.id == deliveries.c.job_change_id)
    .where(
        lanes.c.workspace_id == bindparam("of_workspace"),
        lanes.c.destination == bindparam("of_user"),
        posts.c.state == "sent",
        posts.c.tried_at > bindparam("since"),
        deliveries.c.state == DeliveryState.DELIVERED,
    )
    .order_by(posts.c.tried_at.desc(), deliveries.c.id.desc())
    .offset(bindparam("skip"))
    .limit(bindparam("most"))
)


def told(connection: Connection, workspace_id: str, user_id: str, now: int, skip: int, most: int) -> list[SentDelivery]:
    """Of the last fourteen days, without the newest *skip*."""
    asked = {"of_workspace": workspace_id, "of_user": user_id, "since": now - LATELY_MS, "skip": skip, "most": most}
    return [SentDelivery(*row) for row in connection.execute(_told, asked)]
