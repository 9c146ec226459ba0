"""Keeps the workspaces of organizations as they are in Slack: where an org-wide installation was added."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from domain.errors import PermanentError, TransientError
from domain.workspace import Workspace
from services.slack.api import Slack
from services.slack.install import SlackInstall
from store.database import Database
from store.slack import organizations, workspaces
from store.slack.installations import AsyncInstallationStore
from store.slack.organizations import Team

log = logging.getLogger(__name__)

EVERY_MS = 60 * 60 * 1_000
"""How often Slack is asked where the app is added, in case an event was lost."""

AGAIN_MS = 5 * 60 * 1_000
"""How long until Slack is asked again if it did not answer where the app is added."""


@dataclass
class Organizations:
    """Workspaces are added and stopped by events, see listeners/slack/lifecycle.py, and by Slack's list of them."""

    slack: Slack
    install: SlackInstall
    installations: AsyncInstallationStore
    database: Database
    now: Callable[[], int]
    _next_at: int = field(default=0, init=False, repr=False)

    async def sync_all(self) -> bool:
        """Sync every organization, once an hour. Return False: one round is all the work there is."""
        if self.now() >= self._next_at:
            self._next_at = self.now() + EVERY_MS
            for enterprise_id in await self.installations.organizations():
                if not await self.try_sync(enterprise_id):
                    self._next_at = self.now() + AGAIN_MS
        return False

    async def workspaces_of(self, enterprise_id: str) -> list[Workspace]:
        """Sync the organization if Slack allows it, and return the workspaces that have the app, by name."""
        await self.try_sync(enterprise_id)
        stored = await self.database.run(workspaces.of_organization, enterprise_id)
        return sorted((workspace for workspace in stored if workspace.is_active), key=lambda workspace: workspace.name)

    async def try_sync(self, enterprise_id: str) -> bool:
        """Sync one organization. Return False if Slack does not say now where the app is added."""
        try:
            await self.sync(enterprise_id)
        except (PermanentError, TransientError) as error:
            log.warning("Could not list the workspaces of the organization %s: %s", enterprise_id, error)
            return False
        return True

    async def sync(self, enterprise_id: str) -> None:
        """Store where the app is added and removed. Raises WorkspaceGoneError, PermanentError, TransientError."""
        as_of = self.now()
        teams = await self.install.teams(enterprise_id)
        await self._assign_old_data(enterprise_id, teams)
        await self.database.run(organizations.grant, enterprise_id, teams, self.now(), as_of)
        team_ids = [team.id for team in teams]
        await self.database.run(organizations.keep_only, enterprise_id, team_ids, self.now(), as_of)

    async def _assign_old_data(self, enterprise_id: str, teams: list[Team]) -> None:
        """
        Let what version 0.2 stored for the whole organization belong to one of its workspaces.

        That is the workspace of its default channel, otherwise the first one that does not have the app yet.
        """
        old = await self.database.run(workspaces.find, enterprise_id)
        if old is None or old.slack_team.id is not None:
            return
        stored = [await self.database.run(workspaces.find_team, team.id) for team in teams]
        free = [team.id for team, own in zip(teams, stored, strict=True) if own is None or not own.is_active]
        channel = None
        if old.default_channel_id is not None:
            with suppress(PermanentError):
                channel = await self.slack.channel(old.id, old.default_channel_id)
        preferred = channel.team_id if channel else None
        if free:
            team_id = preferred if preferred in free else free[0]
            await self.database.run(organizations.stand_for, enterprise_id, team_id)
            log.info("What was stored for the organization %s now belongs to its workspace %s", enterprise_id, team_id)
