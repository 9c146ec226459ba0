"""Uninstalled apps and revoked tokens: the stored tokens are deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slack_bolt.async_app import AsyncApp, AsyncBoltContext
from slack_bolt.request.async_request import AsyncBoltRequest
from sqlalchemy import Connection

from domain.audit import SLACK, AuditEntry
from store import audit
from store.database import Database
from store.slack import installations, seen_events, workspaces


def register(app: AsyncApp) -> None:
    app.event("app_uninstalled")(leave_workspace)
    app.event("tokens_revoked")(lose_tokens)


async def leave_workspace(
    body: dict[str, Any],
    context: AsyncBoltContext,
    request: AsyncBoltRequest,
    database: Database,
    now: Callable[[], int],
) -> None:
    """
    Delete the workspace's tokens. tokens_revoked may arrive before or after app_uninstalled, or alone.

    https://docs.slack.dev/reference/events/app_uninstalled
    """
    ids = [context.enterprise_id] if context.is_enterprise_install else [context.team_id, context.enterprise_id]
    is_repeated = "x-slack-retry-num" in request.headers and "event_time" in body
    workspace_id = await database.run(_find_workspace_id, ids, body["event_time"] * 1000 if is_repeated else None)
    if workspace_id is not None:
        because = body["event"]["type"]
        await database.run(seen_events.once, body.get("event_id"), now(), _leave, workspace_id, now(), because)


async def lose_tokens(
    event: dict[str, Any],
    body: dict[str, Any],
    context: AsyncBoltContext,
    request: AsyncBoltRequest,
    database: Database,
    now: Callable[[], int],
) -> None:
    """
    Handle a revoked bot token like an uninstallation.

    The event lists user ids under `oauth` and `bot`: https://docs.slack.dev/reference/events/tokens_revoked
    """
    if event.get("tokens", {}).get("bot"):
        await leave_workspace(body, context, request, database, now)


def _find_workspace_id(connection: Connection, ids: list[str | None], happened_at: int | None) -> str | None:
    """
    Return the workspace that an event is about: the team if it is stored, otherwise its organization.

    `happened_at`, in milliseconds, is set for a repeated event, which may be older than the current installation.
    """
    for workspace_id in filter(None, ids):
        workspace = workspaces.find(connection, workspace_id)
        if workspace is not None:
            return None if happened_at is not None and happened_at < workspace.installed_at else workspace_id
    return None


def _leave(connection: Connection, workspace_id: str, now: int, because: str) -> None:
    installations.delete_tokens(connection, workspace_id)
    if workspaces.mark_gone(connection, workspace_id, now, because):
        audit.record(connection, workspace_id, AuditEntry(now, SLACK, "uninstalled", ""))
