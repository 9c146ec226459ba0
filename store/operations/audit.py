"""Who changed what, and when: rows that are only added."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, insert, select

from store.schema import audit


@dataclass(frozen=True)
class Change:
    """One change. *actor* is a Slack user id, or one of those below; *at* in milliseconds."""

    at: int
    actor: str
    action: str
    detail: str


OPERATOR = "operator"
SLACK = "slack"
APP = "app"
"""Whoever is at the terminal; Slack, which told us; and we by ourselves."""

_recent = (
    select(audit.c.at, audit.c.actor, audit.c.action, audit.c.detail)
    .where(audit.c.workspace_id == bindparam("of_workspace"))
    .order_by(audit.c.id.desc())
    .limit(bindparam("most"))
)


def record(connection: Connection, workspace_id: str, change: Change) -> None:
    connection.execute(insert(audit).values(workspace_id=workspace_id, **vars(change)))


def recent(connection: Connection, workspace_id: str, most: int = 100) -> list[Change]:
    """The latest changes, newest first."""
    return [Change(*row) for row in connection.execute(_recent, {"of_workspace": workspace_id, "most": most})]
