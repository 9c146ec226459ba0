"""Messages that do not show yet what the rows say: marked in the transaction that changed the rows, drawn after it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import uuid4

from sqlalchemy import Connection, Select, bindparam, case, delete, select, update

from domain.delivery import ClaimedDelivery
from store.database import insert_missing
from store.schema import deliveries, earlier_posts, job_changes, lanes, posts, redraws


@dataclass(frozen=True)
class Redraw:
    """A message to draw again, ours while *lease* is. *channel* and *ts* None: Slack does not have it yet."""

    post_id: str
    workspace_id: str
    destination: str
    channel: str | None
    ts: str | None
    version: int
    attempts: int
    lease: str
    digest: str | None = None


def _posts_of(job_change_id: str) -> Select[str]:
    theirs = select(deliveries.c.id).where(deliveries.c.job_change_id == job_change_id)
    carrying = select(deliveries.c.post_id).where(
        deliveries.c.job_change_id == job_change_id, deliveries.c.post_id.is_not(None)
    )
    carried = select(earlier_posts.c.post_id).where(earlier_posts.c.delivery_id.in_(theirs))
    alive = posts.c.state.in_(("sending", "sent"))
    # A union: for "in these or in those" PostgreSQL would read every post there is.
    return select(posts.c.id).where(posts.c.id.in_(carrying.union(carried)), alive)


_ask_again = (
    update(redraws)
    .where(redraws.c.post_id == bindparam("of_post"))
    .values(
        version=redraws.c.version + 1,
        due_at=case((redraws.c.lease.is_(None), bindparam("now")), else_=redraws.c.due_at),
        attempts=0,
    )
)


def mark(connection: Connection, job_change_id: str, now: int) -> None:
    """There is something new to show in every message that tells of this job change."""
    ids = sorted(connection.execute(_posts_of(job_change_id)).scalars())  # in order: see store/delivery/deliveries.py
    if not ids:
        return
    missing = insert_missing(connection, redraws, "post_id")
    connection.execute(missing, [{"post_id": each, "version": 0, "due_at": now} for each in ids])
    connection.execute(_ask_again, [{"of_post": each, "now": now} for each in ids])


_lease = (
    update(redraws)
    .where(redraws.c.post_id == bindparam("of_post"))
    .values(lease=bindparam("new_lease"), due_at=bindparam("until"))
)


def claim(connection: Connection, now: int, lease_ms: int, most: int, job_change_id: str | None = None) -> list[Redraw]:
    """Up to *most* messages that are due, the longest due first; those of one job change, or any."""
    due = (
        select(
            redraws.c.post_id,
            posts.c.workspace_id,
            lanes.c.destination,
            posts.c.channel,
            posts.c.ts,
            redraws.c.version,
            redraws.c.attempts,
            posts.c.digest,
        )
        .join(posts, posts.c.id == redraws.c.post_id)
        .join(lanes, lanes.c.id == posts.c.lane_id)
        .where(redraws.c.due_at <= now)
        .order_by(redraws.c.due_at, redraws.c.post_id)
        .limit(most)
        .with_for_update(of=redraws, skip_locked=True)
    )
    if job_change_id is not None:
        due = due.where(redraws.c.post_id.in_(_posts_of(job_change_id)))
    lease = uuid4().hex
    rows = connection.execute(due).all()
    if rows:
        until = now + lease_ms
        connection.execute(_lease, [{"of_post": row.post_id, "new_lease": lease, "until": until} for row in rows])
    return [
        Redraw(
            post_id=row.post_id,
            workspace_id=row.workspace_id,
            destination=row.destination,
            channel=row.channel,
            ts=row.ts,
            version=row.version,
            attempts=row.attempts,
            lease=lease,
            digest=row.digest,
        )
        for row in rows
    ]


def deliveries_in(connection: Connection, post_id: str) -> list[ClaimedDelivery]:
    """What a message tells of, in its order: also what was told anew in another one since."""
    columns = (deliveries.c.id, deliveries.c.job_change_id, deliveries.c.role, deliveries.c.reason, deliveries.c.side)
    rest = (deliveries.c.plainness, deliveries.c.created_at)
    carries = select(deliveries.c.id).where(deliveries.c.post_id == post_id)
    carried = select(earlier_posts.c.delivery_id).where(earlier_posts.c.post_id == post_id)
    query = (
        select(*columns, *rest, job_changes.c.payload, job_changes.c.decision, job_changes.c.acted_at)
        .join(job_changes, job_changes.c.id == deliveries.c.job_change_id)
        .where(deliveries.c.id.in_(carries.union(carried)))
        .order_by(deliveries.c.id)
    )
    return [ClaimedDelivery(*tuple(row)) for row in connection.execute(query)]


def finish(connection: Connection, redraw: Redraw, now: int) -> None:
    """It shows what the rows said when it was claimed; if they have changed since, it is due again at once."""
    ours = (redraws.c.post_id == redraw.post_id) & (redraws.c.lease == redraw.lease)
    if not connection.execute(delete(redraws).where(ours, redraws.c.version == redraw.version)).rowcount:
        connection.execute(update(redraws).where(ours).values(lease=None, due_at=now))


def postpone(connection: Connection, redraw: Redraw, due_at: int) -> None:
    """It was tried and is tried again at *due_at*, unless another process has taken it over."""
    ours = (redraws.c.post_id == redraw.post_id) & (redraws.c.lease == redraw.lease)
    connection.execute(update(redraws).where(ours).values(lease=None, due_at=due_at, attempts=redraws.c.attempts + 1))


def drop(connection: Connection, redraw: Redraw) -> None:
    """It cannot be drawn, now or later."""
    connection.execute(delete(redraws).where(redraws.c.post_id == redraw.post_id, redraws.c.lease == redraw.lease))
