"""What /usergems-status answers. Pure."""

from __future__ import annotations

from listeners.blocks import Block, context, moment, section
from listeners.salesforce_view import health_texts
from services.mrkdwn import escape
from services.status import WorkspaceStatus
from store.counts import BURIED, MUTED, TOLD_CHANNEL, TOLD_DRI

COMMAND = "/usergems-status"

HELP = (
    f"`{COMMAND}` shows how job changes are doing in this workspace: whether they can be told, how those of the last"
    f" 24 hours ended, and what waits.\n`{COMMAND} help` shows this. Settings are in the Home tab of this app."
)
NOT_INSTALLED = "This app is not installed in this workspace any more: ask an admin to install it again."


def status_lines(status: WorkspaceStatus) -> list[str]:
    """Each a line of mrkdwn; together they say everything, also where blocks are not shown."""
    return [
        f"*Job changes in {escape(status.workspace_name, 100)}*",
        _channel(status),
        *health_texts(status.salesforce),
        _last(status),
        _ended(status),
        _waiting(status),
        *_buried(status),
    ]


def status_blocks(status: WorkspaceStatus) -> list[Block]:
    return [section("\n".join(status_lines(status))), context(f"As of {moment(status.at)}. Only you can see this.")]


def _channel(status: WorkspaceStatus) -> str:
    if not status.is_active:
        return f":warning: {NOT_INSTALLED}"
    if status.default_channel_id is None:
        return ":warning: No default channel yet: an admin chooses one in the Home tab of this app."
    channel = f"<#{status.default_channel_id}>"
    if status.default_channel_problem:
        why = escape(status.default_channel_problem, 300)
        return f":warning: {channel}, the default channel, cannot be posted to: {why}"
    return f":white_check_mark: {channel} is the default channel."


def _last(status: WorkspaceStatus) -> str:
    if status.last_accepted_at is None:
        return "No job change has come in yet."
    return f"The last job change came in {moment(status.last_accepted_at)}."


def _ended(status: WorkspaceStatus) -> str:
    day = status.last_day
    return (
        f"Last 24 hours: {day[TOLD_DRI]:,} told to the DRI, {day[TOLD_CHANNEL]:,} told to the channel,"
        f" {day[BURIED]:,} buried, {day[MUTED]:,} muted."
    )


def _waiting(status: WorkspaceStatus) -> str:
    if status.waiting_since is None:
        return "Nothing waits."
    verb = "waits" if status.waiting == 1 else "wait"
    return f"{status.waiting:,} {verb} to be told, the oldest since {moment(status.waiting_since)}."


def _buried(status: WorkspaceStatus) -> list[str]:
    if not status.buried:
        return []
    how = "`python app.py buried` says why, `python app.py replay` tries again"
    return [f":warning: {status.buried:,} could not be delivered. For the operator: {how}."]
