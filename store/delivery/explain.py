"""Finding the job changes of a person by an address, among the latest of a workspace."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from sqlalchemy import Connection, bindparam, func, select

from domain.delivery import MOST_SEARCHED
from store.schema import deliveries, job_changes, lanes


@dataclass(frozen=True)
class Mention:
    """A job change whose payload has the text that was asked for somewhere."""

    job_change_id: str
    payload: str = field(repr=False)


_columns = (job_changes.c.id, job_changes.c.payload)
_mine = job_changes.c.workspace_id == bindparam("of_workspace")
_open = select(*_columns).where(_mine, job_changes.c.ended_at.is_(None)).order_by(job_changes.c.accepted_at.desc())
_ended = select(*_columns).where(_mine, job_changes.c.ended_at.is_not(None)).order_by(job_changes.c.ended_at.desc())


def mentions(connection: Connection, workspace_id: str, text: str) -> list[Mention]:
    """The newest first: of those that are open, then of those that ended last. *text* in lower case."""
    found = []
    for latest in (_open, _ended):
        some = latest.limit(MOST_SEARCHED).subquery()
        has_it = func.lower(some.c.payload).contains(text, autoescape=True)
        rows = connection.execute(select(some.c.id, some.c.payload).where(has_it), {"of_workspace": workspace_id})
        found += sorted((Mention(*row) for row in rows), key=lambda each: each.job_change_id, reverse=True)
    return found


def came_to(connection: Connection, workspace_id: str, user_id: str, job_change_ids: Collection[str]) -> set[str]:
    """Those of these that were promised to this Slack user in person."""
    theirs = (
        select(deliveries.c.job_change_id)
        .join(lanes, lanes.c.id == deliveries.c.lane_id)
        .where(
            deliveries.c.job_change_id.in_(list(job_change_ids)),
            lanes.c.workspace_id == workspace_id,
            lanes.c.destination == user_id,
        )
    )
    return set(connection.execute(theirs).scalars())
