"""Claiming lanes: leasing those that may post now, and writing down each post before it is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from uuid import uuid4

from sqlalchemy import BigInteger, Connection, Row, bindparam, func, literal, select, update

from domain.delivery import ClaimedDelivery
from domain.messages.card_buttons import CardButton
from domain.notification_hours import NotificationHours
from domain.states import DeliveryState
from store.delivery.due_lanes import LANES, Lane, take_due_lanes
from store.delivery.held_back import held_step, hold_claimed_lane, not_recorded
from store.delivery.trace import add_steps
from store.leases import Lease
from store.schema import PENDING, deliveries, delivery_reasons, job_changes, lanes, posts
from store.schema.lists import one_of
from store.schema.upserts import ManyRows

MOST_IN_A_POST = 10
IN_FLIGHT_MS = 2_000
"""How long a call to Slack may still be in flight after its process has died."""

ALONE = 1
"""A delivery with at least this plainness is posted by itself."""


@dataclass(frozen=True)
class Claim:
    """
    A lane that is leased until `lease_until`, and the post it sends next.

    `channel` is where to post. For the lane of the default channel it is the current one.
    `in_doubt` means that an earlier attempt may have been performed. `doubts` counts the ambiguous answers. An attempt
    that died with its process does not count.
    `dm` is the id of the direct message channel, once an earlier post has learned it.
    `digest` is daily or weekly, or None if the post is not a digest.
    `hours` is None if its reader has not chosen any. `buttons` are added to the cards.
    """

    lane_id: int
    lease: str
    lease_until: int
    workspace_id: str
    destination: str
    channel: str
    post_id: str
    begun_at: int
    in_doubt: bool
    doubts: int
    dm: str | None
    failures: int
    slack_is_failing: bool
    deliveries: tuple[ClaimedDelivery, ...]
    digest: str | None = None
    hours: NotificationHours | None = None
    buttons: tuple[CardButton, ...] = ()

    def due_since(self, delivery: ClaimedDelivery) -> int:
        """Return since when (milliseconds) the delivery could be sent. The hours of its reader do not count."""
        return self._after_hours(delivery.created_at)

    def sendable_since(self, delivery: ClaimedDelivery) -> int:
        """Return when its job change was accepted (milliseconds), or when the hours of its reader then ended."""
        accepted_at = delivery.accepted_at
        return self._after_hours(delivery.created_at if accepted_at is None else accepted_at)

    def _after_hours(self, since: int) -> int:
        return self.hours.held_until(since, since) if self.hours else since


@dataclass(frozen=True)
class _LeasedLanes:
    lease: Lease
    lanes: Mapping[int, Lane]

    def claim(
        self,
        lane_id: int,
        post_id: str,
        begun_at: int,
        waiting: tuple[ClaimedDelivery, ...],
        *,
        digest: str | None,
        doubts: int | None = None,
    ) -> Claim:
        """Return the claim of a lane. `doubts` is None for a new post."""
        lane = self.lanes[lane_id]
        return Claim(
            lane_id=lane.id,
            lease=self.lease.token,
            lease_until=self.lease.until,
            workspace_id=lane.workspace_id,
            destination=lane.destination,
            channel=lane.channel,
            post_id=post_id,
            begun_at=begun_at,
            in_doubt=doubts is not None,
            doubts=doubts or 0,
            dm=lane.dm,
            failures=lane.failures,
            slack_is_failing=lane.slack_is_failing,
            deliveries=waiting,
            digest=digest,
            hours=lane.hours,
            buttons=lane.buttons,
        )


_release_empty = update(lanes).where(one_of(lanes.c.id, "ids")).values(lease=None, due_at=None)
_unfinished_posts = select(posts.c.lane_id, posts.c.id, posts.c.begun_at, posts.c.doubts, posts.c.digest).where(
    one_of(posts.c.lane_id, "ids"), posts.c.state == DeliveryState.SENDING
)


def claim(connection: Connection, now: int, lease_ms: int, most: int) -> list[Claim]:
    """
    Claim up to `most` lanes that may post now, each with the post it sends next.

    If the result of an earlier attempt is unknown, its post is taken up again with the same deliveries, in doubt.
    Otherwise the first deliveries that are waiting in the lane join a new post, unless the lane is held back for its
    reader. Either way the post is a row before anybody calls Slack.
    """
    due = {lane.id: lane for lane in take_due_lanes(connection, now, most)}
    if not due:
        return []
    lease = _LeasedLanes(LANES.take(connection, due, now, lease_ms), due)
    unfinished = connection.execute(_unfinished_posts, {"ids": list(due)}).all()
    claims = _resume_posts(connection, lease, unfinished, now) if unfinished else []
    resumed = {item.lane_id for item in claims}
    others = [lane_id for lane_id in due if lane_id not in resumed]
    waiting = _by_lane(connection.execute(_first_pending, {"ids": others}).all()) if others else {}
    held = _hold_back(connection, lease, waiting, now)
    claims += _begin_posts(connection, lease, {key: value for key, value in waiting.items() if key not in held}, now)
    busy = {item.lane_id for item in claims} | held
    if empty := [lane_id for lane_id in due if lane_id not in busy]:
        connection.execute(_release_empty, {"ids": empty})
    return claims


_count_try = update(posts).where(one_of(posts.c.id, "ids")).values(tries=posts.c.tries + 1, tried_at=bindparam("now"))
_drop_posts = update(posts).where(one_of(posts.c.id, "ids")).values(state="failed")
_claimed_columns = (
    deliveries.c.lane_id,
    deliveries.c.id,
    deliveries.c.job_change_id,
    deliveries.c.role,
    delivery_reasons,
    deliveries.c.side,
    deliveries.c.plainness,
    deliveries.c.created_at,
    job_changes.c.payload,
    job_changes.c.decision,
    job_changes.c.acted_at,
    deliveries.c.last_code,
    job_changes.c.accepted_at,
    deliveries.c.rule,
    job_changes.c.request_id,
)
_deliveries_of_posts = (
    select(*_claimed_columns)
    .join(job_changes, job_changes.c.id == deliveries.c.job_change_id)
    .where(one_of(deliveries.c.post_id, "ids"), deliveries.c.state == DeliveryState.SENDING)
    .order_by(deliveries.c.lane_id, deliveries.c.id)
)


def _resume_posts(
    connection: Connection, lease: _LeasedLanes, unfinished: Sequence[Row[*tuple[Any, ...]]], now: int
) -> list[Claim]:
    carried = _by_lane(connection.execute(_deliveries_of_posts, {"ids": [post.id for post in unfinished]}).all())
    if empty := [post.id for post in unfinished if post.lane_id not in carried]:  # all their deliveries were erased
        connection.execute(_drop_posts, {"ids": empty})
    resumed = [post for post in unfinished if post.lane_id in carried]
    connection.execute(_count_try, {"ids": [post.id for post in resumed], "now": now})
    return [
        lease.claim(post.lane_id, post.id, post.begun_at, carried[post.lane_id], digest=post.digest, doubts=post.doubts)
        for post in resumed
    ]


_earlier = deliveries.alias("earlier")
_last_of_the_first = (
    select(_earlier.c.id)
    .where(_earlier.c.lane_id == lanes.c.id, _earlier.c.state == PENDING)
    .order_by(_earlier.c.id)
    .offset(MOST_IN_A_POST - 1)
    .limit(1)
    .scalar_subquery()
)
_heads = (
    select(lanes.c.id, func.coalesce(_last_of_the_first, literal(2**63 - 1, BigInteger)).label("last"))
    .where(one_of(lanes.c.id, "ids"))
    .cte("heads")
)
_first_pending = (
    select(*_claimed_columns)
    .select_from(_heads)
    .join(
        deliveries,
        (deliveries.c.lane_id == _heads.c.id) & (deliveries.c.id <= _heads.c.last) & (deliveries.c.state == PENDING),
    )
    .join(job_changes, job_changes.c.id == deliveries.c.job_change_id)
    .order_by(deliveries.c.lane_id, deliveries.c.id)
)


def _hold_back(
    connection: Connection, lease: _LeasedLanes, waiting: Mapping[int, tuple[ClaimedDelivery, ...]], now: int
) -> set[int]:
    """Release the lanes whose readers do not want to be notified now, and return their ids."""
    rows, steps = [], []
    for lane_id, first in waiting.items():
        hours = lease.lanes[lane_id].hours
        since = min(delivery.created_at for delivery in first)
        if hours is not None and (until := hours.held_until(since, now)) > now:
            rows.append({"of_lane": lane_id, "until": until})
            steps += [held_step(delivery.job_change_id, hours, since, now) for delivery in first]
    if rows:
        connection.execute(hold_claimed_lane, rows)
        add_steps(connection, not_recorded(connection, steps))
    return {row["of_lane"] for row in rows}


_new_posts = ManyRows(
    posts, ("id", "workspace_id", "lane_id", "state", "begun_at", "tried_at", "digest"), unique=("id",)
)
_join_posts = (
    update(deliveries)
    .where(
        one_of(deliveries.c.id, "ids"),
        one_of(posts.c.id, "new_posts"),
        posts.c.lane_id == deliveries.c.lane_id,
    )
    .values(post_id=posts.c.id, state=DeliveryState.SENDING, attempts=deliveries.c.attempts + 1)
)


def _begin_posts(
    connection: Connection, lease: _LeasedLanes, waiting: Mapping[int, tuple[ClaimedDelivery, ...]], now: int
) -> list[Claim]:
    claims = []
    for lane_id, first in waiting.items():
        bundle, hours = next_bundle(first), lease.lanes[lane_id].hours
        digest = hours.delivery if hours and hours.is_digest and len(bundle) > 1 else None
        claims.append(lease.claim(lane_id, str(uuid4()), now, bundle, digest=digest))
    if claims:
        state = DeliveryState.SENDING.value
        rows = [(item.post_id, item.workspace_id, item.lane_id, state, now, now, item.digest) for item in claims]
        _new_posts.add(connection, rows)
        ids = [delivery.id for item in claims for delivery in item.deliveries]
        connection.execute(_join_posts, {"ids": ids, "new_posts": [item.post_id for item in claims]})
    return claims


def next_bundle(waiting: Sequence[ClaimedDelivery]) -> tuple[ClaimedDelivery, ...]:
    """Return the deliveries for the next post: the first ones, up to one that has to be posted by itself."""
    if waiting[0].plainness >= ALONE:
        return (waiting[0],)
    bundle = []
    for delivery in waiting[:MOST_IN_A_POST]:
        if delivery.plainness >= ALONE:
            break
        bundle.append(delivery)
    return tuple(bundle)


def _by_lane(rows: Sequence[Row[*tuple[Any, ...]]]) -> dict[int, tuple[ClaimedDelivery, ...]]:
    return {
        lane_id: tuple(ClaimedDelivery(*row[1:]) for row in group)
        for lane_id, group in groupby(rows, key=lambda row: row.lane_id)
    }


def release_all(connection: Connection, now: int) -> None:
    """
    Make the lanes that a dead process had leased due again, with their posts in doubt. No other process may run.

    They are due a little later: a call that was in flight when the process died must have arrived before we look for
    its message.
    """
    LANES.release_all(connection, now + IN_FLIGHT_MS)
