"""The settings that a workspace's admins change: each is checked, stored and recorded in the audit log."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import Connection

from domain.audit import AuditEntry
from domain.errors import PermanentError, TransientError
from domain.messages.card_buttons import CardButton, buttons_to_json
from domain.messages.notices import CARD_BUTTONS_REFUSED, DEFAULT_CHANNEL_BROKEN, NO_DEFAULT_CHANNEL
from domain.preferences import Value
from domain.workspace import Workspace
from services.home.mute_options import REQUIRABLE, labels
from services.slack.api import Slack
from services.slack.mrkdwn import escape
from services.slack.shapes import ChannelInfo
from store import audit
from store.database import Database
from store.messages import notices
from store.ownership import muting
from store.slack import workspaces

CHANGED_MEANWHILE = (
    "Someone else changed the settings in the meantime, so your change was not saved. These are the current settings."
)
NOT_INSTALLED = "The app is no longer installed in this workspace."
TRY_AGAIN = "Slack did not respond, so nothing was saved. Please try again in a minute."
_NOT_POSTED = "The test message could not be posted right now. Job changes are retried automatically."

PUBLIC_POSTS = "chat:write.public"
"""The scope to post in public channels that the app was not invited to. It is optional."""

_POSTED_THERE = {
    "unmatched": "Job changes for which no DRI is found are posted here.",
    "everything": "Every job change is posted here.",
}
"""What the default channel gets, by CHANNEL_GETS, as the first message in it says."""


@dataclass(frozen=True)
class ChangeResult:
    """Whether a change was stored, and the answer to the person who made it, in mrkdwn. `warning` is a part of it."""

    stored: bool
    text: str
    warning: str = ""

    @property
    def note(self) -> str:
        """The answer with a mark that says whether the change was stored."""
        return f"{':white_check_mark:' if self.stored else ':no_entry:'} {self.text}"


Change = Callable[[Connection], ChangeResult]
"""A change that is made in the transaction of its caller."""


@dataclass(frozen=True)
class Preferences:
    """
    The caller checks whether the person may change anything. `actor` is their Slack user id.

    `seen_version` is the version of the preferences that the person saw when they chose; None when they saw none.
    """

    slack: Slack
    database: Database
    now: Callable[[], int]

    async def choose_default_channel(
        self, workspace_id: str, actor: str, channel_id: str, seen_version: int | None
    ) -> ChangeResult:
        """Check the channel, post a short note in it, and store it."""
        workspace = await self.database.run(workspaces.find, workspace_id)
        if workspace is None or seen_version not in {None, workspace.version}:
            return ChangeResult(False, CHANGED_MEANWHILE if workspace else NOT_INSTALLED)
        if channel_id == workspace.default_channel_id and workspace.default_channel_problem is None:
            return ChangeResult(True, f"<#{channel_id}> is already the default channel.")
        try:
            channel = await self.slack.channel(workspace.id, channel_id)
        except TransientError:
            return ChangeResult(False, TRY_AGAIN)
        except PermanentError as error:
            return ChangeResult(False, f"The channel was not saved: {error}")
        problem = channel_problem(channel, workspace.bot_user_id, workspace.scopes)
        if channel is None or problem:
            return ChangeResult(False, problem or "")
        return await self._announce_and_store(workspace, actor, channel, seen_version)

    async def check_default_channel(self, workspace_id: str, actor: str, seen_version: int | None) -> ChangeResult:
        """Check whether the app can post in the stored default channel again."""
        workspace = await self.database.run(workspaces.find, workspace_id)
        if workspace is None or workspace.default_channel_id is None:
            return ChangeResult(
                False, NOT_INSTALLED if workspace is None else "No default channel has been chosen yet."
            )
        return await self.choose_default_channel(workspace_id, actor, workspace.default_channel_id, seen_version)

    async def _announce_and_store(
        self, workspace: Workspace, actor: str, channel: ChannelInfo, seen_version: int | None
    ) -> ChangeResult:
        warnings = [_shared(channel)] if channel.is_ext_shared else []
        posted_there = _POSTED_THERE[workspace.channel_gets if workspace.tell_dris else "everything"]
        note = f"<@{actor}> made this the default channel for job changes. {posted_there}"
        try:
            if channel.id not in workspace.signal_channels.values():  # otherwise it has had a note
                await self.slack.post_notice(workspace.id, channel.id, note)
        except PermanentError as error:
            return ChangeResult(False, f"{_named(channel)} was not saved because the app cannot post there: {error}.")
        except TransientError:
            warnings.insert(0, _NOT_POSTED)
        entry = AuditEntry(
            self.now(), actor, "default_channel", f"{workspace.default_channel_id or 'none'} → {channel.id}"
        )
        if not await self.database.run(_store_channel, workspace.id, seen_version, channel, entry):
            return ChangeResult(False, CHANGED_MEANWHILE)
        old_channel_id = workspace.default_channel_id
        if old_channel_id and old_channel_id not in {channel.id, *workspace.signal_channels.values()}:
            ended = f"<@{actor}> made <#{channel.id}> the default channel. Job changes are no longer posted here."
            await notify_old_channel(self.slack, workspace.id, old_channel_id, ended)
        warning = " ".join(warnings)
        return ChangeResult(True, f"Saved. <#{channel.id}> is the default channel. {warning}".rstrip(), warning)

    def change(self, workspace_id: str, actor: str, values: Mapping[str, Value], seen_version: int | None) -> Change:
        """Store values of WORKSPACE_PREFERENCES, by name, in the transaction that runs the result."""
        detail = ", ".join(f"{name} = {value}" for name, value in values.items())
        entry = AuditEntry(self.now(), actor, "preferences", detail)

        def store(connection: Connection) -> ChangeResult:
            stored = audit.recorded(connection, workspace_id, entry, workspaces.change, seen_version, **values)
            return ChangeResult(True, "Saved.") if stored else ChangeResult(False, CHANGED_MEANWHILE)

        return store

    async def required_notifications(self, workspace_id: str) -> frozenset[str]:
        """The signals, change types and segments that nobody can mute, as store/ownership/muting.py stores them."""
        return await self.database.run(muting.required, workspace_id)

    async def set_required_notifications(self, workspace_id: str, actor: str, chosen: Collection[str]) -> None:
        """Nobody can mute these from now on. Members who have muted them already get them again."""
        required = REQUIRABLE.keys() & frozenset(chosen)
        entry = AuditEntry(self.now(), actor, "mute_limits", ", ".join(labels(required)) or "none")
        await self.database.run(muting.set_required, workspace_id, required, entry)


def channel_problem(channel: ChannelInfo | None, bot_user_id: str | None, scopes: Collection[str]) -> str | None:
    """
    Why the app cannot post in this channel and what to do about it, in mrkdwn. None when it can.

    `scopes` are those that the workspace has granted.
    """
    app = f"<@{bot_user_id}>" if bot_user_id else "the app"
    if channel is None:
        return f"The app cannot see this channel. If it is private, type `/invite` {app} in it, then choose it again."
    if channel.is_archived:
        return f"{_named(channel)} is archived. Unarchive it, or choose another channel."
    if channel.is_private and not channel.is_member:
        return f"{_named(channel)} is private. Type `/invite` {app} in it, then choose it again."
    if not channel.is_member and PUBLIC_POSTS not in scopes:
        return f"The app is not in {_named(channel)}. Type `/invite` {app} in it, then choose it again."
    return None


def _named(channel: ChannelInfo) -> str:
    return f"#{escape(channel.name, 80)}"


async def notify_old_channel(slack: Slack, workspace_id: str, channel_id: str, text: str) -> None:
    """Post why the channel gets no more job changes. It may be one that the app cannot post in any more."""
    with suppress(PermanentError, TransientError):
        await slack.post_notice(workspace_id, channel_id, text)


async def shared_warnings(slack: Slack, workspace_id: str, channel_ids: Iterable[str]) -> str:
    """A warning in mrkdwn for each channel that is shared with another company. Empty when none is known to be."""
    try:
        channels = [await slack.channel(workspace_id, channel_id) for channel_id in dict.fromkeys(channel_ids)]
    except (TransientError, PermanentError):  # it was checked a moment ago and is stored already
        return ""
    return "\n".join(_shared(channel) for channel in channels if channel and channel.is_ext_shared)


def _shared(channel: ChannelInfo) -> str:
    return f":warning: {_named(channel)} is shared with another company. People there will see job changes too."


def _store_channel(
    connection: Connection, workspace_id: str, seen_version: int | None, channel: ChannelInfo, entry: AuditEntry
) -> bool:
    chosen = {
        "default_channel_id": channel.id,
        "default_channel_name": channel.name,
        "default_channel_problem": None,
        "default_channel_is_public": not channel.is_private,
    }
    if not audit.recorded(connection, workspace_id, entry, workspaces.change, seen_version, **chosen):
        return False
    for notice in (NO_DEFAULT_CHANNEL, DEFAULT_CHANNEL_BROKEN):
        workspaces.clear_notice(connection, workspace_id, notice)
    workspaces.open_default_lane(connection, workspace_id, entry.at)
    notices.refresh(connection, workspace_id, entry.at)
    return True


def card_buttons_change(
    workspace_id: str, actor: str, buttons: Sequence[CardButton], seen_version: int | None, now: int
) -> Change:
    """Add these buttons to cards instead of the earlier ones, and have Slack check again those that it refused."""
    entry = AuditEntry(now, actor, "card_buttons", ", ".join(button.label for button in buttons) or "none")
    values: dict[str, object] = {"card_buttons": buttons_to_json(buttons), "card_buttons_problem": None}

    def store(connection: Connection) -> ChangeResult:
        if not audit.recorded(connection, workspace_id, entry, workspaces.change, seen_version, **values):
            return ChangeResult(False, CHANGED_MEANWHILE)
        workspaces.clear_notice(connection, workspace_id, CARD_BUTTONS_REFUSED)
        notices.refresh(connection, workspace_id, now)
        return ChangeResult(True, "Saved.")

    return store
