"""What a member was sent recently, and what people did with their deliveries of a job change."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Select, Table, bindparam, select

from domain.delivery import Handling, History, Report, SentDelivery, Snooze
from domain.states import DeliveryState, HandlingState
from store.schema import deliveries, handlings, job_changes, lanes, laters, posts, wrong_data

RECENT_MS = 14 * 24 * 60 * 60 * 1_000
"""Older deliveries are not listed."""


def _of_job_changes(table: Table, row: type[Handling | Snooze | Report]) -> Select[Any]:
    columns = (table.c[name] for name in row.__dataclass_fields__)
    return select(table.c.job_change_id, *columns).where(table.c.job_change_id.in_(bindparam("ids", expanding=True)))


_handlings = (
    _of_job_changes(handlings, Handling)
    .where(handlings.c.state != HandlingState.OPEN)
    .order_by(handlings.c.at, handlings.c.delivery_id)
)
_snoozes = _of_job_changes(laters, Snooze)
_reports = _of_job_changes(wrong_data, Report).order_by(wrong_data.c.at)


def histories(connection: Connection, job_change_ids: Collection[str]) -> dict[str, History]:
    """Return a history for each of the job changes, by their ids."""
    ids = {"ids": sorted(set(job_change_ids))}
    handled = [(job_change_id, Handling(*row)) for job_change_id, *row in connection.execute(_handlings, ids)]
    snoozed = [(job_change_id, Snooze(*row)) for job_change_id, *row in connection.execute(_snoozes, ids)]
    reports = [(job_change_id, Report(*row)) for job_change_id, *row in connection.execute(_reports, ids)]
    return {
        wanted: History(
            tuple(row for job_change_id, row in handled if job_change_id == wanted),
            tuple(row for job_change_id, row in snoozed if job_change_id == wanted),
            tuple(row for job_change_id, row in reports if job_change_id == wanted),
        )
        for wanted in ids["ids"]
    }


_recent_deliveries = (
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


def recent_deliveries(
    connection: Connection, workspace_id: str, user_id: str, now: int, skip: int, most: int
) -> list[SentDelivery]:
    """Return what this Slack user was sent in the last fourteen days, newest first, without the newest `skip`."""
    key = {"of_workspace": workspace_id, "of_user": user_id, "since": now - RECENT_MS, "skip": skip, "most": most}
    return [SentDelivery(*row) for row in connection.execute(_recent_deliveries, key)]
