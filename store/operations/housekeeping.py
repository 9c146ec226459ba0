"""What is swept now and then: payloads past their retention, memories that have expired, lanes that lost their turn."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, case, delete, exists, select, update

from domain.states import DEFAULT_CHANNEL, DeliveryState
from store.delivery import pauses
from store.schema import (
    deliveries,
    intake_keys,
    job_changes,
    lanes,
    ownership_unmatched,
    slack_events,
    trace,
    workspaces,
    wrong_data,
)
from store.slack import members

ERASED_AT_ONCE = 500
"""So that no sweep holds up the door."""

MOST_WOKEN = 1_000
"""Lanes, in a round; PostgreSQL takes 65,535 values in a statement, and the next round is soon."""

EVENT_MEMORY_MS = 2 * 24 * 3_600 * 1_000
"""Slack repeats an event for a day at most: https://docs.slack.dev/apis/events-api"""

_expired = (
    select(job_changes.c.id, job_changes.c.ended_at)
    .where(
        job_changes.c.workspace_id == bindparam("of_workspace"),
        job_changes.c.ended_at >= bindparam("since"),
        job_changes.c.ended_at < bindparam("before"),
        job_changes.c.payload.is_not(None),
    )
    .order_by(job_changes.c.ended_at)
    .limit(bindparam("most"))
)
_erase = (
    update(job_changes)
    .where(job_changes.c.id.in_(bindparam("ids", expanding=True)))
    .values(payload=None, decision=None, reason=None, last_error=None)
)
_erase_reasons = (
    update(deliveries)
    .where(deliveries.c.job_change_id.in_(bindparam("ids", expanding=True)))
    .values(reason="", last_error=None)
)
_erase_details = update(trace).where(trace.c.job_change_id.in_(bindparam("ids", expanding=True))).values(detail="")
_erase_words = (
    update(wrong_data).where(wrong_data.c.job_change_id.in_(bindparam("ids", expanding=True))).values(words=None)
)
_erase_missed = delete(ownership_unmatched).where(
    ownership_unmatched.c.job_change_id.in_(bindparam("ids", expanding=True))
)


def retentions(connection: Connection) -> dict[str, int | None]:
    """Every workspace, also one that left, and for how many days it keeps payloads; None: as the operator has it."""
    rows = connection.execute(select(workspaces.c.id, workspaces.c.retention_days).order_by(workspaces.c.id))
    return {row.id: row.retention_days for row in rows}


def erase_expired(
    connection: Connection, workspace_id: str, since: int, before: int, most: int = ERASED_AT_ONCE
) -> int:
    """
    Forget who it was about in the first *most* job changes that ended between the two. Counts stay.

    Answers since when there may be more; *before*: there are no more.
    """
    asked = {"of_workspace": workspace_id, "since": since, "before": before, "most": most}
    rows = connection.execute(_expired, asked).all()
    ids = {"ids": [row.id for row in rows]}
    if rows:
        for statement in (_erase, _erase_reasons, _erase_details, _erase_words, _erase_missed):
            connection.execute(statement, ids)
    return rows[-1].ended_at if len(rows) == most else before


def delete_stale(connection: Connection, now: int) -> None:
    """Rows that nobody will ask for again."""
    connection.execute(delete(slack_events).where(slack_events.c.seen_at < now - EVENT_MEMORY_MS))
    connection.execute(delete(intake_keys).where(intake_keys.c.expires_at < now))
    members.prune(connection, now)
    pauses.prune(connection, now)


_usable_default = exists().where(
    workspaces.c.id == lanes.c.workspace_id,
    workspaces.c.default_channel_id.is_not(None),
    workspaces.c.default_channel_problem.is_(None),
)
_stranded = (
    select(lanes.c.id)
    .where(
        lanes.c.due_at.is_(None),
        exists().where(deliveries.c.lane_id == lanes.c.id, deliveries.c.state == DeliveryState.PENDING),
        (lanes.c.destination != DEFAULT_CHANNEL) | _usable_default,
    )
    .limit(MOST_WOKEN)
)
_wake = (
    update(lanes)
    .where(lanes.c.id.in_(bindparam("ids", expanding=True)), lanes.c.due_at.is_(None))
    .values(due_at=case((lanes.c.paced_until > bindparam("now"), lanes.c.paced_until), else_=bindparam("now")))
)


def wake_stranded_lanes(connection: Connection, now: int) -> int:
    """Lanes in which something waits although nothing keeps it: there should be none. How many there were."""
    ids = list(connection.execute(_stranded).scalars())
    if ids:
        connection.execute(_wake, {"ids": ids, "now": now})
    return len(ids)
