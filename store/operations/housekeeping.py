"""Regular cleanup of rows: expired personal data, stale caches, and lanes without a due time."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, delete, exists, select, text, update

from domain.states import DEFAULT_CHANNEL, DeliveryState
from store.delivery import pauses
from store.delivery.deliveries import has_usable_channel, make_due
from store.intake import refused_payloads
from store.schema import (
    deliveries,
    earlier_posts,
    intake_keys,
    job_changes,
    lanes,
    ownership_unmatched,
    posts,
    trace,
    webhooks,
    workspaces,
    wrong_data,
)
from store.schema.lists import one_of
from store.slack import members, seen_events

ERASED_AT_ONCE = 500
"""Job changes that are erased in one transaction, so that other work does not wait long."""

MOST_PAGES = 2_000
"""Pages of the SQLite file that are given back in one round."""

MOST_WOKEN = 1_000
"""Lanes per round. PostgreSQL allows 65,535 values in a statement."""

EVENT_MEMORY_MS = 2 * 24 * 3_600 * 1_000
"""Slack repeats an event for a day at most. https://docs.slack.dev/apis/events-api"""

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
_with_expired = select(workspaces.c.id).where(
    exists().where(
        job_changes.c.workspace_id == workspaces.c.id,
        job_changes.c.ended_at >= bindparam("since"),
        job_changes.c.ended_at < bindparam("before"),
        job_changes.c.payload.is_not(None),
    )
)
erase_content = (
    update(job_changes)
    .where(one_of(job_changes.c.id, "ids"))
    .values(payload=None, decision=None, reason=None, last_error=None)
)
ERASE_DETAILS = (
    update(deliveries)
    .where(one_of(deliveries.c.job_change_id, "ids"))
    .values(reason="", reasons=None, last_error=None),
    update(trace).where(one_of(trace.c.job_change_id, "ids")).values(detail=""),
    update(wrong_data).where(one_of(wrong_data.c.job_change_id, "ids")).values(words=None),
    delete(ownership_unmatched).where(one_of(ownership_unmatched.c.job_change_id, "ids")),
)
"""What other tables say about the people of job changes."""

_move_to_the_others = text(
    "UPDATE job_changes SET rowid = (SELECT min(rowid) FROM job_changes) - 1 WHERE id = :of_job_change"
)
"""
Puts an erased row where the other erased ones are. SQLite keeps the page of a row that becomes smaller for that row.

Nothing refers to the rowid of a table whose key is a text: https://www.sqlite.org/rowidtable.html
"""

_with_purgeable = select(workspaces.c.id).where(
    exists().where(job_changes.c.workspace_id == workspaces.c.id, job_changes.c.ended_at < bindparam("before"))
)
_purgeable = (
    select(job_changes.c.id)
    .where(job_changes.c.workspace_id == bindparam("of_workspace"), job_changes.c.ended_at < bindparam("before"))
    .limit(bindparam("most"))
    .with_for_update(of=job_changes, skip_locked=True)
)
_of_purged = one_of(deliveries.c.job_change_id, "ids")
_posts_of = select(deliveries.c.post_id).where(_of_purged, deliveries.c.post_id.is_not(None))
_earlier_posts_of = (
    select(earlier_posts.c.post_id).join(deliveries, deliveries.c.id == earlier_posts.c.delivery_id).where(_of_purged)
)
_delete_job_changes = delete(job_changes).where(one_of(job_changes.c.id, "ids"))
_delete_empty_posts = delete(posts).where(
    one_of(posts.c.id, "ids"),
    ~exists().where(deliveries.c.post_id == posts.c.id),
    ~exists().where(earlier_posts.c.post_id == posts.c.id),
)


def retentions(connection: Connection) -> dict[str, int | None]:
    """Return the retention in days of every workspace, uninstalled ones too. None means the operator's default."""
    rows = connection.execute(select(workspaces.c.id, workspaces.c.retention_days).order_by(workspaces.c.id))
    return {row.id: row.retention_days for row in rows}


def with_expired(connection: Connection, since: int, before: int) -> set[str]:
    """Return the workspaces with job changes to erase that ended from `since` until `before`."""
    return set(connection.execute(_with_expired, {"since": since, "before": before}).scalars())


def erase_expired(
    connection: Connection, workspace_id: str, since: int, before: int, most: int = ERASED_AT_ONCE
) -> int:
    """
    Erase personal data in at most `most` job changes that ended from `since` until `before`. Counts stay.

    Return the time from which more may be left, which is `before` if there are none.
    """
    period = {"of_workspace": workspace_id, "since": since, "before": before, "most": most}
    rows = connection.execute(_expired, period).all()
    ids = {"ids": [row.id for row in rows]}
    if rows:
        for statement in (erase_content, *ERASE_DETAILS):
            connection.execute(statement, ids)
        if connection.dialect.name == "sqlite":
            connection.execute(_move_to_the_others, [{"of_job_change": row.id} for row in rows])
    return rows[-1].ended_at if len(rows) == most else before


def purge(connection: Connection, before: int, most: int = ERASED_AT_ONCE) -> int:
    """
    Delete at most `most` job changes of one workspace that ended before this time, and return how many.

    The counts of each day stay. If a sender sends such a job change again, it is a new one.
    """
    workspace_id = connection.execute(_with_purgeable.limit(1), {"before": before}).scalar_one_or_none()
    if workspace_id is None:
        return 0
    rows = connection.execute(_purgeable, {"of_workspace": workspace_id, "before": before, "most": most}).all()
    ids = {"ids": [row.id for row in rows]}
    post_ids = [*connection.execute(_posts_of, ids).scalars(), *connection.execute(_earlier_posts_of, ids).scalars()]
    connection.execute(_delete_job_changes, ids)
    connection.execute(_delete_empty_posts, {"ids": sorted(set(post_ids))})
    return len(rows)


def give_back_pages(connection: Connection) -> None:
    """Shorten the SQLite file by pages that are free. PostgreSQL does that by itself."""
    if connection.dialect.name == "sqlite":
        free = connection.exec_driver_sql("PRAGMA freelist_count").scalar_one()
        for _ in range(min(free, MOST_PAGES)):  # one at a time: Python's driver takes only the first step of a pragma
            connection.exec_driver_sql("PRAGMA incremental_vacuum(1)")


def delete_stale(connection: Connection, now: int) -> None:
    """Delete seen events, replaced keys, refused payloads, cached members and pauses that have expired."""
    seen_events.prune(connection, now - EVENT_MEMORY_MS)
    connection.execute(delete(intake_keys).where(intake_keys.c.expires_at < now))
    replaced = update(webhooks).where(webhooks.c.old_secret_until < now)
    connection.execute(replaced.values(old_secret=None, old_secret_until=None))
    refused_payloads.delete_old(connection, now)
    members.prune(connection, now)
    pauses.prune(connection, now)


_usable_default = exists().where(workspaces.c.id == lanes.c.workspace_id, has_usable_channel)
_stranded = (
    select(lanes.c.id)
    .where(
        lanes.c.due_at.is_(None),
        exists().where(deliveries.c.lane_id == lanes.c.id, deliveries.c.state == DeliveryState.PENDING),
        (lanes.c.destination != DEFAULT_CHANNEL) | _usable_default,
    )
    .limit(MOST_WOKEN)
)


def wake_stranded_lanes(connection: Connection, now: int) -> int:
    """
    Schedule lanes that have pending deliveries but no due time and no reason to wait. Return how many there were.

    There should be none, except after a bug or a restored backup.
    """
    ids = list(connection.execute(_stranded).scalars())
    if ids:
        connection.execute(make_due, {"ids": ids, "now": now})
    return len(ids)
