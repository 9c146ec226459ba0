"""Who is in a user group of Slack, as far as the app was allowed to ask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from domain.errors import PermanentError, TransientError, WorkspaceGoneError
from services.ownership.choice.availability import Group
from services.slack.api import Slack
from store.database import Database
from store.slack import workspaces

SCOPE = "usergroups:read"
NOT_ALLOWED = f"cannot be looked up without the optional permission {SCOPE} (install the app again and allow it)"

BELIEVED_MS = 10 * 60 * 1000
"""Slack allows about 20 questions a minute."""


@dataclass(frozen=True)
class UserGroups:
    """Raises WorkspaceGoneError; any other trouble is the group's problem, as the end of a sentence about it."""

    slack: Slack
    database: Database
    now: Callable[[], int]
    _known: dict[tuple[str, str], tuple[int, Group]] = field(default_factory=dict, init=False, repr=False)

    async def find(self, workspace_id: str, group_id: str) -> Group:
        """As known for the last minutes; as known at all, where Slack does not say now."""
        known = self._known.get((workspace_id, group_id))
        if known and known[0] + BELIEVED_MS > self.now():
            return known[1]
        try:
            return await self.ask(workspace_id, group_id)
        except TransientError as error:
            return known[1] if known else Group(problem=f"cannot be looked up in Slack: {error}")

    async def handles(self, workspace_id: str) -> dict[str, str]:
        """What all groups are called, by id; none where the app may not ask, or Slack does not say now."""
        try:
            return await self.slack.user_groups(workspace_id)
        except WorkspaceGoneError:
            raise
        except (PermanentError, TransientError):
            return {}

    async def ask(self, workspace_id: str, group_id: str) -> Group:
        """As it is right now. Raises TransientError too."""
        try:
            members = await self.slack.user_group_members(workspace_id, group_id)
        except WorkspaceGoneError:
            raise
        except PermanentError as error:
            return Group(problem=await self._refused(workspace_id, error))
        group = Group(tuple(members)) if members is not None else Group(problem="is not in Slack")
        self._known[workspace_id, group_id] = (self.now(), group)
        return group

    async def _refused(self, workspace_id: str, error: PermanentError) -> str:
        workspace = await self.database.run(workspaces.find, workspace_id)
        if workspace and SCOPE not in workspace.scopes:
            return NOT_ALLOWED
        return f"cannot be looked up in Slack: {str(error).removesuffix('.')}"
