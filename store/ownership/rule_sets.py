"""Ownership rules as rows: published versions, the draft, and the history of changes."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from domain.audit import AuditEntry
from domain.rule_versions import ACTION, DraftRules, PublishedRules, SeenVersion
from store import audit
from store.schema import audit as audit_table
from store.schema import ownership_drafts, ownership_rules, workspaces

_published_columns = (
    ownership_rules.c.version,
    ownership_rules.c.rules,
    ownership_rules.c.published_at,
    ownership_rules.c.published_by,
    ownership_rules.c.note,
    ownership_rules.c.original_names,
)


def in_force(connection: Connection, workspace_id: str) -> PublishedRules | None:
    """The rule set that job changes are routed by. None means that only the catch-all applies."""
    published = select(*_published_columns).where(ownership_rules.c.workspace_id == workspace_id)
    row = connection.execute(published.order_by(ownership_rules.c.version.desc()).limit(1)).one_or_none()
    return PublishedRules(*row) if row else None


_version_in_force = select(func.max(ownership_rules.c.version)).where(
    ownership_rules.c.workspace_id == bindparam("of_workspace")
)


def version_in_force(connection: Connection, workspace_id: str) -> int:
    """Return the number of the published version in force, 0 if none was published."""
    return connection.execute(_version_in_force, {"of_workspace": workspace_id}).scalar_one() or 0


def versions(connection: Connection, workspace_id: str, most: int = 50) -> list[PublishedRules]:
    """The published versions, newest first."""
    published = select(*_published_columns).where(ownership_rules.c.workspace_id == workspace_id)
    rows = connection.execute(published.order_by(ownership_rules.c.version.desc()).limit(most))
    return [PublishedRules(*row) for row in rows]


def version(connection: Connection, workspace_id: str, number: int) -> PublishedRules | None:
    """A published version. None means that there is none with this number."""
    is_version = (ownership_rules.c.workspace_id == workspace_id) & (ownership_rules.c.version == number)
    row = connection.execute(select(*_published_columns).where(is_version)).one_or_none()
    return PublishedRules(*row) if row else None


def publish(
    connection: Connection,
    workspace_id: str,
    rules: str,
    seen_version: int | None,
    change: AuditEntry,
    original_names: str | None = None,
) -> int | None:
    """
    Publish a rule set and delete the draft. Returns the new version.

    Returns None and stores nothing if others were published since `seen_version` (None skips this check), or if there
    is no such workspace.
    """
    if not _locked(connection, workspace_id):
        return None
    newest = version_in_force(connection, workspace_id)
    if seen_version not in {None, newest}:
        return None
    return _publish(connection, workspace_id, rules, original_names, newest + 1, change)


def publish_draft(connection: Connection, workspace_id: str, seen: SeenVersion, change: AuditEntry) -> int | None:
    """Publish the draft, if the rules are still as `seen`. Returns None if they are not."""
    if not _locked(connection, workspace_id) or _current(connection, workspace_id) != seen:
        return None
    drafted = draft(connection, workspace_id)
    if drafted is None:
        return None
    return _publish(connection, workspace_id, drafted.rules, drafted.original_names, seen.version + 1, change)


def _publish(
    connection: Connection,
    workspace_id: str,
    rules: str,
    original_names: str | None,
    version: int,
    change: AuditEntry,
) -> int:
    values = {
        "workspace_id": workspace_id,
        "version": version,
        "rules": rules,
        "original_names": original_names,
        "published_at": change.at,
        "published_by": change.actor,
        "note": change.detail,
    }
    connection.execute(insert(ownership_rules).values(values))
    connection.execute(delete(ownership_drafts).where(ownership_drafts.c.workspace_id == workspace_id))
    audit.record(connection, workspace_id, change)
    return version


def draft(connection: Connection, workspace_id: str) -> DraftRules | None:
    """The draft. None means that there is none."""
    columns = (ownership_drafts.c[name] for name in DraftRules.__dataclass_fields__)
    row = connection.execute(select(*columns).where(ownership_drafts.c.workspace_id == workspace_id)).one_or_none()
    return DraftRules(*row) if row else None


def save_draft(
    connection: Connection,
    workspace_id: str,
    rules: str,
    seen: SeenVersion | None,
    change: AuditEntry,
    original_names: str | None = None,
) -> int | None:
    """
    Store the draft and return its new revision. `seen` None overwrites any draft.

    Returns None and stores nothing if the draft was changed or published since, or if there is no such workspace.
    """
    if not _locked(connection, workspace_id):
        return None
    if seen not in {None, _current(connection, workspace_id)}:
        return None
    existing = draft(connection, workspace_id)
    revision = existing.revision if existing else 0
    values = {"rules": rules, "original_names": original_names, "revision": revision + 1}
    values |= {"changed_at": change.at, "changed_by": change.actor}
    if existing:
        connection.execute(
            update(ownership_drafts).where(ownership_drafts.c.workspace_id == workspace_id).values(values)
        )
    else:
        based_on = version_in_force(connection, workspace_id)
        connection.execute(insert(ownership_drafts).values(workspace_id=workspace_id, based_on=based_on, **values))
    audit.record(connection, workspace_id, change)
    return revision + 1


def drop_draft(connection: Connection, workspace_id: str, seen: SeenVersion, change: AuditEntry) -> bool:
    """Delete the draft. Return False if there was none, or another one than `seen`."""
    if not _locked(connection, workspace_id) or _current(connection, workspace_id) != seen:
        return False
    dropped = connection.execute(delete(ownership_drafts).where(ownership_drafts.c.workspace_id == workspace_id))
    if dropped.rowcount:
        audit.record(connection, workspace_id, change)
    return bool(dropped.rowcount)


def history(connection: Connection, workspace_id: str, most: int = 100) -> list[AuditEntry]:
    """The audit entries of ownership, newest first."""
    columns = (audit_table.c.at, audit_table.c.actor, audit_table.c.action, audit_table.c.detail)
    about_ownership = (audit_table.c.workspace_id == workspace_id) & audit_table.c.action.startswith(ACTION)
    rows = connection.execute(select(*columns).where(about_ownership).order_by(audit_table.c.id.desc()).limit(most))
    return [AuditEntry(*row) for row in rows]


def _current(connection: Connection, workspace_id: str) -> SeenVersion:
    version, drafted = version_in_force(connection, workspace_id), draft(connection, workspace_id)
    return SeenVersion(version, drafted.revision, drafted.changed_at) if drafted else SeenVersion(version)


def _locked(connection: Connection, workspace_id: str) -> bool:
    """Lock the workspace, so that two admins cannot save at once. Returns False if there is no such workspace."""
    row = select(workspaces.c.id).where(workspaces.c.id == workspace_id).with_for_update()
    return connection.execute(row).one_or_none() is not None
