"""Figures for monitoring: stuck work, posts in doubt, parked lanes, pauses and use of Salesforce."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    or_,
    select,
)

from domain.day_counts import DAY_MS
from domain.errors import Vendor
from domain.states import DEFAULT_CHANNEL, WorkspaceState
from store.delivery.pauses import outages
from store.delivery.routing import directory_awaited, salesforce_awaited
from store.leases import POST, ROUTE
from store.schema import PENDING, deliveries, job_changes, lanes, pauses, posts, turns, workspaces
from store.schema import salesforce_connections as salesforce

PROGRESS_MS = 60_000
"""Workspaces served within this time are progressing, whatever their backlog."""

_SENDING: ColumnElement[str] = literal_column("'sending'")  # a literal, so that SQLite can use the partial index


@dataclass(frozen=True)
class SalesforceUse:
    """Ratios are the highest of any workspace: 1.0 means that the limit is used up, 0 that no limit is known."""

    connected: int
    troubled: int
    our_calls: int
    our_share: float
    org_share: float


@dataclass(frozen=True)
class HealthFigures:
    """
    `pauses` counts open pauses by subject, and by whether the vendor "asked" for it or is "failing".

    `overdue_since` is since when (milliseconds) the oldest job change waits for the app or a vendor, and not for an
    admin, who has to choose another channel, nor for the hours of its reader. None if nothing does.
    """

    in_doubt: int
    parked: int
    overdue_since: int | None
    pauses: Mapping[tuple[str, str], int]
    failing: Mapping[Vendor, int]  # workspaces, by the vendor whose calls fail there
    salesforce: SalesforceUse


def collect(connection: Connection, now: int) -> HealthFigures:
    """Return the figures of all workspaces together."""
    in_doubt = select(func.count()).where(posts.c.state == _SENDING, or_(posts.c.doubts > 0, posts.c.tries > 1))
    oldest = [connection.execute(query, {"now": now}).scalar_one() for query in (_unrouted_since, _unsent_since)]
    return HealthFigures(
        in_doubt=connection.execute(in_doubt).scalar_one(),
        parked=connection.execute(_parked).scalar_one(),
        overdue_since=min((since for since in oldest if since is not None), default=None),
        pauses={(subject, reason): count for subject, reason, count in connection.execute(_open_pauses, {"now": now})},
        failing=dict.fromkeys(Vendor, 0) | Counter(outage.vendor for outage in outages(connection)),
        salesforce=_salesforce(connection, now),
    )


_pause_reason = case((pauses.c.failures > 0, "failing"), else_="asked")
_open_pauses = (
    select(pauses.c.subject, _pause_reason, func.count())
    .where(pauses.c.until > bindparam("now"))
    .group_by(pauses.c.subject, _pause_reason)
)
_waits = exists().where(deliveries.c.lane_id == lanes.c.id, deliveries.c.state == PENDING)
_parked = select(func.count()).where(lanes.c.destination == DEFAULT_CHANNEL, lanes.c.due_at.is_(None), _waits)

_unrouted_since = select(func.min(job_changes.c.accepted_at)).where(job_changes.c.due_at.is_not(None))
_held_until = func.coalesce(lanes.c.kept_until, 0)
_unsent_since = (
    select(func.min(case((_held_until > deliveries.c.created_at, _held_until), else_=deliveries.c.created_at)))
    .join(lanes, lanes.c.id == deliveries.c.lane_id)
    .where(deliveries.c.state == PENDING, lanes.c.due_at.is_not(None), _held_until <= bindparam("now"))
)


def _salesforce(connection: Connection, now: int) -> SalesforceUse:
    ours = case((salesforce.c.our_calls_day == now // DAY_MS, salesforce.c.our_calls), else_=0)
    share = ours * 1.0 / func.nullif(workspaces.c.salesforce_daily_calls, 0)
    row = connection.execute(
        select(
            func.count(),
            func.count(salesforce.c.problem),
            func.coalesce(func.sum(ours), 0),
            func.coalesce(func.max(share), 0),
            func.coalesce(func.max(salesforce.c.api_used * 1.0 / func.nullif(salesforce.c.api_limit, 0)), 0),
        ).join(workspaces, workspaces.c.id == salesforce.c.workspace_id)
    ).one()
    connected, troubled, our_calls, our_share, org_share = row
    return SalesforceUse(connected, troubled, int(our_calls), float(our_share), float(org_share))


_is_served = turns.c.served_at > bindparam("served_since")
_mine = (pauses.c.workspace_id == turns.c.workspace_id) & (pauses.c.until > bindparam("now"))
_slack_asked_to_wait = (
    exists()
    .where(_mine, pauses.c.subject.in_(("slack", "slack:chat.postMessage")), pauses.c.failures == 0)
    .correlate_except(pauses)
)
_waits_for_routing = (
    exists()
    .where(
        job_changes.c.workspace_id == workspaces.c.id,
        job_changes.c.ended_at.is_(None),
        job_changes.c.routed_at.is_(None),
        job_changes.c.accepted_at < bindparam("before"),
    )
    .where(turns.c.half == ROUTE, ~_is_served, ~salesforce_awaited, ~directory_awaited("served_since"))
)
_created_long_ago = exists().where(
    deliveries.c.lane_id == lanes.c.id, deliveries.c.state == PENDING, deliveries.c.created_at < bindparam("before")
)
_begun_long_ago = exists().where(
    posts.c.lane_id == lanes.c.id, posts.c.state == _SENDING, posts.c.begun_at < bindparam("before")
)
_waits_for_posting = (
    exists()
    .where(lanes.c.workspace_id == workspaces.c.id, lanes.c.due_at.is_not(None))
    .where(func.coalesce(lanes.c.kept_until, 0) < bindparam("before"))
    .where(or_(_created_long_ago, _begun_long_ago))
    .where(turns.c.half == POST, ~and_(_is_served, lanes.c.failures == 0), ~_slack_asked_to_wait)
)
_stuck = (
    select(turns.c.workspace_id)
    .join(workspaces, workspaces.c.id == turns.c.workspace_id)
    .where(workspaces.c.state == WorkspaceState.ACTIVE, or_(_waits_for_routing, _waits_for_posting))
    .limit(1)
)


def is_stuck(connection: Connection, before: int, now: int) -> bool:
    """
    Whether anything that was accepted or scheduled before this time still waits without a reason.

    Reasons are a parked lane, notification hours of the reader, Slack's rate limit, a pause of Salesforce or a listing
    of the members (which last for a limited time), and a backlog that is progressing. Failing calls to post messages
    are not a reason.
    """
    arguments = {"before": before, "now": now, "served_since": now - PROGRESS_MS}
    return connection.execute(_stuck, arguments).first() is not None
