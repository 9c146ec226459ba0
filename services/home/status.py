"""Reads the health figures of a workspace, for the slash command, the terminal and Home."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from domain.day_counts import DAY_MS
from domain.notification_hours import HeldBack
from domain.preferences import WORKSPACE_PREFERENCES
from services.home.home_state import REPORTED_DAYS, WorkspaceStatus
from services.salesforce.health import lines, source_line
from store.database import Database
from store.delivery import pauses
from store.home import counts, member_preferences
from store.messages import actions
from store.salesforce import connections
from store.salesforce import sources as salesforce_sources
from store.slack import workspaces


@dataclass(frozen=True)
class Status:
    """Everything is counted on demand, in the database alone."""

    database: Database
    now: Callable[[], int]

    async def waiting_for(self, workspace_id: str, user_id: str) -> HeldBack:
        """The deliveries that wait for this Slack user."""
        return await self.database.run(member_preferences.held_back, workspace_id, user_id, self.now())

    async def of(self, workspace_id: str) -> WorkspaceStatus | None:
        """Return None if there is no such workspace. Raises DatabaseUnavailableError."""
        return await self.database.read(read_status, workspace_id, self.now())


def read_status(connection: Connection, workspace_id: str, now: int) -> WorkspaceStatus | None:
    """Return None when there is no such workspace."""
    workspace = workspaces.find(connection, workspace_id)
    if workspace is None:
        return None
    failing = pauses.outages(connection, workspace_id)
    health = lines(connections.status_of(connection, workspace.id), workspace.salesforce_daily_calls, now, failing)
    sources = map(source_line, salesforce_sources.all_of(connection, workspace.id))
    totals = counts.totals(connection, now - DAY_MS, workspace_id)
    return WorkspaceStatus(
        at=now,
        workspace_id=workspace.id,
        workspace_name=workspace.name,
        is_active=workspace.is_active,
        default_channel_id=workspace.default_channel_id,
        default_channel_name=workspace.default_channel_name,
        default_channel_problem=workspace.default_channel_problem,
        slack_token_ends_at=workspace.token_ends_at,
        salesforce=(*health, *sources),
        last_accepted_at=counts.last_accepted_at(connection, workspace_id),
        last_day=totals.ended,
        waiting=totals.waiting,
        waiting_since=totals.waiting_since,
        failed=totals.failed,
        reported=actions.count_reports(connection, workspace_id, now - REPORTED_DAYS * DAY_MS),
        outages=failing,
        preferences={row.name: getattr(workspace, row.name) for row in WORKSPACE_PREFERENCES},
    )
