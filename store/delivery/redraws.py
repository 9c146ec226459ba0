"""Messages to redraw: marked in the transaction that changes what they show, and updated in Slack after it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Select, bindparam, case, delete, select, update

from domain.delivery import ClaimedDelivery
from domain.messages.card_buttons import CardButton, usable_buttons
from store.leases import LeaseQueue
from store.schema import deliveries, delivery_reasons, earlier_posts, job_changes, lanes, posts, redraws, workspaces
from store.schema.upserts import insert_missing


@dataclass(frozen=True)
class Redraw:
    """
    A message to redraw under a lease. `channel` and `ts` are None until Slack has the message.

    `card_buttons` and `card_buttons_problem` are those of its workspace.
    """

    post_id: str
    workspace_id: str
    destination: str
    channel: str | None
    ts: str | None
    version: int
    attempts: int
    lease: str
    lease_until: int
    digest: str | None = None
    card_buttons: str = "[]"
    card_buttons_problem: str | None = None

    @property
    def buttons(self) -> tuple[CardButton, ...]:
        """The buttons that are added to its cards."""
        return usable_buttons(self.card_buttons, self.card_buttons_problem)


def _posts_of(job_change_id: str) -> Select[str]:
    delivery_ids = select(deliveries.c.id).where(deliveries.c.job_change_id == job_change_id)
    current = select(deliveries.c.post_id).where(
        deliveries.c.job_change_id == job_change_id, deliveries.c.post_id.is_not(None)
    )
    earlier = select(earlier_posts.c.post_id).where(earlier_posts.c.delivery_id.in_(delivery_ids))
    is_in_slack = posts.c.state.in_(("sending", "sent"))
    # A union, because PostgreSQL reads the whole table for two conditions joined by OR.
    return select(posts.c.id).where(posts.c.id.in_(current.union(earlier)), is_in_slack)


_make_due = (
    update(redraws)
    .where(redraws.c.post_id == bindparam("of_post"))
    .values(
        version=redraws.c.version + 1,
        due_at=case((redraws.c.lease.is_(None), bindparam("now")), else_=redraws.c.due_at),
        attempts=0,
    )
)


def mark(connection: Connection, job_change_id: str, now: int) -> None:
    """Mark every message about this job change to be redrawn."""
    # Locked in order, see store/delivery/deliveries.py.
    ids = sorted(connection.execute(_posts_of(job_change_id)).scalars())
    if not ids:
        return
    missing = insert_missing(connection, redraws, "post_id")
    connection.execute(missing, [{"post_id": post_id, "version": 0, "due_at": now} for post_id in ids])
    connection.execute(_make_due, [{"of_post": post_id, "now": now} for post_id in ids])


REDRAWS = LeaseQueue(redraws, redraws.c.post_id, redraws.c.due_at)
_due = REDRAWS.due(
    select(
        redraws.c.post_id,
        posts.c.workspace_id,
        lanes.c.destination,
        posts.c.channel,
        posts.c.ts,
        redraws.c.version,
        redraws.c.attempts,
        posts.c.digest,
        workspaces.c.card_buttons,
        workspaces.c.card_buttons_problem,
    )
    .join(posts, posts.c.id == redraws.c.post_id)
    .join(workspaces, workspaces.c.id == posts.c.workspace_id)
    .join(lanes, lanes.c.id == posts.c.lane_id)
)


def claim(connection: Connection, now: int, lease_ms: int, most: int, job_change_id: str | None = None) -> list[Redraw]:
    """Claim up to `most` messages that are due, longest due first, of one job change or of any."""
    due = _due if job_change_id is None else _due.where(redraws.c.post_id.in_(_posts_of(job_change_id)))
    rows, lease = REDRAWS.claim(connection, due, now, lease_ms, most)
    return [Redraw(**row._mapping, lease=lease.token, lease_until=lease.until) for row in rows]  # noqa: SLF001 - its documented API


def deliveries_in(connection: Connection, post_id: str) -> list[ClaimedDelivery]:
    """Return what a message shows, in its order, including deliveries that were sent again in a later message."""
    columns = (deliveries.c.id, deliveries.c.job_change_id, deliveries.c.role, delivery_reasons, deliveries.c.side)
    rest = (deliveries.c.plainness, deliveries.c.created_at)
    current = select(deliveries.c.id).where(deliveries.c.post_id == post_id)
    earlier = select(earlier_posts.c.delivery_id).where(earlier_posts.c.post_id == post_id)
    query = (
        select(*columns, *rest, job_changes.c.payload, job_changes.c.decision, job_changes.c.acted_at)
        .join(job_changes, job_changes.c.id == deliveries.c.job_change_id)
        .where(deliveries.c.id.in_(current.union(earlier)))
        .order_by(deliveries.c.id)
    )
    return [ClaimedDelivery(*tuple(row)) for row in connection.execute(query)]


def finish(connection: Connection, redraw: Redraw, now: int) -> None:
    """Delete the mark of a message that has been redrawn, or make it due again if the rows have changed since."""
    unchanged = (redraws.c.post_id == redraw.post_id) & (redraws.c.version == redraw.version)
    if not connection.execute(delete(redraws).where(unchanged, redraws.c.lease == redraw.lease)).rowcount:
        REDRAWS.give_back(connection, redraw.post_id, redraw.lease, now)


def postpone(connection: Connection, redraw: Redraw, due_at: int) -> None:
    """Try again at `due_at`, unless another process has taken over."""
    REDRAWS.give_back(connection, redraw.post_id, redraw.lease, due_at, attempts=redraws.c.attempts + 1)


def drop(connection: Connection, redraw: Redraw) -> None:
    """Delete the mark of a message that can never be redrawn."""
    REDRAWS.drop(connection, redraw.post_id, redraw.lease)
