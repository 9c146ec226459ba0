"""The channels of single signals: each choice is checked, announced in the channel and stored."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from domain.audit import AuditEntry
from domain.errors import PermanentError, TransientError
from domain.job_change.parts import Signal
from domain.workspace import Workspace
from services.home.mute_options import SIGNALS
from services.home.preferences import (
    CHANGED_MEANWHILE,
    NOT_INSTALLED,
    TRY_AGAIN,
    ChangeResult,
    channel_problem,
    notify_old_channel,
    shared_warnings,
)
from services.slack.api import Slack
from store import audit
from store.database import Database
from store.slack import workspaces


@dataclass(frozen=True)
class SignalChannels:
    """The caller checks whether the person may change anything. `actor` is their Slack user id."""

    slack: Slack
    database: Database
    now: Callable[[], int]

    async def choose(
        self, workspace_id: str, actor: str, signal: Signal, channel_id: str | None, seen_version: int | None
    ) -> ChangeResult:
        """`channel_id` None means that this signal uses the default channel again."""
        workspace = await self.database.run(workspaces.find, workspace_id)
        if workspace is None or seen_version not in {None, workspace.version}:
            return ChangeResult(False, CHANGED_MEANWHILE if workspace else NOT_INSTALLED)
        old_channel_id = workspace.signal_channels.get(signal)
        if old_channel_id == channel_id:
            return ChangeResult(True, "No change: this channel was chosen already.")
        if channel_id and (problem := await self._problem(workspace, actor, signal, channel_id)):
            return ChangeResult(False, problem)
        channels = {name: channel for name, channel in workspace.signal_channels.items() if name != signal}
        channels |= {signal.value: channel_id} if channel_id else {}
        change = f"{signal}: {old_channel_id or 'none'} → {channel_id or 'none'}"
        entry = AuditEntry(self.now(), actor, "signal_channels", change)
        stored = await self.database.run(
            audit.recorded, workspace_id, entry, workspaces.change, seen_version, signal_channels=json.dumps(channels)
        )
        if not stored:
            return ChangeResult(False, CHANGED_MEANWHILE)
        if old_channel_id and old_channel_id not in {*channels.values(), workspace.default_channel_id}:
            text = f"“{SIGNALS[signal]}” job changes are no longer posted here: <@{actor}> changed their channel."
            await notify_old_channel(self.slack, workspace_id, old_channel_id, text)
        warnings = await shared_warnings(self.slack, workspace_id, [channel_id] if channel_id else [])
        return ChangeResult(True, " ".join(filter(None, ["Saved.", warnings])))

    async def _problem(self, workspace: Workspace, actor: str, signal: Signal, channel_id: str) -> str | None:
        """Why the channel cannot be used. None when it can; then a note in it says what it is for."""
        try:
            channel = await self.slack.channel(workspace.id, channel_id)
            problem = channel_problem(channel, workspace.bot_user_id, workspace.scopes)
            in_use = {*workspace.signal_channels.values(), workspace.default_channel_id}  # these have had a note
            if problem is None and channel_id not in in_use:
                kind = SIGNALS[signal]
                text = (
                    f"<@{actor}> made this the channel for the signal “{kind}”. Its job changes for which no DRI is"
                    " found are posted here."
                )
                await self.slack.post_notice(workspace.id, channel_id, text)
        except TransientError:
            return TRY_AGAIN
        except PermanentError as error:
            return f"<#{channel_id}> was not saved because the app cannot post there: {error}."
        return problem
