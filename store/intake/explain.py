"""Finding the job changes of a person by an email address, among the latest of a workspace."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from sqlalchemy import Connection, bindparam, func, select

from domain.delivery import MOST_SEARCHED, MOST_SEARCHED_OF_MEMBER
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


_delivered = (  # without payloads, since all of a reader's deliveries are sorted
    select(deliveries.c.job_change_id)
    .join(lanes, lanes.c.id == deliveries.c.lane_id)
    .where(lanes.c.workspace_id == bindparam("of_workspace"), lanes.c.destination == bindparam("to_user"))
    .order_by(deliveries.c.id.desc())
    .limit(MOST_SEARCHED_OF_MEMBER)
)
_latest_delivered = select(*_columns).where(job_changes.c.id.in_(_delivered))


def mentions(connection: Connection, workspace_id: str, text: str, for_user: str | None) -> list[Mention]:
    """
    Return the open job changes first, then those that have ended, each newest first. `text` is in lower case.

    For a Slack user, only the latest page of what was delivered to them is searched.
    """
    entries = []
    for latest in (_latest_open, _latest_ended) if for_user is None else (_latest_delivered,):
        searched = latest.limit(MOST_SEARCHED).subquery()
        has_text = func.lower(searched.c.payload).contains(text, autoescape=True)
        query = select(searched.c.id, searched.c.payload).where(has_text)
        rows = connection.execute(query, {"of_workspace": workspace_id, "to_user": for_user})
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
