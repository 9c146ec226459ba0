"""What /usergems-status answers. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from domain.day_counts import FAILED, MUTED, SENT_TO_CHANNEL, SENT_TO_DRI
from domain.delivery import FailedJobChange
from domain.notification_hours import HeldBack
from listeners.dialogs.blocks import Block, button, context, section, sections
from listeners.salesforce.settings_view import health_texts
from listeners.status.failed_view import A_PAGE, SHOW_FAILED, line_of
from services.home.home_state import REPORTED_DAYS, WorkspaceStatus
from services.messages.wording import slack_time
from services.salesforce.health import Health
from services.slack.mrkdwn import escape

COMMAND = "/usergems-status"

HELP = (
    f"`{COMMAND}` shows how job changes are doing in this workspace: whether they can be delivered, what became of"
    " those of the last 24 hours, and what is waiting.\n"
    f"`{COMMAND} test` sends you a sample all the way through, marked as a test.\n"
    f"`{COMMAND} explain ada@example.com` says what became of that person's latest job change, and why;"
    " the id of a job change works too. You can ask about what came to you, admins about everything.\n"
    f"`{COMMAND} buried` lists what could not be delivered, so that admins can try again.\n"
    f"`{COMMAND} help` shows this. Your own choices are in this app's Home tab."
)
NOT_INSTALLED = "This app is not installed in this workspace any more: ask an admin to install it again."
ONLY_ADMINS = (
    ":no_entry: What could not be delivered is shown to workspace admins and owners, and Slack did not confirm that you"
    " are one. If you are, please try again in a minute."
)
NOTHING_BURIED = ":white_check_mark: Nothing is buried: everything was delivered."
EXPLAIN_WHAT = f"Say which one: `{COMMAND} explain` and the person's e-mail address, or the id of a job change."

_FOR_AN_ADMIN = (
    ":warning: Something about Salesforce needs an admin, so some job changes may come late or go to a channel."
    f" An admin who types `{COMMAND}` sees what it is."
)
_LONGEST_WORD = 60

_MOST_OF_SALESFORCE = 12
"""Lines of its connection, and of the places in it where job changes are found; their dialog has all."""


def not_known(word: str) -> str:
    """*word*: what was typed after the command."""
    return f"I do not know “{escape(word, _LONGEST_WORD)}”. This is what there is:\n{HELP}"


def sent_test(job_change_id: str) -> str:
    return (
        ":white_check_mark: A test is on its way to you, as a direct message: it goes all the way through, and nobody"
        f" else is told. If it does not arrive within a minute, `{COMMAND} explain {job_change_id}` says why."
    )


def status_lines(status: WorkspaceStatus, *, may: bool) -> list[str]:
    """
    Each a line of mrkdwn; together they say everything, also where blocks are not shown.

    *may*: whether whoever asks may mend things; others are spared what exactly Salesforce said.
    """
    return [
        f"*Job changes in {escape(status.workspace_name, 100)}*",
        _channel(status),
        *(_salesforce(status) if may else _whether_salesforce_works(status)),
        *_silent(status),
        _last(status),
        _ended(status),
        _waiting(status),
        *_buried(status),
        *_reported(status),
    ]


def mine_line(waiting: HeldBack) -> str | None:
    """What waits for whoever asks; None: nothing."""
    if not waiting.count:
        return None
    many = "One job change waits" if waiting.count == 1 else f"{waiting.count:,} job changes wait"
    if waiting.held_until is None:
        return f"{many} for you, and will be with you in a moment."
    return f":crescent_moon: {many} for you until {slack_time(waiting.held_until)}, as you prefer: see the Home tab."


def status_blocks(status: WorkspaceStatus, mine: str | None = None, *, may: bool) -> list[Block]:
    """*mine*: a line for whoever asks alone; *may* as in `status_lines`."""
    lines = filter(None, [*status_lines(status, may=may), mine])
    return [*sections(lines), context(f"As of {slack_time(status.at)}. Only you can see this.")]


def buried_lines(listed: Sequence[FailedJobChange], buried: int) -> list[str]:
    """The newest of them; *buried*: how many there are in all."""
    title = "*One job change could not be delivered*" if buried == 1 else f"*{buried:,} could not be delivered*"
    more = [f"… and {buried - len(listed):,} more."] if buried > len(listed) else []
    return [title, *(f"• {line_of(each)}" for each in listed), *more]


def buried_blocks(listed: Sequence[FailedJobChange], buried: int) -> list[Block]:
    """With the way to the dialog in which they are tried again."""
    title, *lines = buried_lines(listed[:A_PAGE], buried)
    return [section(title, button("Look and try again", SHOW_FAILED)), *map(section, lines)]


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


def _salesforce(status: WorkspaceStatus) -> list[str]:
    """For admins."""
    texts = health_texts(status.salesforce)
    more = len(texts) - _MOST_OF_SALESFORCE
    return [*texts[:_MOST_OF_SALESFORCE], *([f"… and {more:,} more, see the Home tab."] if more > 0 else [])]


def _whether_salesforce_works(status: WorkspaceStatus) -> list[str]:
    """For members: what is wrong is for an admin to read, and to mend."""
    told = status.salesforce
    if any(line.health is Health.BAD for line in told):
        return [_FOR_AN_ADMIN]
    return health_texts([line for line in told if line.health is Health.GOOD or line is told[0]])


def _silent(status: WorkspaceStatus) -> list[str]:
    return [
        f":hourglass: {vendor} has not answered since {slack_time(since)}. What needs it is kept, and tried again."
        for vendor, since in status.silent.items()
    ]


def _last(status: WorkspaceStatus) -> str:
    if status.last_accepted_at is None:
        return "No job change has come in yet."
    return f"The last job change came in {slack_time(status.last_accepted_at)}."


def _ended(status: WorkspaceStatus) -> str:
    day = status.last_day
    return (
        f"Last 24 hours: {day[SENT_TO_DRI]:,} told to the DRI, {day[SENT_TO_CHANNEL]:,} told to a channel,"
        f" {day[FAILED]:,} buried, {day[MUTED]:,} told to nobody by a rule."
    )


def _waiting(status: WorkspaceStatus) -> str:
    if status.waiting_since is None:
        return "Nothing is waiting."
    verb = "is" if status.waiting == 1 else "are"
    return f"{status.waiting:,} {verb} waiting to be told, the oldest since {slack_time(status.waiting_since)}."


def _buried(status: WorkspaceStatus) -> list[str]:
    if not status.failed:
        return []
    return [
        f":warning: {status.failed:,} could not be delivered. `{COMMAND} buried` shows an admin why, and tries again."
    ]


def _reported(status: WorkspaceStatus) -> list[str]:
    if not status.reported:
        return []
    reports = "One report" if status.reported == 1 else f"{status.reported:,} reports"
    return [f"🚩 {reports} of wrong data in the last {REPORTED_DAYS} days."]
