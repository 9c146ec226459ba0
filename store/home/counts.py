"""Counts of job changes that wait or have ended, of one workspace or of all. Tests are not counted."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, exists, func, literal_column, or_, select, true

from domain.day_counts import FAILED, MOST_POSTS_COUNTED, MUTED, OUTCOMES, JobChangeTotals, RecipientCount
from domain.job_change.model import TEST_SOURCE
from domain.states import Outcome
from store.schema import attached_reports, deliveries, job_changes, lanes, posts, workspaces

_RECENTLY_ENDED = 100
_is_real = job_changes.c.source != TEST_SOURCE


def totals(connection: Connection, since: int, workspace_id: str | None = None) -> JobChangeTotals:
    """Count those of one workspace, or of all. `since` is in milliseconds. Every query uses an index."""
    waiting, waiting_since = connection.execute(
        select(func.count(), func.min(job_changes.c.accepted_at)).where(
            _of(workspace_id), job_changes.c.ended_at.is_(None), _is_real
        )
    ).one()
    failed = connection.execute(
        # A literal, because SQLite does not use the partial index for a bound parameter.
        select(func.count()).where(_of(workspace_id), job_changes.c.outcome == literal_column(f"'{FAILED}'"))
    ).scalar_one()
    return JobChangeTotals(waiting, waiting_since, _ended(connection, since, workspace_id), failed)


def _ended(connection: Connection, since: int, workspace_id: str | None) -> dict[str, int]:
    # Always by workspace, because the index starts with it.
    condition = _of(workspace_id) if workspace_id else job_changes.c.workspace_id.in_(select(workspaces.c.id))
    rows = connection.execute(
        select(job_changes.c.outcome, job_changes.c.told, func.count())
        .where(condition, job_changes.c.ended_at >= since, _is_real)
        .group_by(job_changes.c.outcome, job_changes.c.told)
    )
    ended = dict.fromkeys(OUTCOMES, 0)
    for outcome, sent_to, count in rows:
        name = f"told_{sent_to}" if outcome == Outcome.DELIVERED else outcome
        ended[name] = ended.get(name, 0) + count
    table = attached_reports  # these are stored as muted
    of_workspace = (
        table.c.workspace_id == workspace_id if workspace_id else table.c.workspace_id.in_(select(workspaces.c.id))
    )
    attached = connection.execute(select(func.count()).where(of_workspace, table.c.at >= since)).scalar_one()
    return ended | {MUTED: ended[MUTED] - attached}


def stored_characters(connection: Connection, workspace_id: str) -> int:
    """Return how much the job changes of a workspace take, which reads all of them."""
    total = func.coalesce(func.sum(func.length(job_changes.c.payload)), 0)
    stored: int = connection.execute(select(total).where(_of(workspace_id))).scalar_one()
    return stored


def last_accepted_at(connection: Connection, workspace_id: str) -> int | None:
    """Return when the last job change was accepted, in milliseconds: an open one, or one that ended recently."""
    last_open = connection.execute(
        select(func.max(job_changes.c.accepted_at)).where(_of(workspace_id), job_changes.c.ended_at.is_(None), _is_real)
    ).scalar()
    recent = (
        select(job_changes.c.accepted_at)
        .where(_of(workspace_id), job_changes.c.ended_at.is_not(None), _is_real)
        .order_by(job_changes.c.ended_at.desc())
        .limit(_RECENTLY_ENDED)
        .subquery()
    )
    last_ended = connection.execute(select(func.max(recent.c.accepted_at))).scalar()
    return max((at for at in (last_open, last_ended) if at is not None), default=None)


def top_recipients(connection: Connection, workspace_id: str, since: int, most: int) -> list[RecipientCount]:
    """Return who got most messages since this time (milliseconds), of the latest MOST_POSTS_COUNTED."""
    recent = (
        select(posts.c.id, posts.c.lane_id)
        .where(posts.c.workspace_id == workspace_id, posts.c.tried_at > since, posts.c.state == "sent")
        .order_by(posts.c.tried_at.desc())
        .limit(MOST_POSTS_COUNTED)
        .subquery()
    )
    messages = func.count().label("messages")
    in_post = (deliveries.c.post_id == recent.c.id) & (deliveries.c.job_change_id == job_changes.c.id)
    is_test = exists().where(in_post, job_changes.c.source == TEST_SOURCE)
    rows = connection.execute(
        select(lanes.c.destination, messages)
        .join(recent, recent.c.lane_id == lanes.c.id)
        .where(or_(lanes.c.destination.startswith("U"), lanes.c.destination.startswith("W")), ~is_test)
        .group_by(lanes.c.destination)
        .order_by(messages.desc(), lanes.c.destination)
        .limit(most)
    )
    return [RecipientCount(*row) for row in rows]


def _of(workspace_id: str | None) -> ColumnElement[bool]:
    return true() if workspace_id is None else job_changes.c.workspace_id == workspace_id
