"""Ownership rules as rows: what is in force, what is being drafted, and who changed what and when."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from store.operations import audit
from store.operations.audit import Change
from store.schema import audit as audit_table
from store.schema import ownership_drafts, ownership_rules, workspaces

ACTION = "ownership"
"""What the actions of the history begin with."""


@dataclass(frozen=True)
class Published:
    """A rule set that is or was in force. *rules* as JSON; *published_by* a Slack user id or audit.OPERATOR."""

    version: int
    rules: str = field(repr=False)
    published_at: int
    published_by: str
    note: str


@dataclass(frozen=True)
class Draft:
    """What is being changed. *revision* grows with each change; *based_on*: the version it started from."""

    revision: int
    based_on: int
    rules: str = field(repr=False)
    changed_at: int
    changed_by: str


@dataclass(frozen=True)
class Seen:
    """
    How the rules stood when somebody saw them. *revision* and *changed_at* 0: there was no draft.

    Nobody overwrites what they have not seen: neither a draft, nor the version that theirs would start from.
    """

    version: int
    revision: int = 0
    changed_at: int = 0


_published_columns = (
    ownership_rules.c.version,
    ownership_rules.c.rules,
    ownership_rules.c.published_at,
    ownership_rules.c.published_by,
    ownership_rules.c.note,
)


def in_force(connection: Connection, workspace_id: str) -> Published | None:
    """The rule set by which job changes are routed; None: only the catch-all is there."""
    mine = select(*_published_columns).where(ownership_rules.c.workspace_id == workspace_id)
    row = connection.execute(mine.order_by(ownership_rules.c.version.desc()).limit(1)).one_or_none()
    return Published(*row) if row else None


_version_in_force = select(func.max(ownership_rules.c.version)).where(
    ownership_rules.c.workspace_id == bindparam("of_workspace")
)


def version_in_force(connection: Connection, workspace_id: str) -> int:
    """0: none was published."""
    return connection.execute(_version_in_force, {"of_workspace": workspace_id}).scalar_one() or 0


def versions(connection: Connection, workspace_id: str, most: int = 50) -> list[Published]:
    """The newest first."""
    mine = select(*_published_columns).where(ownership_rules.c.workspace_id == workspace_id)
    rows = connection.execute(mine.order_by(ownership_rules.c.version.desc()).limit(most))
    return [Published(*row) for row in rows]


def version(connection: Connection, workspace_id: str, number: int) -> Published | None:
    """As it was published, also if newer ones are in force; None: there is none of this number."""
    mine = (ownership_rules.c.workspace_id == workspace_id) & (ownership_rules.c.version == number)
    row = connection.execute(select(*_published_columns).where(mine)).one_or_none()
    return Published(*row) if row else None


def publish(
    connection: Connection, workspace_id: str, rules: str, seen_version: int | None, change: Change
) -> int | None:
    """
    Put a rule set in force and drop the draft; its version.

    None, and nothing stored: somebody published since *seen_version* (which None does not ask), or there is no such
    workspace.
    """
    if not _locked(connection, workspace_id):
        return None
    newest = version_in_force(connection, workspace_id)
    if seen_version not in {None, newest}:
        return None
    return _publish(connection, workspace_id, rules, newest + 1, change)


def publish_draft(connection: Connection, workspace_id: str, seen: Seen, change: Change) -> int | None:
    """The same with the draft, if all stands as *seen*."""
    if not _locked(connection, workspace_id) or _standing(connection, workspace_id) != seen:
        return None
    drafted = draft(connection, workspace_id)
    return _publish(connection, workspace_id, drafted.rules, seen.version + 1, change) if drafted else None


def _publish(connection: Connection, workspace_id: str, rules: str, version: int, change: Change) -> int:
    values = {
        "workspace_id": workspace_id,
        "version": version,
        "rules": rules,
        "published_at": change.at,
        "published_by": change.actor,
        "note": change.detail,
    }
    connection.execute(insert(ownership_rules).values(values))
    connection.execute(delete(ownership_drafts).where(ownership_drafts.c.workspace_id == workspace_id))
    audit.record(connection, workspace_id, change)
    return version


def draft(connection: Connection, workspace_id: str) -> Draft | None:
    """What is being changed and not in force yet; None: nothing is."""
    columns = (ownership_drafts.c[name] for name in Draft.__dataclass_fields__)
    row = connection.execute(select(*columns).where(ownership_drafts.c.workspace_id == workspace_id)).one_or_none()
    return Draft(*row) if row else None


def save_draft(connection: Connection, workspace_id: str, rules: str, seen: Seen | None, change: Change) -> int | None:
    """
    Store the draft; its new revision. *seen* None: whatever is there is overwritten.

    None, and nothing stored: somebody changed or published it since, or there is no such workspace.
    """
    if not _locked(connection, workspace_id):
        return None
    if seen not in {None, _standing(connection, workspace_id)}:
        return None
    known = draft(connection, workspace_id)
    revision = known.revision if known else 0
    values = {"rules": rules, "revision": revision + 1, "changed_at": change.at, "changed_by": change.actor}
    if known:
        connection.execute(
            update(ownership_drafts).where(ownership_drafts.c.workspace_id == workspace_id).values(values)
        )
    else:
        based_on = version_in_force(connection, workspace_id)
        connection.execute(insert(ownership_drafts).values(workspace_id=workspace_id, based_on=based_on, **values))
    audit.record(connection, workspace_id, change)
    return revision + 1


def drop_draft(connection: Connection, workspace_id: str, seen: Seen, change: Change) -> bool:
    """False: there was none, or not as *seen*."""
    if not _locked(connection, workspace_id) or _standing(connection, workspace_id) != seen:
        return False
    dropped = connection.execute(delete(ownership_drafts).where(ownership_drafts.c.workspace_id == workspace_id))
    if dropped.rowcount:
        audit.record(connection, workspace_id, change)
    return bool(dropped.rowcount)


def history(connection: Connection, workspace_id: str, most: int = 100) -> list[Change]:
    """Who changed what about ownership and when, newest first."""
    columns = (audit_table.c.at, audit_table.c.actor, audit_table.c.action, audit_table.c.detail)
    mine = (audit_table.c.workspace_id == workspace_id) & audit_table.c.action.startswith(ACTION)
    rows = connection.execute(select(*columns).where(mine).order_by(audit_table.c.id.desc()).limit(most))
    return [Change(*row) for row in rows]


def _standing(connection: Connection, workspace_id: str) -> Seen:
    version, drafted = version_in_force(connection, workspace_id), draft(connection, workspace_id)
    return Seen(version, drafted.revision, drafted.changed_at) if drafted else Seen(version)


def _locked(connection: Connection, workspace_id: str) -> bool:
    """Two who publish or save at once follow one another; False: there is no such workspace."""
    mine = select(workspaces.c.id).where(workspaces.c.id == workspace_id).with_for_update()
    return connection.execute(mine).one_or_none() is not None
