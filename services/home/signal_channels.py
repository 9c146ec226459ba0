"""The channels that signals have of their own: checked, announced in each, and stored unless somebody was faster."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from domain.audit import AuditEntry
from domain.errors import PermanentError, TransientError
from domain.job_change.parts import Signal
from domain.workspace import Workspace
from services.home.mutables import SIGNALS
from services.home.preferences import FASTER, NOT_INSTALLED, TRY_AGAIN, Answer, channel_problem, shared_warnings
from services.slack.api import Slack
from store import audit
from store.database import Database
from store.slack import workspaces


@dataclass(frozen=True)
class SignalChannels:
    """Whether somebody may change them is for the caller to check."""

    slack: Slack
    database: Database
    now: Callable[[], int]

    async def choose(
        self, workspace_id: str, actor: str, signal: Signal, channel_id: str | None, seen_version: int | None
    ) -> Answer:
        """*channel_id* None: it has none of its own any more, so the default channel reads it."""
        workspace = await self.database.run(workspaces.find, workspace_id)
        if workspace is None or seen_version not in {None, workspace.version}:
            return Answer(False, FASTER if workspace else NOT_INSTALLED)
        had = workspace.signal_channels
        if had.get(signal) == channel_id:
            return Answer(True, "That is already so.")
        if channel_id and (problem := await self._problem(workspace, actor, signal, channel_id)):
            return Answer(False, problem)
        channels = {name: channel for name, channel in had.items() if name != signal}
        channels |= {signal.value: channel_id} if channel_id else {}
        done = AuditEntry(self.now(), actor, "signal_channels", f"{signal}: {had.get(signal)} → {channel_id}")
        if not await self.database.run(_store, workspace_id, seen_version, channels, done):
            return Answer(False, FASTER)
        warnings = await shared_warnings(self.slack, workspace_id, [channel_id] if channel_id else [])
        return Answer(True, " ".join(filter(None, ["Saved.", warnings])))

    async def _problem(self, workspace: Workspace, actor: str, signal: Signal, channel_id: str) -> str | None:
        """Why the channel cannot be used; None: it can, and a line in it says what it is for now."""
        try:
            problem = channel_problem(await self.slack.channel(workspace.id, channel_id), workspace.bot_user_id)
            if problem is None:
                await self.slack.post_notice(workspace.id, channel_id, _first_line(actor, signal))
        except TransientError:
            return TRY_AGAIN
        except PermanentError as error:
            return f"<#{channel_id}> was not chosen, as it cannot be posted to: {error}."
        return problem


def _first_line(actor: str, signal: Signal) -> str:
    return f"<@{actor}> made this the channel for job changes of “{SIGNALS[signal]}” that no DRI is found for."


def _store(
    connection: Connection,
    workspace_id: str,
    seen_version: int | None,
    channels: Mapping[str, str],
    done: AuditEntry,
) -> bool:
    stored = workspaces.change(connection, workspace_id, seen_version, signal_channels=json.dumps(channels))
    if stored:
        audit.record(connection, workspace_id, done)
    return stored
