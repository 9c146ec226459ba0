"""Forgetting a workspace with all it had: at the operator's word, or when it is long gone."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, delete, select, update

from domain.audit import APP, OPERATOR, AuditEntry
from domain.states import WorkspaceState
from store import audit
from store.schema import audit as audit_table
from store.schema import job_changes, lanes, posts, turns, workspaces
from store.slack import installations


def close(connection: Connection, workspace_id: str, now: int) -> bool:
    """Nothing is accepted, routed or posted for it any more, and its tokens are gone; False: there is no such one."""
    known = connection.execute(select(workspaces.c.id).where(workspaces.c.id == workspace_id)).one_or_none()
    if known is None:
        return False
    values = {"state": WorkspaceState.GONE, "gone_at": now}
    connection.execute(update(workspaces).where(workspaces.c.id == workspace_id).values(values))
    installations.delete_tokens(connection, workspace_id)
    return True


def is_idle(connection: Connection, workspace_id: str, now: int) -> bool:
    """Whether nobody has anything of it in hand any more."""
    turn = select(turns.c.half).where(turns.c.workspace_id == workspace_id, turns.c.lease_until > now)
    lane = select(lanes.c.id).where(
        lanes.c.workspace_id == workspace_id, lanes.c.lease.is_not(None), lanes.c.due_at > now
    )
    return not any(connection.execute(held.limit(1)).one_or_none() for held in (turn, lane))


def erase_some(connection: Connection, workspace_id: str, most: int) -> int:
    """Delete that many of its job changes, with all that hangs on them; how many there were."""
    some = select(job_changes.c.id).where(job_changes.c.workspace_id == workspace_id).limit(most)
    ids = list(connection.execute(some).scalars())
    connection.execute(delete(job_changes).where(job_changes.c.id.in_(ids)))
    return len(ids)


def erase_some_posts(connection: Connection, workspace_id: str, most: int) -> int:
    """Its job changes are deleted: delete that many of the messages that told of them; how many there were."""
    some = select(posts.c.id).where(posts.c.workspace_id == workspace_id).limit(most)
    ids = list(connection.execute(some).scalars())
    connection.execute(delete(posts).where(posts.c.id.in_(ids)))
    return len(ids)


def erase_rest(connection: Connection, workspace_id: str, now: int, actor: str = OPERATOR) -> None:
    """Its job changes and posts are deleted: delete all else, and leave a line that says so."""
    installations.delete_tokens(connection, workspace_id)
    connection.execute(delete(posts).where(posts.c.workspace_id == workspace_id))
    connection.execute(delete(lanes).where(lanes.c.workspace_id == workspace_id))
    connection.execute(delete(workspaces).where(workspaces.c.id == workspace_id))
    connection.execute(delete(audit_table).where(audit_table.c.workspace_id == workspace_id))
    audit.record(connection, workspace_id, AuditEntry(now, actor, "erased the workspace", ""))


_long_gone = (
    select(workspaces.c.id)
    .where(workspaces.c.state == WorkspaceState.GONE, workspaces.c.gone_at < bindparam("before"))
    .order_by(workspaces.c.gone_at)
    .limit(1)
    .with_for_update(skip_locked=True)
)


def erase_long_gone(connection: Connection, before: int, now: int, most: int) -> bool:
    """
    Delete a workspace that is gone since before then: *most* of its job changes or posts at a time, and then the rest.

    False: there is none. Whoever installs it meanwhile waits for us, and then keeps what is left.
    """
    workspace_id = connection.execute(_long_gone, {"before": before}).scalar_one_or_none()
    if workspace_id is None:
        return False
    if not (erase_some(connection, workspace_id, most) or erase_some_posts(connection, workspace_id, most)):
        erase_rest(connection, workspace_id, now, APP)
    return True
