"""The audit log: who changed what, and when. Entries are only added."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, bindparam, func, insert, select

from domain.audit import AuditEntry
from store.schema import audit

MOST_RECENT_ADMINS = 5
MOST_ENTRIES_SEARCHED = 5_000
"""The number of latest entries in which recent admins are looked for."""

P = ParamSpec("P")
Result = TypeVar("Result")

_recent = (
    select(audit.c.at, audit.c.actor, audit.c.action, audit.c.detail)
    .where(audit.c.workspace_id == bindparam("of_workspace"))
    .order_by(audit.c.id.desc())
    .limit(bindparam("most"))
)


def record(connection: Connection, workspace_id: str, entry: AuditEntry) -> None:
    connection.execute(insert(audit).values(workspace_id=workspace_id, **vars(entry)))


def recorded(
    connection: Connection,
    workspace_id: str,
    entry: AuditEntry,
    act: Callable[Concatenate[Connection, str, P], Result],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> Result:
    """Call `act(connection, workspace_id, …)`, and record the entry unless it returns False for no change."""
    result = act(connection, workspace_id, *args, **kwargs)
    if result is not False:
        record(connection, workspace_id, entry)
    return result


def recent(connection: Connection, workspace_id: str, most: int = 100) -> list[AuditEntry]:
    """Return the latest entries, newest first."""
    return [AuditEntry(*row) for row in connection.execute(_recent, {"of_workspace": workspace_id, "most": most})]


def recent_admins(connection: Connection, workspace_id: str) -> list[str]:
    """Return the Slack users who changed a setting recently, latest first. They may no longer be admins."""
    entries = select(audit.c.id, audit.c.actor).where(audit.c.workspace_id == workspace_id)
    latest = entries.order_by(audit.c.id.desc()).limit(MOST_ENTRIES_SEARCHED).subquery()
    people = (
        select(latest.c.actor)
        .where(latest.c.actor.like("U%") | latest.c.actor.like("W%"))
        .group_by(latest.c.actor)
        .order_by(func.max(latest.c.id).desc())
        .limit(MOST_RECENT_ADMINS)
    )
    return list(connection.execute(people).scalars())
