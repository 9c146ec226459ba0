"""Reads what the Home tab shows one person: the state of the workspace, and its settings for admins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from domain.day_counts import DAY_MS, DayCount
from domain.errors import PermanentError, TransientError
from domain.workspace import Workspace
from services.home.home_state import (
    REPORTED_DAYS,
    AssignedJobChange,
    AssignedPage,
    HomeState,
    Overview,
    OwnershipState,
    Statistics,
)
from services.home.member_home import read_assigned, read_member
from services.home.preferences import Change, ChangeResult
from services.home.status import read_status
from services.intake.keys import valid_keys
from services.operations import day_counts
from services.operations.day_counts import DAYS_COUNTED, DayCounts
from services.salesforce.sessions import SalesforceSessions
from services.slack.api import Posted
from services.slack.directory import Directory, Person
from store.database import Database
from store.delivery import pauses, webhooks
from store.home import counts
from store.messages import actions, notices
from store.ownership import owners
from store.ownership import rule_sets as ownership
from store.salesforce import connections
from store.slack import workspaces

MOST_RECIPIENTS = 10
FIRST_PAGE = AssignedPage()


@dataclass(frozen=True)
class Home:
    """
    Reads Home with one call to Slack and one transaction, however large the workspace is.

    The number of statements is constant, and each uses an index.
    """

    database: Database
    directory: Directory
    salesforce_sessions: SalesforceSessions
    public_url: str
    retention_days: int
    now: Callable[[], int]

    async def read(
        self, workspace_id: str, user_id: str, person: Person | None = None, page: AssignedPage = FIRST_PAGE
    ) -> HomeState | None:
        """
        Return None when the app is not installed in this workspace.

        `person` is what Slack has just said about this user; None asks Slack.
        """
        person = person or await self.directory.person(workspace_id, user_id)
        return (await self._read_and_complete(workspace_id, user_id, person, None, page))[0]

    async def change_and_read(
        self, workspace_id: str, user_id: str, change: Change, page: AssignedPage = FIRST_PAGE
    ) -> tuple[HomeState | None, ChangeResult | None]:
        """
        Make the change if this user is an admin, and read their Home, in one transaction.

        The second value is None if they are not an admin.
        """
        person = await self.directory.person(workspace_id, user_id)
        return await self._read_and_complete(workspace_id, user_id, person, change, page)

    async def workspace(self, workspace_id: str) -> Workspace | None:
        return await self.database.run(workspaces.find, workspace_id)

    async def statistics(self, workspace_id: str) -> Statistics:
        """Return the figures of the last 30 days."""
        days = await DayCounts(self.database, self.now).for_workspace(workspace_id)
        return await self.database.read(_statistics, workspace_id, days, self.now())

    def intake_url(self, workspace_id: str) -> str:
        """Where senders post the job changes of this workspace."""
        return f"{self.public_url}/v1/workspaces/{workspace_id}/job-changes"

    async def _read_and_complete(
        self, workspace_id: str, user_id: str, person: Person, change: Change | None, page: AssignedPage
    ) -> tuple[HomeState | None, ChangeResult | None]:
        """
        Read the state, and complete it with what is stored when it is first needed, which takes more transactions.

        These are the operator's connection, day counts, and the address of the workspace.
        """
        state, result, is_current = await self.database.run(self._read, workspace_id, user_id, person, change, page)
        if state and not is_current:
            state = replace(state, salesforce=await self.salesforce_sessions.connection_of(workspace_id))
        if state and state.overview and not state.overview.day_counts:
            counted = await DayCounts(self.database, self.now).for_workspace(workspace_id)
            state = replace(state, overview=replace(state.overview, day_counts=counted))
        if state and state.member and not state.workspace.url:
            url = await self._find_url(workspace_id, state.member.assigned.job_changes)
            assigned = replace(state.member.assigned, slack_url=url)
            state = replace(state, member=replace(state.member, assigned=assigned))
        return state, result

    async def _find_url(self, workspace_id: str, job_changes: Sequence[AssignedJobChange]) -> str | None:
        """The address of the workspace, from a link to one of these messages. None if Slack does not say it now."""
        for job_change in job_changes:
            if job_change.channel and job_change.ts:
                posted = Posted(job_change.channel, job_change.ts)
                with suppress(PermanentError, TransientError):
                    link = await self.directory.slack.permalink(workspace_id, posted)
                    url, is_link, _ = (link or "").partition("/archives/")
                    if is_link:
                        await self.database.run(workspaces.set_url, workspace_id, url)
                        return url
                return None
        return None

    def _read(
        self,
        connection: Connection,
        workspace_id: str,
        user_id: str,
        person: Person,
        change: Change | None,
        page: AssignedPage,
    ) -> tuple[HomeState | None, ChangeResult | None, bool]:
        """The third value is whether the Salesforce connection is the one in use."""
        result = change(connection) if change and person.is_admin else None
        workspace, now = workspaces.find(connection, workspace_id), self.now()
        if workspace is None or not workspace.is_active:
            return None, result, True
        is_admin, salesforce = person.sees_admin_home, connections.status_of(connection, workspace_id)
        keys = valid_keys(connection, workspace_id, now) if is_admin else ()
        state = HomeState(
            workspace=workspace,
            is_admin=is_admin,
            waiting=workspaces.waiting_for_default_channel(connection, workspace_id),
            salesforce=salesforce,
            keys=tuple(key for key in keys if key.sender is None),
            sender_keys=tuple(key for key in keys if key.sender is not None),
            intake_url=self.intake_url(workspace_id),
            install_url=f"{self.public_url}/slack/install",
            shown_at=now,
            ownership=_ownership(connection, workspace_id, is_admin=is_admin),
            overview=_overview(connection, workspace_id, now) if is_admin else None,
            outages=pauses.outages(connection, workspace_id),
            retention_days=self.retention_days,
            webhook=webhooks.find(connection, workspace_id) if is_admin else None,
            member=replace(
                read_member(connection, workspace_id, user_id, now, person.user),
                assigned=read_assigned(connection, workspace, user_id, page),
            ),
        )
        return state, result, self.salesforce_sessions.is_current(connection, workspace_id, salesforce)


def _overview(connection: Connection, workspace_id: str, now: int) -> Overview | None:
    """It has no day counts if the past days have not been counted yet."""
    status = read_status(connection, workspace_id, now)
    if status is None:
        return None
    counted = day_counts.read(connection, workspace_id, now)
    return Overview(status, counted or (), notices.setup_steps(connection, workspace_id))


def _statistics(connection: Connection, workspace_id: str, days: Sequence[DayCount], now: int) -> Statistics:
    since = now - DAYS_COUNTED * DAY_MS
    reported = actions.count_reports(connection, workspace_id, now - REPORTED_DAYS * DAY_MS)
    return Statistics(days, reported, counts.top_recipients(connection, workspace_id, since, MOST_RECIPIENTS))


def _ownership(connection: Connection, workspace_id: str, *, is_admin: bool) -> OwnershipState:
    published = ownership.in_force(connection, workspace_id)
    return OwnershipState(
        version=published.version if published else 0,
        published_by=published.published_by if published else None,
        has_draft=ownership.draft(connection, workspace_id) is not None,
        unmatched=len(owners.unmatched(connection, workspace_id)) if is_admin else 0,
    )
