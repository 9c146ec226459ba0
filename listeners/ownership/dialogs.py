"""What all dialogs about ownership have in common: the list they lead back to, and what rules may name."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from domain.errors import PermanentError, TransientError
from listeners.dialogs.blocks import View
from listeners.dialogs.dialog import Dialog
from listeners.dialogs.home_tab import HomeTab
from listeners.ownership.rule_list_view import A_PAGE, Outlook, list_view
from services.home.preferences import channel_problem, shared_warnings
from services.ownership.draft_editor import OwnershipEditing
from services.ownership.ownership_pages import OwnershipPages
from services.ownership.rulebook import Rulebook
from services.ownership.rules.check import OrgShape, check
from services.ownership.rules.current_rules import RuleBook
from services.ownership.simulation import Simulation
from services.ownership.unmatched_owners import UnmatchedOwners
from services.ownership.user_groups import UserGroups
from services.slack.directory import Directory

ORG_SECONDS = 1.5
"""How long Salesforce is waited for where Slack waits for us; it gives three seconds in all."""


@dataclass(frozen=True)
class OwnershipDialogs:
    """What the listeners of the dialogs about ownership share."""

    directory: Directory
    groups: UserGroups
    home_tab: HomeTab
    rulebook: Rulebook
    editing: OwnershipEditing
    simulation: Simulation
    unmatched: UnmatchedOwners
    pages: OwnershipPages

    async def org(self, workspace_id: str) -> tuple[OrgShape | None, str | None]:
        """What rules may name, for pickers; or None, and why when there is a reason."""
        try:
            return await self.rulebook.org(workspace_id), None
        except (PermanentError, TransientError) as error:
            return None, f"Salesforce cannot be asked now: {error}"

    async def org_in_time(self, workspace_id: str) -> OrgShape | None:
        """The same where Slack waits for an answer; None too when it takes too long."""
        try:
            async with asyncio.timeout(ORG_SECONDS):
                return (await self.org(workspace_id))[0]
        except TimeoutError:
            return None

    async def problems(self, workspace_id: str, chosen: Mapping[str, str]) -> dict[str, str]:
        """Of these channels and user groups those that cannot be told, by field; none where Slack does not say now."""
        found: dict[str, str] = {}
        try:
            async with asyncio.timeout(ORG_SECONDS):
                for field, where in chosen.items():
                    found[field] = await self._problem(workspace_id, where) or ""
        except (TimeoutError, TransientError):
            pass
        return {field: problem for field, problem in found.items() if problem}

    async def warnings(self, workspace_id: str, chosen: Iterable[str]) -> str:
        """Which of these channels people of another company read, in mrkdwn; empty where none is."""
        channels = [where for where in chosen if not where.startswith("S")]
        return await shared_warnings(self.directory.slack, workspace_id, channels)

    async def _problem(self, workspace_id: str, where: str) -> str | None:
        try:
            if where.startswith("S"):
                problem = (await self.groups.ask(workspace_id, where)).problem
                return f"This user group {problem}." if problem else None
            return channel_problem(await self.directory.slack.channel(workspace_id, where), None)
        except PermanentError as error:
            return f"Slack does not let us use it: {error}."

    async def list_view(self, workspace_id: str, page: int = 0, note: str | None = None) -> View:
        """The list as things stand."""
        book = await self.rulebook.read(workspace_id)
        return list_view(book, await self._outlook(workspace_id, book), page, note)

    async def _outlook(self, workspace_id: str, book: RuleBook) -> Outlook:
        org, trouble = await self.org(workspace_id)
        faults = await asyncio.to_thread(check, book.shown, org)  # hundreds of rules take a moment
        return Outlook(faults, org, trouble)

    async def redraw(self, dialog: Dialog, note: str | None = None, place: int = 0) -> None:
        """Show the list that lies below or was acted in, at the page with this *place*, and Home, as things stand."""
        root = dialog.view.get("root_view_id") or dialog.view["id"]
        await dialog.update_view(root, await self.list_view(dialog.workspace_id, place // A_PAGE, note))
        await self.redraw_home(dialog)

    async def redraw_home(self, dialog: Dialog) -> None:
        """It says which version is in force, whether a draft waits, and how many owners are not in Slack."""
        await self.home_tab.publish(dialog.client, dialog.workspace_id, dialog.user_id)
