"""Claiming lanes: who may be posted to now, with the post that is written down before it is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from uuid import uuid4

from sqlalchemy import (
    BigInteger,
    Connection,
    Row,
    bindparam,
    exists,
    func,
    insert,
    literal,
    select,
    update,
)

from domain.delivery import ClaimedDelivery
from domain.notification_hours import NotificationHours
from domain.states import DEFAULT_CHANNEL, DeliveryState
from store.delivery.held_back import HOURS, hours_of, keep_claimed, kept_step, of_reader, unsaid
from store.delivery.trace import add_steps
from store.schema import deliveries, job_changes, lanes, member_preferences, pauses, posts, turns, workspaces

POST = "post"
MOST_IN_A_POST = 10
MOST_WORKSPACES = 8
"""How many workspaces share one claim; the others come with the next one, a few milliseconds later."""

LAST_BREATH_MS = 2_000

ALONE = 1
"""From this plainness on a delivery is posted by itself."""


@dataclass(frozen=True)
class Claim:
    """
    A lane that is ours until *lease_until*, and the post it sends next.

    *channel* is where to post: of the default channel's lane the channel it stands for now.
    *in_doubt*: an earlier attempt may have been performed; *doubts* counts those whose answer was ambiguous (one that
    died with its process counts none). *dm* is the id of the direct message channel, where an earlier post learnt it.
    *digest*: daily or weekly, if it is one. *hours*: when its reader wants to be told, where they prefer anything.
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

    def promised_at(self, delivery: ClaimedDelivery) -> int:
        """Since when it could have been told: its reader's hours are no delay of ours."""
        since = delivery.created_at
        return self.hours.held_until(since, since) if self.hours else since


@dataclass(frozen=True)
class _Lane:
    id: int
    workspace_id: str
    destination: str
    channel: str
    failures: int
    dm: str | None
    slack_is_failing: bool
    hours: NotificationHours | None


_lane_due = exists().where(lanes.c.workspace_id == turns.c.workspace_id, lanes.c.due_at <= bindparam("now"))
_posting_paused = exists().where(
    pauses.c.workspace_id == turns.c.workspace_id,
    pauses.c.subject.in_(("slack", "slack:chat.postMessage")),
    pauses.c.until > bindparam("now"),
)
_slack_failures = (
    select(func.coalesce(func.max(pauses.c.failures), 0))
    .where(pauses.c.workspace_id == turns.c.workspace_id, pauses.c.subject == "slack")
    .scalar_subquery()
)
_posts_last_minute = (
    select(func.count())
    .where(posts.c.workspace_id == turns.c.workspace_id, posts.c.tried_at > bindparam("a_minute_ago"))
    .scalar_subquery()
)
_workspaces_with_due_lanes = (
    select(
        turns.c.workspace_id,
        workspaces.c.default_channel_id,
        (workspaces.c.posts_per_minute - _posts_last_minute).label("budget"),
        _slack_failures.label("failures"),
    )
    .join(workspaces, workspaces.c.id == turns.c.workspace_id)
    .where(turns.c.half == POST, workspaces.c.state == "active", _lane_due, ~_posting_paused)
    .order_by(turns.c.served_at)
    .limit(MOST_WORKSPACES)
    .with_for_update(of=turns, skip_locked=True)
)
_served = (
    update(turns)
    .where(turns.c.half == POST, turns.c.workspace_id.in_(bindparam("workspaces", expanding=True)))
    .values(served_at=bindparam("now"))
)
_due_lanes = (
    select(lanes.c.id, lanes.c.workspace_id, lanes.c.destination, lanes.c.failures, lanes.c.dm, *HOURS)
    .outerjoin(member_preferences, of_reader)
    .where(lanes.c.workspace_id == bindparam("of_workspace"), lanes.c.due_at <= bindparam("now"))
    .order_by(lanes.c.due_at, lanes.c.id)
    .limit(bindparam("most"))
    .with_for_update(of=lanes, skip_locked=True)
)
_lease = (
    update(lanes)
    .where(lanes.c.id.in_(bindparam("ids", expanding=True)))
    .values(lease=bindparam("new_lease"), due_at=bindparam("until"))
)
_let_go = update(lanes).where(lanes.c.id.in_(bindparam("ids", expanding=True))).values(lease=None, due_at=None)
_begun_posts = select(posts.c.lane_id, posts.c.id, posts.c.begun_at, posts.c.doubts, posts.c.digest).where(
    posts.c.lane_id.in_(bindparam("ids", expanding=True)), posts.c.state == DeliveryState.SENDING
)
_try_again = (
    update(posts)
    .where(posts.c.id.in_(bindparam("ids", expanding=True)))
    .values(tries=posts.c.tries + 1, tried_at=bindparam("now"))
)
_drop = update(posts).where(posts.c.id.in_(bindparam("ids", expanding=True))).values(state="failed")
_begin = insert(posts).values(state=DeliveryState.SENDING)
_member_columns = (
    deliveries.c.lane_id,
    deliveries.c.id,
    deliveries.c.job_change_id,
    deliveries.c.role,
    deliveries.c.reason,
    deliveries.c.side,
    deliveries.c.plainness,
    deliveries.c.created_at,
    job_changes.c.payload,
    job_changes.c.decision,
    job_changes.c.acted_at,
)
_members = (
    select(*_member_columns)
    .join(job_changes, job_changes.c.id == deliveries.c.job_change_id)
    .where(deliveries.c.post_id.in_(bindparam("ids", expanding=True)), deliveries.c.state == DeliveryState.SENDING)
    .order_by(deliveries.c.lane_id, deliveries.c.id)
)
_earlier = deliveries.alias("earlier")
_last_of_the_first_few = (
    select(_earlier.c.id)
    .where(_earlier.c.lane_id == lanes.c.id, _earlier.c.state == literal(DeliveryState.PENDING, literal_execute=True))
    .order_by(_earlier.c.id)
    .offset(MOST_IN_A_POST - 1)
    .limit(1)
    .scalar_subquery()
)
_heads = (
    select(lanes.c.id, func.coalesce(_last_of_the_first_few, literal(2**63 - 1, BigInteger)).label("last"))
    .where(lanes.c.id.in_(bindparam("ids", expanding=True)))
    .cte("heads")
)
_first_pending = (
    select(*_member_columns)
    .select_from(_heads)
    .join(
        deliveries,
        (deliveries.c.lane_id == _heads.c.id)
        & (deliveries.c.id <= _heads.c.last)
        & (
            deliveries.c.state == literal(DeliveryState.PENDING, literal_execute=True)
        ),  # literal: the partial index must match
    )
    .join(job_changes, job_changes.c.id == deliveries.c.job_change_id)
    .order_by(deliveries.c.lane_id, deliveries.c.id)
)
_join_post = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("of_delivery"))
    .values(post_id=bindparam("new_post"), state=DeliveryState.SENDING, attempts=deliveries.c.attempts + 1)
)


def claim(connection: Connection, now: int, lease_ms: int, most: int) -> list[Claim]:
    """
    Up to *most* lanes that may post now, each with what it posts.

    Workspaces take turns, least recently served first, each within what its posts per minute leave. A post of an
    earlier attempt whose outcome nobody knows is taken up again with the same members, marked in doubt; else the first
    deliveries that wait in the lane join a new post, unless its reader wants to read later: then the lane is kept until
    that time. Both are rows before anybody calls Slack.
    """
    taken = _due(connection, now, most)
    if not taken:
        return []
    by_id = {lane.id: lane for lane in taken}
    lease, until = uuid4().hex, now + lease_ms
    connection.execute(_lease, {"ids": list(by_id), "new_lease": lease, "until": until})
    begun = connection.execute(_begun_posts, {"ids": list(by_id)}).all()
    claims = _resumed(connection, begun, by_id, lease, until, now) if begun else []
    resumed = {each.lane_id for each in claims}
    waiting = _waiting(connection, [lane_id for lane_id in by_id if lane_id not in resumed])
    kept = _keep(connection, waiting, by_id, now)
    open_now = {lane_id: members for lane_id, members in waiting.items() if lane_id not in kept}
    claims += _begun(connection, open_now, by_id, lease, until, now)
    busy = {each.lane_id for each in claims} | kept
    if empty := [lane_id for lane_id in by_id if lane_id not in busy]:
        connection.execute(_let_go, {"ids": empty})
    return claims


def _due(connection: Connection, now: int, most: int) -> list[_Lane]:
    found = connection.execute(_workspaces_with_due_lanes, {"now": now, "a_minute_ago": now - 60_000}).all()
    if not found:
        return []
    connection.execute(_served, {"workspaces": [row.workspace_id for row in found], "now": now})
    share = -(-most // len(found))
    taken, parked = [], []
    for workspace_id, default_channel, budget, failures in found:
        # While Slack fails this workspace, one lane at a time finds out whether it is back.
        most_here = max(0, min(1 if failures else share, budget))
        for row in connection.execute(_due_lanes, {"of_workspace": workspace_id, "now": now, "most": most_here}):
            channel = default_channel if row.destination == DEFAULT_CHANNEL else row.destination
            if channel is None:
                parked.append(row.id)
            else:
                lane = (row.id, workspace_id, row.destination, channel, row.failures, row.dm, failures > 0)
                taken.append(_Lane(*lane, hours_of(row)))
    if parked:
        connection.execute(_let_go, {"ids": parked})
    return taken


def _resumed(
    connection: Connection,
    begun: Sequence[Row[*tuple[Any, ...]]],
    by_id: dict[int, _Lane],
    lease: str,
    until: int,
    now: int,
) -> list[Claim]:
    members = _by_lane(connection.execute(_members, {"ids": [post.id for post in begun]}).all())
    if left := [post.id for post in begun if post.lane_id not in members]:  # all its members were erased
        connection.execute(_drop, {"ids": left})
    alive = [post for post in begun if post.lane_id in members]
    connection.execute(_try_again, {"ids": [post.id for post in alive], "now": now})
    return [
        _claim(
            by_id[post.lane_id],
            lease,
            until,
            post.id,
            post.begun_at,
            members[post.lane_id],
            doubts=post.doubts,
            digest=post.digest,
        )
        for post in alive
    ]


def _waiting(connection: Connection, ids: list[int]) -> dict[int, tuple[ClaimedDelivery, ...]]:
    """The first that wait in each of these lanes."""
    return _by_lane(connection.execute(_first_pending, {"ids": ids}).all()) if ids else {}


def _keep(
    connection: Connection, waiting: Mapping[int, tuple[ClaimedDelivery, ...]], by_id: Mapping[int, _Lane], now: int
) -> set[int]:
    """Give back the lanes whose readers do not want to read now; which they were."""
    rows, steps = [], []
    for lane_id, members in waiting.items():
        hours = by_id[lane_id].hours
        since = min(each.created_at for each in members)
        if hours is not None and (until := hours.held_until(since, now)) > now:
            rows.append({"of_lane": lane_id, "until": until})
            steps += [kept_step(each.job_change_id, hours, since, now) for each in members]
    if rows:
        connection.execute(keep_claimed, rows)
        add_steps(connection, unsaid(connection, steps))
    return {row["of_lane"] for row in rows}


def _begun(
    connection: Connection,
    waiting: Mapping[int, tuple[ClaimedDelivery, ...]],
    by_id: dict[int, _Lane],
    lease: str,
    until: int,
    now: int,
) -> list[Claim]:
    claims = [
        _claim(by_id[lane_id], lease, until, str(uuid4()), now, members, digest=_digest(by_id[lane_id], members))
        for lane_id, members in ((lane_id, together(waits)) for lane_id, waits in waiting.items())
    ]
    if claims:
        connection.execute(
            _begin,
            [
                {
                    "id": each.post_id,
                    "workspace_id": each.workspace_id,
                    "lane_id": each.lane_id,
                    "begun_at": now,
                    "tried_at": now,
                    "digest": each.digest,
                }
                for each in claims
            ],
        )
        connection.execute(
            _join_post,
            [{"of_delivery": member.id, "new_post": each.post_id} for each in claims for member in each.deliveries],
        )
    return claims


_release_held = (
    update(lanes)
    .where(lanes.c.lease.is_not(None), lanes.c.due_at > bindparam("soon"))
    .values(lease=None, due_at=bindparam("soon"))
)


def release_all(connection: Connection, now: int) -> None:
    """
    Nobody else is running: the lanes that a dead process held are due again, its posts in doubt.

    Not quite at once: a call that it made with its last breath must have arrived before we look for the message.
    """
    connection.execute(_release_held, {"soon": now + LAST_BREATH_MS})


def together(waiting: Sequence[ClaimedDelivery]) -> tuple[ClaimedDelivery, ...]:
    """What goes into the next post: the first that wait, until one that Slack refused in company goes alone."""
    if waiting[0].plainness >= ALONE:
        return (waiting[0],)
    company = []
    for delivery in waiting[:MOST_IN_A_POST]:
        if delivery.plainness >= ALONE:
            break
        company.append(delivery)
    return tuple(company)


def _digest(lane: _Lane, members: Sequence[ClaimedDelivery]) -> str | None:
    return lane.hours.delivery if lane.hours and lane.hours.is_digest and len(members) > 1 else None


def _claim(
    lane: _Lane,
    lease: str,
    until: int,
    post_id: str,
    begun_at: int,
    members: tuple[ClaimedDelivery, ...],
    *,
    doubts: int | None = None,
    digest: str | None = None,
) -> Claim:
    return Claim(
        lane_id=lane.id,
        lease=lease,
        lease_until=until,
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
        deliveries=members,
        digest=digest,
        hours=lane.hours,
    )


def _by_lane(rows: Sequence[Row[*tuple[Any, ...]]]) -> dict[int, tuple[ClaimedDelivery, ...]]:
    return {
        lane_id: tuple(ClaimedDelivery(*row[1:]) for row in members)
        for lane_id, members in groupby(rows, key=lambda row: row.lane_id)
    }
