"""Events that add or remove the app: uninstallations, revoked tokens, and workspaces of organizations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slack_bolt.async_app import AsyncApp, AsyncBoltContext
from sqlalchemy import Connection

from domain.audit import SLACK, AuditEntry
from services.slack.organizations import Organizations
from store import audit
from store.slack import installations, organizations, workspaces
from store.slack.organizations import Team
from store.slack.seen_events import Once

EVENTS = frozenset({"app_uninstalled", "tokens_revoked", "team_access_granted", "team_access_revoked"})
"""Events that may be about an organization and none of its workspaces."""


def register(app: AsyncApp) -> None:
    app.event("app_uninstalled")(leave)
    app.event("tokens_revoked")(lose_tokens)
    app.event("team_access_granted")(join_workspaces)
    app.event("team_access_revoked")(leave_workspaces)


async def leave(
    body: dict[str, Any],
    context: AsyncBoltContext,
    once: Once,
    now: Callable[[], int],
) -> None:
    """
    Delete the tokens of the workspace or organization. tokens_revoked may arrive before or after, or alone.

    Slack may deliver an event late, and the app may have been installed again since: then nothing is deleted.

    An event that names a workspace never ends the installation of its organization, unless Slack says that it is
    about that one. https://docs.slack.dev/reference/events/app_uninstalled
    """
    is_organization = context.is_enterprise_install or context.team_id in {None, context.enterprise_id}
    installed_in = context.enterprise_id if is_organization else context.team_id
    if installed_in is None:
        return
    event_time = body.get("event_time")  # whole seconds
    happened_at = event_time * 1_000 + 999 if isinstance(event_time, int) else None
    leave_it, because = _leave_organization if is_organization else _leave_workspace, body["event"]["type"]
    await once(leave_it, installed_in, now(), because, happened_at)


async def lose_tokens(
    event: dict[str, Any],
    body: dict[str, Any],
    context: AsyncBoltContext,
    once: Once,
    now: Callable[[], int],
) -> None:
    """
    Handle a revoked bot token like an uninstallation.

    The event lists user ids under `oauth` and `bot`: https://docs.slack.dev/reference/events/tokens_revoked
    """
    if event.get("tokens", {}).get("bot"):
        await leave(body, context, once, now)


async def join_workspaces(
    event: dict[str, Any],
    context: AsyncBoltContext,
    once: Once,
    slack_organizations: Organizations,
    now: Callable[[], int],
) -> None:
    """
    Add workspaces to which an org-wide installation was added. The event holds ids only, so Slack is asked for names.

    https://docs.slack.dev/reference/events/team_access_granted
    """
    enterprise_id = context.enterprise_id
    if enterprise_id is not None:
        teams, at = [Team(team_id) for team_id in _team_ids(event)], now()
        await once(organizations.grant, enterprise_id, teams, at, at)
        await slack_organizations.try_sync(enterprise_id)


async def leave_workspaces(
    event: dict[str, Any], context: AsyncBoltContext, once: Once, now: Callable[[], int]
) -> None:
    """https://docs.slack.dev/reference/events/team_access_revoked"""
    if context.enterprise_id is not None:
        await once(organizations.revoke, context.enterprise_id, _team_ids(event), now())


def _team_ids(event: dict[str, Any]) -> list[str]:
    team_ids = event.get("team_ids")
    return [team_id for team_id in team_ids if isinstance(team_id, str)] if isinstance(team_ids, list) else []


def _leave_workspace(connection: Connection, team_id: str, now: int, because: str, happened_at: int | None) -> None:
    """`happened_at` is in milliseconds; None if unknown. A late event may be older than the installation."""
    workspace = workspaces.find_team(connection, team_id)
    if workspace is None or (happened_at is not None and happened_at < workspace.installed_at):
        return
    if workspaces.mark_gone(connection, workspace.id, now, because):
        audit.record(connection, workspace.id, AuditEntry(now, SLACK, "uninstalled", ""))
    installations.delete_tokens(connection, workspace.id)


def _leave_organization(
    connection: Connection, enterprise_id: str, now: int, because: str, happened_at: int | None
) -> None:
    users = workspaces.of_organization(connection, enterprise_id)
    if happened_at is not None and any(user.is_active and happened_at < user.installed_at for user in users):
        return
    organizations.uninstall(connection, enterprise_id, now, because)
    installations.delete_tokens(connection, enterprise_id)
