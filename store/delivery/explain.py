"""Finding the job changes of a person by an email address, among the latest of a workspace."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from sqlalchemy import Connection, bindparam, func, select

from domain.delivery import MOST_SEARCHED
from store.schema import deliveries, job_changes, lanes


@dataclass(frozen=True)
class Mention:
    """A job change with the text somewhere in its payload."""

    job_change_id: str
    payload: str = field(repr=False)


_columns = (job_changes.c.id, job_changes.c.payload)
_of_workspace = job_changes.c.workspace_id == bindparam("of_workspace")
_latest_open = (
    select(*_columns).where(_of_workspace, job_changes.c.ended_at.is_(None)).order_by(job_changes.c.accepted_at.desc())
)
_latest_ended = (
    select(*_columns).where(_of_workspace, job_changes.c.ended_at.is_not(None)).order_by(job_changes.c.ended_at.desc())
)


def mentions(connection: Connection, workspace_id: str, text: str) -> list[Mention]:
    """Return the open job changes first, then those that have ended, each newest first. `text` is in lower case."""
    entries = []
    for latest in (_latest_open, _latest_ended):
        searched = latest.limit(MOST_SEARCHED).subquery()
        has_text = func.lower(searched.c.payload).contains(text, autoescape=True)
        query = select(searched.c.id, searched.c.payload).where(has_text)
        rows = connection.execute(query, {"of_workspace": workspace_id})
        entries += sorted((Mention(*row) for row in rows), key=lambda mention: mention.job_change_id, reverse=True)
    return entries


def delivered_to(connection: Connection, workspace_id: str, user_id: str, job_change_ids: Collection[str]) -> set[str]:
    """Return those of the job changes that have a delivery for this Slack user."""
    query = (
        select(deliveries.c.job_change_id)
        .join(lanes, lanes.c.id == deliveries.c.lane_id)
        .where(
            deliveries.c.job_change_id.in_(list(job_change_ids)),
            lanes.c.workspace_id == workspace_id,
            lanes.c.destination == user_id,
        )
    )
    return set(connection.execute(query).scalars())
