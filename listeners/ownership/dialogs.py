"""Shared by the ownership dialogs: the list of rules behind them, and what rules can name."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from domain.decision.sentences import for_reader
from domain.errors import PermanentError, TransientError
from listeners.dialogs.blocks import View
from listeners.dialogs.dialog import Dialog
from listeners.ownership.rule_list_view import A_PAGE, ListContext, list_view
from services.home.preferences import NOT_INSTALLED, channel_problem, shared_warnings
from services.ownership.draft_editor import DraftEditor
from services.ownership.rulebook import Rulebook
from services.ownership.rules.check import OrgSchema, check
from services.ownership.simulation import Simulation
from services.ownership.unmatched_owners import UnmatchedOwners
from services.ownership.user_groups import UserGroups
from services.slack.directory import Directory
from store.slack import workspaces

ORG_SECONDS = 1.5
"""How long to wait for Salesforce while Slack waits for a response; Slack gives three seconds in all."""


@dataclass(frozen=True)
class OwnershipDialogs:
    """The services that the listeners of the ownership dialogs use."""

    directory: Directory
    groups: UserGroups
    rulebook: Rulebook
    draft_editor: DraftEditor
    simulation: Simulation
    unmatched: UnmatchedOwners

    async def org(self, workspace_id: str) -> tuple[OrgSchema | None, str | None]:
        """What rules can name, for pickers. If Salesforce is not available, the text says why."""
        try:
            return await self.rulebook.org(workspace_id), None
        except (PermanentError, TransientError) as error:
            return None, f"Salesforce is not available right now: {error}"

    async def org_in_time(self, workspace_id: str) -> OrgSchema | None:
        """Like `org`, while Slack waits for a response. None also if it takes too long."""
        try:
            async with asyncio.timeout(ORG_SECONDS):
                return (await self.org(workspace_id))[0]
        except TimeoutError:
            return None

    async def problems(self, workspace_id: str, chosen: Mapping[str, str]) -> dict[str, str]:
        """The channels and user groups that cannot be notified, by field. Empty if Slack does not answer in time."""
        problems: dict[str, str] = {}
        try:
            async with asyncio.timeout(ORG_SECONDS):
                for field, destination in chosen.items():
                    problems[field] = await self._problem(workspace_id, destination) or ""
        except (TimeoutError, TransientError):
            pass
        return {field: problem for field, problem in problems.items() if problem}

    async def warnings(self, workspace_id: str, chosen: Iterable[str]) -> str:
        """Warnings about channels that are shared with another company, in mrkdwn. Empty if there are none."""
        channels = [destination for destination in chosen if not destination.startswith("S")]
        return await shared_warnings(self.directory.slack, workspace_id, channels)

    async def _problem(self, workspace_id: str, destination: str) -> str | None:
        try:
            if destination.startswith("S"):
                problem = (await self.groups.fetch(workspace_id, destination)).problem
                return f"This user group {for_reader([problem])}." if problem else None
            channel = await self.directory.slack.channel(workspace_id, destination)
            workspace = await self.directory.database.run(workspaces.find, workspace_id)
            return channel_problem(channel, None, workspace.scopes) if workspace else NOT_INSTALLED
        except PermanentError as error:
            return f"The app cannot use it: {error}."

    async def list_view(self, workspace_id: str, page: int = 0, note: str | None = None) -> View:
        """The list with the current rules."""
        book = await self.rulebook.read(workspace_id)
        org, problem = await self.org(workspace_id)
        issues = await asyncio.to_thread(check, book.shown, org)  # in a thread: hundreds of rules take a while
        return list_view(book, ListContext(issues, org, problem), page, note)

    async def redraw(self, dialog: Dialog, note: str | None = None, place: int = 0) -> None:
        """Update the list behind the dialog, or in it, at the page with the rule at `place`; and update Home."""
        root = dialog.view.get("root_view_id") or dialog.view["id"]
        await dialog.update_view(root, await self.list_view(dialog.workspace_id, place // A_PAGE, note))
        await dialog.publish_home()
