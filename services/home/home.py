"""Reads what the Home tab shows one person: the state of the workspace, and its settings for admins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from domain.day_counts import DAY_MS
from services.home.home_state import HomeState, Overview, OwnershipState
from services.home.member_home import MemberHomes
from services.home.status import Status
from services.intake.keys import IntakeKeys
from services.operations.day_counts import DAYS_COUNTED, DayCounts
from services.salesforce.sessions import SalesforceSessions
from services.slack.directory import Directory
from store.database import Database
from store.home import counts
from store.ownership import owners
from store.ownership import rule_sets as ownership
from store.slack import workspaces

MOST_RECIPIENTS = 10


@dataclass(frozen=True)
class Home:
    """A constant number of statements, each answered by an index, however large the workspace is."""

    database: Database
    directory: Directory
    salesforce_sessions: SalesforceSessions
    intake_keys: IntakeKeys
    member_homes: MemberHomes
    public_url: str
    retention_days: int
    now: Callable[[], int]

    async def read(self, workspace_id: str, user_id: str) -> HomeState | None:
        """None when the app is not installed in this workspace."""
        workspace = await self.database.run(workspaces.find, workspace_id)
        if workspace is None or not workspace.is_active:
            return None
        is_admin = await self.directory.sees_admin_home(workspace_id, user_id)
        return HomeState(
            workspace=workspace,
            is_admin=is_admin,
            waiting=await self.database.run(workspaces.waiting_for_default_channel, workspace_id),
            salesforce=await self.salesforce_sessions.connection_of(workspace_id),
            keys=tuple(await self.intake_keys.list(workspace_id)) if is_admin else (),
            intake_url=self.intake_url(workspace_id),
            shown_at=self.now(),
            ownership=await self.database.run(_ownership, workspace_id, is_admin=is_admin),
            overview=await self.overview(workspace_id) if is_admin else None,
            retention_days=self.retention_days,
            member=await self.member_homes.read(workspace_id, user_id),
        )

    async def overview(self, workspace_id: str) -> Overview | None:
        """None when there is no such workspace."""
        status = await Status(self.database, self.now).of(workspace_id)
        if status is None:
            return None
        since = self.now() - DAYS_COUNTED * DAY_MS
        return Overview(
            status=status,
            day_counts=await DayCounts(self.database, self.now).for_workspace(workspace_id),
            top_recipients=await self.database.run(counts.top_recipients, workspace_id, since, MOST_RECIPIENTS),
        )

    def intake_url(self, workspace_id: str) -> str:
        """Where senders post the job changes of this workspace."""
        return f"{self.public_url}/v1/workspaces/{workspace_id}/job-changes"


def _ownership(connection: Connection, workspace_id: str, *, is_admin: bool) -> OwnershipState:
    published = ownership.in_force(connection, workspace_id)
    return OwnershipState(
        version=published.version if published else 0,
        published_by=published.published_by if published else None,
        has_draft=ownership.draft(connection, workspace_id) is not None,
        unmatched=len(owners.unmatched(connection, workspace_id)) if is_admin else 0,
    )
