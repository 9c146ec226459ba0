"""Organizations with an org-wide installation, and the workspaces to which the app was added there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from domain.audit import SLACK, AuditEntry
from domain.workspace import Workspace
from store import audit
from store.messages import notices
from store.schema import deliveries
from store.schema import notices as notices_table
from store.schema import workspaces as workspaces_table
from store.slack import workspaces
from store.slack.sdk_stores import installations


@dataclass(frozen=True)
class Team:
    """A workspace in Slack's list of those to which the app was added. `name` None means that it is not known."""

    id: str
    name: str | None = None


@dataclass(frozen=True)
class _Organization:
    enterprise_id: str
    user_id: str | None
    bot_user_id: str | None
    scopes: str


@dataclass(frozen=True)
class Clues:
    """
    What a request says of the workspace that it belongs to, in an organization.

    `workspace_id` is what the app itself wrote into the view or button, `delivery_id` that of the message's button.
    `message` is the channel and timestamp of a message. `team_ids` are the workspaces that Slack names, best first.
    """

    workspace_id: str | None = None
    delivery_id: int | None = None
    message: tuple[str, str] | None = None
    team_ids: tuple[str, ...] = ()


def find_workspace(connection: Connection, enterprise_id: str, clues: Clues) -> str | None:
    """
    Return the workspace that a request of this organization belongs to, None if it does not have the app.

    A member may belong to several workspaces, and Slack names the same one whichever they act in. So what the app
    itself has written comes first.
    """
    own: list[Workspace | None] = [workspaces.find(connection, clues.workspace_id)] if clues.workspace_id else []
    if clues.delivery_id:
        carried = select(deliveries.c.workspace_id).where(deliveries.c.id == clues.delivery_id)
        own += [workspaces.find(connection, id_) for id_ in connection.execute(carried).scalars()]
    if clues.message:
        channel, ts = clues.message
        organizations_workspaces = [workspace.id for workspace in workspaces.of_organization(connection, enterprise_id)]
        is_message = (notices_table.c.channel == channel) & (notices_table.c.ts == ts)
        sent = select(notices_table.c.workspace_id).where(
            notices_table.c.workspace_id.in_(organizations_workspaces), is_message
        )
        own += [workspaces.find(connection, id_) for id_ in connection.execute(sent).scalars()]
    named = [workspaces.find_team(connection, team_id) for team_id in clues.team_ids]
    for workspace in filter(None, [*own, *named]):
        if workspace.is_active and workspace.enterprise_id == enterprise_id:
            return workspace.id
    old = workspaces.find(connection, enterprise_id)
    return old.id if old and old.is_active and old.slack_team.id is None else None


def installed(connection: Connection, client_id: str) -> list[str]:
    """Return the ids of the organizations with an org-wide installation of this Slack app."""
    c = installations.c
    ids = select(c.enterprise_id).distinct().order_by(c.enterprise_id)
    org_wide = (c.client_id == client_id) & c.team_id.is_(None) & c.enterprise_id.is_not(None)
    return list(connection.execute(ids.where(org_wide)).scalars())


def reinstall(connection: Connection, enterprise_id: str, now: int) -> None:
    """Store a new org-wide installation in the workspaces that use the organization's token already."""
    organization = _find(connection, enterprise_id)
    for workspace in workspaces.of_organization(connection, enterprise_id):
        if organization and workspace.is_active:
            _install(connection, organization, workspace.id, workspace.name, now, is_new=False)


def grant(connection: Connection, enterprise_id: str, teams: Iterable[Team], now: int, as_of: int) -> None:
    """
    Store that the app was added to these workspaces, according to what Slack said at `as_of`.

    A workspace that already has the app stays as it is, even if it has an installation of its own. One that had it
    before gets its preferences back.
    """
    organization = _find(connection, enterprise_id)
    if organization is None:
        return
    for team in teams:
        workspace = workspaces.find_team(connection, team.id)
        if workspace is None or not workspace.is_active:
            if workspace and (workspace.gone_at or 0) > as_of:
                continue
            name = team.name or (workspace.name if workspace else team.id)
            is_new = workspace is None or not workspace.may_come_back
            _install(connection, organization, workspace.id if workspace else team.id, name, now, is_new=is_new)
        elif team.name and team.name != workspace.name:
            of_workspace = workspaces_table.c.id == workspace.id
            connection.execute(update(workspaces_table).where(of_workspace).values(name=team.name))


def revoke(connection: Connection, enterprise_id: str, team_ids: Iterable[str], now: int) -> None:
    """Store that the app was removed from these workspaces. Their data is kept, and the organization stays."""
    revoked = set(team_ids)
    for workspace in workspaces.of_organization(connection, enterprise_id):
        if workspace.slack_team.id in revoked:
            _leave(connection, workspace, now, "team_access_revoked")


def keep_only(connection: Connection, enterprise_id: str, team_ids: Iterable[str], now: int, as_of: int) -> None:
    """Store that the app was removed from all other workspaces, according to what Slack said at `as_of`."""
    kept = set(team_ids)
    for workspace in workspaces.of_organization(connection, enterprise_id):
        team_id = workspace.slack_team.id
        if team_id is not None and team_id not in kept and workspace.installed_at < as_of:
            _leave(connection, workspace, now, "team_access_revoked")


def uninstall(connection: Connection, enterprise_id: str, now: int, because: str) -> None:
    """Stop all workspaces that use the organization's token. `because` is one of SURE_SIGNS."""
    for workspace in workspaces.of_organization(connection, enterprise_id):
        _leave(connection, workspace, now, because)


def stand_for(connection: Connection, enterprise_id: str, team_id: str) -> None:
    """Let what an earlier version stored for the whole organization belong to this workspace from now on."""
    is_unknown = (workspaces_table.c.id == enterprise_id) & workspaces_table.c.team_id.is_(None)
    connection.execute(update(workspaces_table).where(is_unknown).values(team_id=team_id))


def _find(connection: Connection, enterprise_id: str) -> _Organization | None:
    c = installations.c
    newest = (
        select(c.enterprise_id, c.user_id, c.bot_user_id, c.bot_scopes)
        .where(c.team_id.is_(None), c.enterprise_id == enterprise_id)
        .order_by(c.installed_at.desc(), c.id.desc())
        .limit(1)
    )
    row = connection.execute(newest).one_or_none()
    if row is None:
        return None
    # With a bot token from the terminal, Slack does not say who installed the app.
    installer = row.user_id if row.user_id != row.bot_user_id else None
    return _Organization(row.enterprise_id, installer, row.bot_user_id, row.bot_scopes or "")


def _install(
    connection: Connection, organization: _Organization, workspace_id: str, name: str, now: int, *, is_new: bool
) -> None:
    workspaces.install(
        connection,
        workspaces.Installed(
            id=workspace_id,
            enterprise_id=organization.enterprise_id,
            is_enterprise_install=True,
            name=name,
            installer_user_id=organization.user_id,
            bot_user_id=organization.bot_user_id,
            scopes=organization.scopes,
            installed_at=now,
        ),
    )
    if organization.user_id:
        notices.add_welcome(connection, workspace_id, organization.user_id, now, is_new=is_new)
    audit.record(connection, workspace_id, AuditEntry(now, organization.user_id or SLACK, "installed", ""))


def _leave(connection: Connection, workspace: Workspace, now: int, because: str) -> None:
    if workspaces.mark_gone(connection, workspace.id, now, because):
        audit.record(connection, workspace.id, AuditEntry(now, SLACK, "uninstalled", ""))
