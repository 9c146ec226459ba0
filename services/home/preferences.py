"""What a workspace's admins choose: checked, stored unless somebody was faster, and written down with their name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from domain.audit import AuditEntry
from domain.errors import PermanentError, TransientError
from domain.notices import DEFAULT_CHANNEL_BROKEN, NO_DEFAULT_CHANNEL
from domain.preferences import CHANNEL_GETS, DAILY_CALLS, REMINDER_ESCALATIONS, REMINDER_HOURS, Pace
from domain.workspace import Workspace
from services.slack.api import Slack
from services.slack.mrkdwn import escape
from services.slack.shapes import ChannelInfo
from store import audit
from store.database import Database
from store.messages import notices
from store.slack import workspaces

FASTER = "Somebody else changed the settings in the meantime, so nothing was saved. This is how they are now."
NOT_INSTALLED = "The app is not installed in this workspace any more."
TRY_AGAIN = "Slack did not answer just now, so nothing was saved. Please try again in a minute."


@dataclass(frozen=True)
class Answer:
    """What came of a change, in mrkdwn for the one who made it."""

    stored: bool
    text: str


@dataclass(frozen=True)
class Preferences:
    """
    Whether somebody may change anything is for the caller to check.

    *seen_version* is the version of the preferences that the person saw when they chose; None: they saw none.
    """

    slack: Slack
    database: Database
    now: Callable[[], int]

    async def choose_default_channel(
        self, workspace_id: str, actor: str, channel_id: str, seen_version: int | None
    ) -> Answer:
        """Check the channel, say a line in it, and remember it. *actor*: a Slack user id."""
        workspace = await self.database.run(workspaces.find, workspace_id)
        if workspace is None or seen_version not in {None, workspace.version}:
            return Answer(False, FASTER if workspace else NOT_INSTALLED)
        if channel_id == workspace.default_channel_id and workspace.default_channel_problem is None:
            return Answer(True, f"<#{channel_id}> is already the default channel.")
        channel = await self._usable_channel(workspace, channel_id)
        if isinstance(channel, Answer):
            return channel
        return await self._say_and_store(workspace, actor, channel, seen_version)

    async def _usable_channel(self, workspace: Workspace, channel_id: str) -> ChannelInfo | Answer:
        """The channel, or why it cannot be chosen."""
        try:
            channel = await self.slack.channel(workspace.id, channel_id)
        except TransientError:
            return Answer(False, TRY_AGAIN)
        except PermanentError as error:
            return Answer(False, f"The channel was not chosen: {error}")
        problem = channel_problem(channel, workspace.bot_user_id)
        return Answer(False, problem or "") if channel is None or problem else channel

    async def check_default_channel(self, workspace_id: str, actor: str, seen_version: int | None) -> Answer:
        """Whether the channel that was chosen before can be posted to (again)."""
        workspace = await self.database.run(workspaces.find, workspace_id)
        if workspace is None or workspace.default_channel_id is None:
            return Answer(False, NOT_INSTALLED if workspace is None else "No default channel is chosen yet.")
        return await self.choose_default_channel(workspace_id, actor, workspace.default_channel_id, seen_version)

    async def _say_and_store(
        self, workspace: Workspace, actor: str, channel: ChannelInfo, seen_version: int | None
    ) -> Answer:
        text = f"Saved: <#{channel.id}> is the default channel."
        try:
            await self.slack.post_notice(workspace.id, channel.id, _first_line(workspace, actor))
        except PermanentError as error:
            return Answer(False, f"{_named(channel)} was not chosen, as it cannot be posted to: {error}.")
        except TransientError:
            text += " Slack did not take the test message just now; job changes will be tried again."
        done = AuditEntry(self.now(), actor, "default_channel", f"{workspace.default_channel_id} → {channel.id}")
        if not await self.database.run(_store_channel, workspace.id, seen_version, channel, done):
            return Answer(False, FASTER)
        return Answer(True, text + (f" {_shared(channel)}" if channel.is_ext_shared else ""))

    async def set_channel_gets(self, workspace_id: str, actor: str, gets: str, seen_version: int | None) -> Answer:
        """*gets*: one of CHANNEL_GETS."""
        if gets not in CHANNEL_GETS:
            raise ValueError(f"the channel cannot get {gets!r}")
        return await self._set(workspace_id, actor, seen_version, channel_gets=gets)

    async def set_tell_dris(self, workspace_id: str, actor: str, tell: bool, seen_version: int | None) -> Answer:
        return await self._set(workspace_id, actor, seen_version, tell_dris=tell)

    async def set_reminder_hours(self, workspace_id: str, actor: str, hours: int, seen_version: int | None) -> Answer:
        """*hours*: working hours until whoever was told and has not acted is reminded, one of REMINDER_HOURS."""
        if hours not in REMINDER_HOURS:
            raise ValueError(f"nobody can be reminded after {hours} hours")
        return await self._set(workspace_id, actor, seen_version, reminder_hours=hours)

    async def set_reminder_escalation(
        self, workspace_id: str, actor: str, escalation: str, seen_version: int | None
    ) -> Answer:
        """*escalation*: who is told where a reminder was of no use, one of REMINDER_ESCALATIONS."""
        if escalation not in REMINDER_ESCALATIONS:
            raise ValueError(f"nothing can be passed on to {escalation!r}")
        return await self._set(workspace_id, actor, seen_version, reminder_escalation=escalation)

    async def set_salesforce_daily_calls(
        self, workspace_id: str, actor: str, calls: int, seen_version: int | None
    ) -> Answer:
        """*calls*: our share of the org's API calls a day, one of DAILY_CALLS."""
        if calls not in DAILY_CALLS:
            raise ValueError(f"our share of calls cannot be {calls}")
        return await self._set(workspace_id, actor, seen_version, salesforce_daily_calls=calls)

    async def set_pace(self, workspace_id: str, actor: str, pace: Pace, seen_version: int | None) -> Answer:
        """Raises ValueError for a pace that Home does not offer; who saw an older version is told so in the answer."""
        if not pace.is_offered:
            raise ValueError(f"the pace cannot be {pace}")
        return await self._set(workspace_id, actor, seen_version, **vars(pace))

    async def _set(
        self, workspace_id: str, actor: str, seen_version: int | None, **values: str | bool | int | None
    ) -> Answer:
        detail = ", ".join(f"{name} = {value}" for name, value in values.items())
        done = AuditEntry(self.now(), actor, "preferences", detail)
        stored = await self.database.run(_store, workspace_id, seen_version, done, values)
        return Answer(True, "Saved.") if stored else Answer(False, FASTER)


def channel_problem(channel: ChannelInfo | None, bot_user_id: str | None) -> str | None:
    """Why this cannot be the default channel and what to do, in mrkdwn; None: it can."""
    me = f"<@{bot_user_id}>" if bot_user_id else "the app"
    if channel is None:
        return f"That channel cannot be seen. If it is private, write `/invite` {me} in it, then choose it again."
    if channel.is_archived:
        return f"{_named(channel)} is archived. Unarchive it first, or choose another channel."
    if channel.is_private and not channel.is_member:
        return f"{_named(channel)} is private. Write `/invite` {me} in it, then choose it again."
    return None


def _named(channel: ChannelInfo) -> str:
    return f"#{escape(channel.name, 80)}"


async def shared_warnings(slack: Slack, workspace_id: str, channel_ids: Iterable[str]) -> str:
    """Of which of these channels another company's people read along, in mrkdwn; empty: of none, as far as is known."""
    try:
        found = [await slack.channel(workspace_id, channel_id) for channel_id in dict.fromkeys(channel_ids)]
    except (TransientError, PermanentError):  # it was checked a moment ago, and is stored
        return ""
    return "\n".join(_shared(channel) for channel in found if channel and channel.is_ext_shared)


def _shared(channel: ChannelInfo) -> str:
    return f":warning: {_named(channel)} is shared with another company, whose people will read job changes too."


def _first_line(workspace: Workspace, actor: str) -> str:
    gets = workspace.channel_gets if workspace.tell_dris else "everything"
    return f"<@{actor}> made this the default channel for job changes: {CHANNEL_GETS[gets]}."


def _store_channel(
    connection: Connection, workspace_id: str, seen_version: int | None, channel: ChannelInfo, done: AuditEntry
) -> bool:
    chosen = {
        "default_channel_id": channel.id,
        "default_channel_name": channel.name,
        "default_channel_problem": None,
        "default_channel_is_public": not channel.is_private,
    }
    if not _store(connection, workspace_id, seen_version, done, chosen):
        return False
    for notice in (NO_DEFAULT_CHANNEL, DEFAULT_CHANNEL_BROKEN):
        workspaces.clear_notice(connection, workspace_id, notice)
    workspaces.open_default_lane(connection, workspace_id, done.at)
    notices.refresh(connection, workspace_id, done.at)
    return True


def _store(
    connection: Connection,
    workspace_id: str,
    seen_version: int | None,
    done: AuditEntry,
    values: Mapping[str, object],
) -> bool:
    stored = workspaces.change(connection, workspace_id, seen_version, **values)
    if stored:
        audit.record(connection, workspace_id, done)
    return stored
