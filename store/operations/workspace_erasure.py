"""Erasing a workspace and all of its data, for the operator or long after it uninstalled the app."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, delete, exists, select, update

from domain.audit import APP, OPERATOR, AuditEntry
from domain.states import WorkspaceState
from domain.workspace import SURE_SIGNS
from store import audit
from store.schema import audit as audit_table
from store.schema import job_changes, lanes, posts, turns, workspaces
from store.slack import installations
from store.slack.sdk_stores import bots


def close(connection: Connection, workspace_id: str, now: int) -> bool:
    """Stop all work for a workspace and delete its tokens. Return False if it does not exist."""
    existing = connection.execute(select(workspaces.c.id).where(workspaces.c.id == workspace_id)).one_or_none()
    if existing is None:
        return False
    values = {"state": WorkspaceState.GONE, "gone_at": now, "gone_because": "erased"}
    connection.execute(update(workspaces).where(workspaces.c.id == workspace_id).values(values))
    installations.delete_tokens(connection, workspace_id)
    return True


def is_idle(connection: Connection, workspace_id: str, now: int) -> bool:
    """Whether no process is working on this workspace any more."""
    turn = select(turns.c.half).where(turns.c.workspace_id == workspace_id, turns.c.lease_until > now)
    lane = select(lanes.c.id).where(
        lanes.c.workspace_id == workspace_id, lanes.c.lease.is_not(None), lanes.c.due_at > now
    )
    return not any(connection.execute(lease.limit(1)).one_or_none() for lease in (turn, lane))


def erase_some(connection: Connection, workspace_id: str, most: int) -> int:
    """Delete at most `most` job changes with everything that belongs to them, and return how many were deleted."""
    batch = select(job_changes.c.id).where(job_changes.c.workspace_id == workspace_id).limit(most)
    ids = list(connection.execute(batch).scalars())
    connection.execute(delete(job_changes).where(job_changes.c.id.in_(ids)))
    return len(ids)


def erase_some_posts(connection: Connection, workspace_id: str, most: int) -> int:
    """Delete at most `most` posts after the job changes, and return how many were deleted."""
    batch = select(posts.c.id).where(posts.c.workspace_id == workspace_id).limit(most)
    ids = list(connection.execute(batch).scalars())
    connection.execute(delete(posts).where(posts.c.id.in_(ids)))
    return len(ids)


def erase_rest(connection: Connection, workspace_id: str, now: int, actor: str = OPERATOR) -> None:
    """Delete everything else after job changes and posts, and record the erasure in the audit log."""
    installations.delete_tokens(connection, workspace_id)
    connection.execute(delete(posts).where(posts.c.workspace_id == workspace_id))
    connection.execute(delete(lanes).where(lanes.c.workspace_id == workspace_id))
    connection.execute(delete(workspaces).where(workspaces.c.id == workspace_id))
    connection.execute(delete(audit_table).where(audit_table.c.workspace_id == workspace_id))
    audit.record(connection, workspace_id, AuditEntry(now, actor, "erased the workspace", ""))


# Versions that did not store why a workspace is gone deleted its tokens only when it had uninstalled the app.
_has_token = exists().where(
    (bots.c.team_id == workspaces.c.id) | (bots.c.team_id.is_(None) & (bots.c.enterprise_id == workspaces.c.id))
)
_long_gone = (
    select(workspaces.c.id)
    .where(
        workspaces.c.state == WorkspaceState.GONE,
        workspaces.c.gone_at < bindparam("before"),
        workspaces.c.gone_because.in_(sorted(SURE_SIGNS)) | (workspaces.c.gone_because.is_(None) & ~_has_token),
    )
    .order_by(workspaces.c.gone_at)
    .limit(1)
    .with_for_update(skip_locked=True)
)


def erase_long_gone(connection: Connection, before: int, now: int, most: int) -> bool:
    """
    Delete `most` job changes or posts of one workspace that is gone since before this time, or the rest of it.

    A workspace whose token Slack only rejects is kept. Return False if there is none to erase. An installation at the
    same moment waits, and keeps what is left.
    """
    workspace_id = connection.execute(_long_gone, {"before": before}).scalar_one_or_none()
    if workspace_id is None:
        return False
    if not (erase_some(connection, workspace_id, most) or erase_some_posts(connection, workspace_id, most)):
        erase_rest(connection, workspace_id, now, APP)
    return True
