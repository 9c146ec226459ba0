"""What a workspace could not be told, page by page, for whoever tries it again from Slack."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import BindParameter, ColumnElement, Connection, and_, bindparam, literal, or_, select

from domain.delivery import FailedJobChange
from domain.states import DeliveryState
from store.schema import job_changes

_ids: BindParameter[list[str]] = bindparam("ids", expanding=True)
# Literally, or SQLite could not use the index over the buried ones.
_is_buried = job_changes.c.outcome == literal(DeliveryState.FAILED, literal_execute=True)


def page(connection: Connection, workspace_id: str, after: tuple[int, str] | None, most: int) -> list[FailedJobChange]:
    """The newest first, from the one *after* (its time and id) on; None: from the start."""
    columns = (job_changes.c.id, job_changes.c.payload, job_changes.c.reason, job_changes.c.ended_at)
    older = [_is_older(*after)] if after else []
    some = select(*columns).where(_is_buried, job_changes.c.workspace_id == workspace_id, *older)
    rows = connection.execute(some.order_by(job_changes.c.ended_at.desc(), job_changes.c.id.desc()).limit(most))
    return [FailedJobChange(*row) for row in rows]


def _is_older(ended_at: int, job_change_id: str) -> ColumnElement[bool]:
    same_time = and_(job_changes.c.ended_at == ended_at, job_changes.c.id < job_change_id)
    return or_(job_changes.c.ended_at < ended_at, same_time)


def among(connection: Connection, workspace_id: str, job_change_ids: Sequence[str]) -> list[str]:
    """Those of these that are of this workspace, and buried."""
    theirs = select(job_changes.c.id).where(
        job_changes.c.id.in_(_ids), job_changes.c.workspace_id == workspace_id, _is_buried
    )
    return list(connection.execute(theirs, {"ids": list(job_change_ids)}).scalars())


def oldest(connection: Connection, workspace_id: str, until: int, most: int) -> list[str]:
    """The ids of those buried until this time, the longest buried first."""
    some = select(job_changes.c.id).where(
        _is_buried, job_changes.c.workspace_id == workspace_id, job_changes.c.ended_at <= until
    )
    return list(connection.execute(some.order_by(job_changes.c.ended_at, job_changes.c.id).limit(most)).scalars())
