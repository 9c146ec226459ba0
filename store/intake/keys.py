"""Keys: one current key of each kind for all senders, one for each sender, and rotated ones until they expire."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, bindparam, delete, insert, select, true, update

from domain.workspace import StoredKey
from store.schema import intake_keys, workspaces
from store.slack.workspaces import takes_job_changes


@dataclass(frozen=True)
class WorkspaceKeys:
    """The keys of a workspace, newest first, and whether it takes job changes."""

    takes_job_changes: bool
    keys: tuple[StoredKey, ...]


_COLUMNS = [intake_keys.c[name] for name in StoredKey.__dataclass_fields__]
_keys_of_workspaces = (
    select(workspaces.c.id.label("of_workspace"), takes_job_changes.label("takes"), *_COLUMNS)
    .outerjoin(intake_keys, intake_keys.c.workspace_id == workspaces.c.id)
    .where(workspaces.c.id.in_(bindparam("workspace_ids", expanding=True)))
    .order_by(intake_keys.c.id.desc())
)
_of_workspace = (
    select(*_COLUMNS).where(intake_keys.c.workspace_id == bindparam("of_workspace")).order_by(intake_keys.c.id.desc())
)


def keys_of_workspaces(connection: Connection, workspace_ids: Sequence[str]) -> list[WorkspaceKeys | None]:
    """Return the keys for each id in order; None means that there is no such workspace."""
    keys_by_workspace: dict[str, WorkspaceKeys] = {}
    rows = connection.execute(_keys_of_workspaces, {"workspace_ids": list(set(workspace_ids))})
    for workspace_id, takes, *columns in rows:
        earlier = keys_by_workspace[workspace_id].keys if workspace_id in keys_by_workspace else ()
        key = (StoredKey(*columns),) if columns[0] is not None else ()
        keys_by_workspace[workspace_id] = WorkspaceKeys(bool(takes), earlier + key)
    return [keys_by_workspace.get(workspace_id) for workspace_id in workspace_ids]


def of_workspace(connection: Connection, workspace_id: str) -> list[StoredKey]:
    """Return the keys of a workspace, newest first."""
    return [StoredKey(*row) for row in connection.execute(_of_workspace, {"of_workspace": workspace_id})]


def rotate(
    connection: Connection,
    workspace_id: str,
    kind: str,
    secret: str,
    made_by: str,
    now: int,
    *,
    grace_ms: int,
    sender: str | None = None,
) -> None:
    """
    Add a key. Earlier ones expire after `grace_ms` at the latest, and expired ones are deleted.

    Earlier ones are those of the same kind without a sender, or all keys of the sender.
    """
    same = _of(workspace_id, sender) & ((intake_keys.c.kind == kind) if sender is None else true())
    _lock(connection, workspace_id)
    connection.execute(delete(intake_keys).where(same, intake_keys.c.expires_at <= now))
    until = now + grace_ms
    longer = intake_keys.c.expires_at.is_(None) | (intake_keys.c.expires_at > until)
    connection.execute(update(intake_keys).where(same, longer).values(expires_at=until))
    key = {"workspace_id": workspace_id, "sender": sender, "kind": kind, "secret": secret}
    connection.execute(insert(intake_keys).values(key | {"made_at": now, "made_by": made_by}))


def revoke(connection: Connection, workspace_id: str, sender: str | None, kind: str | None = None) -> bool:
    """Delete all keys of a sender, or those of a kind without a sender. Return whether there were any."""
    revoked = _of(workspace_id, sender) & (true() if kind is None else intake_keys.c.kind == kind)
    _lock(connection, workspace_id)
    return bool(connection.execute(delete(intake_keys).where(revoked)).rowcount)


def _lock(connection: Connection, workspace_id: str) -> None:
    """If two admins rotate at the same time, the second one has to see the first one's key."""
    connection.execute(select(workspaces.c.id).where(workspaces.c.id == workspace_id).with_for_update())


def _of(workspace_id: str, sender: str | None) -> ColumnElement[bool]:
    of_sender = intake_keys.c.sender.is_(None) if sender is None else intake_keys.c.sender == sender
    return (intake_keys.c.workspace_id == workspace_id) & of_sender
