"""Telling the person who installed the app what only people can mend, once each time it breaks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from services.errors import PermanentError, TransientError
from services.mrkdwn import escape
from services.slack import Slack
from store import workspaces
from store.database import Database
from store.workspaces import DEFAULT_CHANNEL_BROKEN, NO_DEFAULT_CHANNEL, SALESFORCE_BROKEN, SALESFORCE_CALLS_LOW

log = logging.getLogger(__name__)

_WHERE = "Open the *Home* tab of this app and choose a default channel"


@dataclass(frozen=True)
class Notices:
    database: Database
    slack: Slack
    now: Callable[[], int]

    async def default_channel_missing(self, workspace_id: str) -> None:
        """Job changes wait because no default channel is chosen."""
        text = (
            f"Job changes that no DRI was found for are waiting for a default channel. {_WHERE}, and they are posted."
        )
        await self._tell_once(workspace_id, NO_DEFAULT_CHANNEL, text)

    async def default_channel_broken(self, workspace_id: str, reason: str) -> None:
        """The default channel cannot be posted to; *reason* says why."""
        text = (
            f"The default channel cannot be posted to: {escape(reason, 300)}. Nothing is lost, it is kept."
            f" Mend the channel, or {_WHERE[0].lower()}{_WHERE[1:]}."
        )
        await self._tell_once(workspace_id, DEFAULT_CHANNEL_BROKEN, text)

    async def salesforce_broken(self, workspace_id: str, problem: str, connected_by: str | None) -> None:
        """Salesforce cannot be asked until an admin mends it: also told to *connected_by*, a Slack user."""
        text = (
            f"Salesforce needs an admin: {escape(problem, 300)}. Job changes wait for a while, and then go to the"
            " default channel. Open the *Home* tab of this app to connect Salesforce again."
        )
        await self._tell_once(workspace_id, SALESFORCE_BROKEN, text, connected_by)

    async def salesforce_calls_low(self, workspace_id: str, used: int, limit: int, connected_by: str | None) -> None:
        """Of the org's API calls most are used up; also told to *connected_by*, a Slack user."""
        text = (
            f"{used:,} of the {limit:,} API calls that Salesforce allows your org in 24 hours are used up, by all apps"
            " together. At the limit job changes wait. The *Home* tab of this app says how many are ours."
        )
        await self._tell_once(workspace_id, SALESFORCE_CALLS_LOW, text, connected_by)

    async def _tell_once(self, workspace_id: str, notice: str, text: str, also: str | None = None) -> None:
        """Never raises for Slack's sake: who cannot be reached now is told the next time somebody asks for it."""
        workspace = await self.database.run(workspaces.find, workspace_id)
        people = list(dict.fromkeys(filter(None, [workspace.installer_user_id, also]))) if workspace else []
        if not people or not await self.database.run(workspaces.give_once, workspace_id, notice, self.now()):
            return
        for user_id in people:
            await self._post(workspace_id, user_id, notice, text)

    async def _post(self, workspace_id: str, user_id: str, notice: str, text: str) -> None:
        try:
            await self.slack.post_notice(workspace_id, user_id, text)
        except TransientError as error:
            if not error.in_doubt:
                await self.database.run(workspaces.take_back, workspace_id, notice)
            log.warning("the notice %s of %s was not given: %s", notice, workspace_id, error)
        except PermanentError as error:
            log.warning("the notice %s of %s cannot be given: %s", notice, workspace_id, error)
