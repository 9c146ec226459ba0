"""The members of Slack user groups, as far as the app may read them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from domain.decision.reasons import ReasonCode
from domain.errors import PermanentError, TransientError, WorkspaceGoneError
from services.ownership.choice.availability import Group
from services.slack.api import Slack
from store.database import Database
from store.slack import workspaces

SCOPE = "usergroups:read"

CACHED_MS = 10 * 60 * 1000
"""Slack allows about 20 calls per minute."""


@dataclass(frozen=True)
class UserGroups:
    """Raises WorkspaceGoneError. Any other error becomes the group's problem."""

    slack: Slack
    database: Database
    now: Callable[[], int]
    _cache: dict[tuple[str, str], tuple[int, Group]] = field(default_factory=dict, init=False, repr=False)

    async def find(self, workspace_id: str, group_id: str) -> Group:
        """A group that was read in the last minutes. If Slack does not answer now, older results are used."""
        cached = self._cache.get((workspace_id, group_id))
        if cached and cached[0] + CACHED_MS > self.now():
            return cached[1]
        try:
            return await self.fetch(workspace_id, group_id)
        except TransientError as error:
            return cached[1] if cached else Group(problem=ReasonCode.NOT_LOOKED_UP.of(error=str(error)))

    async def handles(self, workspace_id: str) -> dict[str, str]:
        """The handles of all groups by id. Empty if the app may not read them, or Slack does not answer now."""
        try:
            return await self.slack.user_groups(workspace_id)
        except WorkspaceGoneError:
            raise
        except (PermanentError, TransientError):
            return {}

    async def fetch(self, workspace_id: str, group_id: str) -> Group:
        """Read a group from Slack. Also raises TransientError."""
        try:
            members = await self.slack.user_group_members(workspace_id, group_id)
        except WorkspaceGoneError:
            raise
        except PermanentError as error:
            workspace = await self.database.run(workspaces.find, workspace_id)
            if workspace and SCOPE not in workspace.scopes:
                return Group(problem=ReasonCode.GROUP_FORBIDDEN.of())
            return Group(problem=ReasonCode.NOT_LOOKED_UP.of(error=str(error).removesuffix(".")))
        group = Group(tuple(members)) if members is not None else Group(problem=ReasonCode.GROUP_NOT_IN_SLACK.of())
        self._cache[workspace_id, group_id] = (self.now(), group)
        return group
