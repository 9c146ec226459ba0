"""The audit log: who changed what, and when. Entries are only added."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, insert, select

from domain.audit import AuditEntry
from store.schema import audit

_recent = (
    select(audit.c.at, audit.c.actor, audit.c.action, audit.c.detail)
    .where(audit.c.workspace_id == bindparam("of_workspace"))
    .order_by(audit.c.id.desc())
    .limit(bindparam("most"))
)


def record(connection: Connection, workspace_id: str, entry: AuditEntry) -> None:
    connection.execute(insert(audit).values(workspace_id=workspace_id, **vars(entry)))


def recent(connection: Connection, workspace_id: str, most: int = 100) -> list[AuditEntry]:
    """Return the latest entries, newest first."""
    return [AuditEntry(*row) for row in connection.execute(_recent, {"of_workspace": workspace_id, "most": most})]
