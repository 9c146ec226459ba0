"""Keys of senders: one current key of each kind, and rotated ones until they expire."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, insert, select, update

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
    connection: Connection, workspace_id: str, kind: str, secret: str, made_by: str, now: int, *, grace_ms: int
) -> None:
    """Add a key. Earlier ones expire after `grace_ms` at the latest, and expired ones are deleted."""
    same = (intake_keys.c.workspace_id == workspace_id) & (intake_keys.c.kind == kind)
    # Locked, so that if two admins rotate at the same time, the second one sees the first one's key.
    connection.execute(select(workspaces.c.id).where(workspaces.c.id == workspace_id).with_for_update())
    connection.execute(delete(intake_keys).where(same, intake_keys.c.expires_at <= now))
    until = now + grace_ms
    longer = intake_keys.c.expires_at.is_(None) | (intake_keys.c.expires_at > until)
    connection.execute(update(intake_keys).where(same, longer).values(expires_at=until))
    connection.execute(
        insert(intake_keys).values(workspace_id=workspace_id, kind=kind, secret=secret, made_at=now, made_by=made_by)
    )
