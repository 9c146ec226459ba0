"""What the Home tab tells one person: how the workspace stands right now, and whether they may change it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from services.home.home_state import HomeState, OwnershipState
from services.home.member_home import MyHome
from services.home.overview import Overviews
from services.intake.keys import IntakeKeys
from services.salesforce.sessions import SalesforceSessions
from services.slack.directory import Directory
from store.database import Database
from store.ownership import owners
from store.ownership import rule_sets as ownership
from store.slack import workspaces


@dataclass(frozen=True)
class Home:
    """Gathers what one person's Home shows."""

    database: Database
    directory: Directory
    salesforce_auth: SalesforceSessions
    intake_keys: IntakeKeys
    my_home: MyHome
    public_url: str
    retention_days: int
    now: Callable[[], int]

    async def read(self, workspace_id: str, user_id: str) -> HomeState | None:
        """None: the app is not installed there (any more)."""
        workspace = await self.database.run(workspaces.find, workspace_id)
        if workspace is None or not workspace.is_active:
            return None
        is_admin = await self.directory.is_admin(workspace_id, user_id)
        return HomeState(
            workspace=workspace,
            is_admin=is_admin,
            waiting=await self.database.run(workspaces.waiting_for_default_channel, workspace_id),
            salesforce=await self.salesforce_auth.connection_of(workspace_id),
            keys=tuple(await self.intake_keys.list(workspace_id)) if is_admin else (),
            intake_url=self.intake_url(workspace_id),
            shown_at=self.now(),
            ownership=await self.database.run(_ownership, workspace_id, is_admin=is_admin),
            overview=await Overviews(self.database, self.now).of(workspace_id) if is_admin else None,
            retention_days=self.retention_days,
            mine=await self.my_home.read(workspace_id, user_id),
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
