"""Numbers: how many job changes wait and how they ended, of one workspace or of all."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, func, literal_column, or_, select, true

from domain.day_counts import FAILED, MOST_POSTS_COUNTED, OUTCOMES, JobChangeTotals, RecipientCount
from store.schema import job_changes, lanes, posts, workspaces

_LATELY_ENDED = 100


def totals(connection: Connection, since: int, workspace_id: str | None = None) -> JobChangeTotals:
    """How all workspaces stand, or one of them. *since* in milliseconds. An index answers each question."""
    waiting, waiting_since = connection.execute(
        select(func.count(), func.min(job_changes.c.accepted_at)).where(
            _of(workspace_id), job_changes.c.ended_at.is_(None)
        )
    ).one()
    buried = connection.execute(
        # Literally, or SQLite could not use an index over the buried ones.
        select(func.count()).where(_of(workspace_id), job_changes.c.outcome == literal_column(f"'{FAILED}'"))
    ).scalar_one()
    return JobChangeTotals(waiting, waiting_since, _ended(connection, since, workspace_id), buried)


def _ended(connection: Connection, since: int, workspace_id: str | None) -> dict[str, int]:
    # By workspace even when all are asked for: that is how the index begins.
    whose = _of(workspace_id) if workspace_id else job_changes.c.workspace_id.in_(select(workspaces.c.id))
    rows = connection.execute(
        select(job_changes.c.outcome, job_changes.c.told, func.count())
        .where(whose, job_changes.c.ended_at >= since)
        .group_by(job_changes.c.outcome, job_changes.c.told)
    )
    ended = dict.fromkeys(OUTCOMES, 0)
    for outcome, told, count in rows:
        name = f"told_{told}" if outcome == "delivered" else outcome
        ended[name] = ended.get(name, 0) + count
    return ended


def last_accepted_at(connection: Connection, workspace_id: str) -> int | None:
    """When its last job change came, in milliseconds: the newest of those still open and of those that ended lately."""
    open_one = connection.execute(
        select(func.max(job_changes.c.accepted_at)).where(_of(workspace_id), job_changes.c.ended_at.is_(None))
    ).scalar()
    lately = (
        select(job_changes.c.accepted_at)
        .where(_of(workspace_id), job_changes.c.ended_at.is_not(None))
        .order_by(job_changes.c.ended_at.desc())
        .limit(_LATELY_ENDED)
        .subquery()
    )
    ended_one = connection.execute(select(func.max(lately.c.accepted_at))).scalar()
    return max((at for at in (open_one, ended_one) if at is not None), default=None)


def top_recipients(connection: Connection, workspace_id: str, since: int, most: int) -> list[RecipientCount]:
    """Who had most messages since then (milliseconds), of the latest MOST_POSTS_COUNTED in the workspace."""
    lately = (
        select(posts.c.lane_id)
        .where(posts.c.workspace_id == workspace_id, posts.c.tried_at > since, posts.c.state == "sent")
        .order_by(posts.c.tried_at.desc())
        .limit(MOST_POSTS_COUNTED)
        .subquery()
    )
    messages = func.count().label("messages")
    rows = connection.execute(
        select(lanes.c.destination, messages)
        .join(lately, lately.c.lane_id == lanes.c.id)
        .where(or_(lanes.c.destination.startswith("U"), lanes.c.destination.startswith("W")))
        .group_by(lanes.c.destination)
        .order_by(messages.desc(), lanes.c.destination)
        .limit(most)
    )
    return [RecipientCount(*row) for row in rows]


def _of(workspace_id: str | None) -> ColumnElement[bool]:
    return true() if workspace_id is None else job_changes.c.workspace_id == workspace_id
