"""The texts of the answers to `/usergems-status`. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches

from domain.day_counts import FAILED, MUTED, SENT_TO_CHANNEL, SENT_TO_DRI, counted
from domain.delivery import FailedJobChange
from domain.errors import Outage
from domain.notification_hours import HeldBack
from listeners.dialogs.blocks import Block, button, context, section, sections
from listeners.salesforce.settings_view import health_texts
from listeners.status.failed_view import PAGE_SIZE, SHOW_FAILED, failed_line
from services.home.home_state import REPORTED_DAYS, WorkspaceStatus
from services.messages.wording import sentence, slack_time
from services.salesforce.health import Health
from services.slack.mrkdwn import escape

COMMAND = "/usergems-status"

HELP = (
    f"`{COMMAND}` shows whether job changes can be delivered in this workspace, the outcomes of the last 24 hours, and"
    " what is waiting.\n"
    f"`{COMMAND} test` sends a test job change end to end. It is marked as a test, and only you get it.\n"
    f"`{COMMAND} explain ada@example.com` shows what happened to this person's latest job change, and why. You can also"
    " give the id of a job change. Admins can ask about any job change, others about those that were sent to them.\n"
    f"`{COMMAND} failed` lists the job changes that could not be delivered, so that admins can retry them.\n"
    f"`{COMMAND} help` shows this list. Your preferences are in the Home tab of this app."
)
NOT_INSTALLED = "This app is no longer installed in this workspace. Ask an admin to install it again."
ONLY_ADMINS = ":no_entry: Only workspace admins and owners can see this. If you are one, please try again in a minute."
NO_FAILED = ":white_check_mark: No failed job changes"
EXPLAIN_WHAT = f"Type `{COMMAND} explain` and the person's email address, or the id of a job change."

_SALESFORCE_NEEDS_ADMIN = (
    ":warning: The Salesforce connection needs an admin. Until it is fixed, some job changes may be late or go to a"
    f" channel. Admins who type `{COMMAND}` see the problem."
)
_OLD_WORDS = {"buried": "failed", "replay": "failed", "retry": "failed"}
_LONGEST_WORD = 60

_MOST_SALESFORCE_LINES = 12
"""Lines about the connection and the imports. The dialog in Home has all of them."""


def unknown_command(word: str, words: Sequence[str]) -> str:
    """The answer to a word that is not one of `words`, with the nearest one as a suggestion."""
    typed = word.lower()
    nearest = [_OLD_WORDS[typed]] if typed in _OLD_WORDS else get_close_matches(typed, words, 1, cutoff=0.7)
    suggestion = f" Did you mean `{nearest[0]}`?" if nearest else ""
    return f"Unknown command “{escape(word, _LONGEST_WORD)}”.{suggestion}\n{HELP}"


def sent_test_text(job_change_id: str) -> str:
    return (
        ":white_check_mark: A test job change was sent. You get it as a direct message, and nobody else is notified."
        f" If it does not arrive within a minute, `{COMMAND} explain {job_change_id}` shows why."
    )


def status_lines(status: WorkspaceStatus, *, is_admin: bool) -> list[str]:
    """Lines of mrkdwn that contain everything. Only admins see what exactly Salesforce answered."""
    lines = [f"*Job changes in {escape(status.workspace_name, 100)}*"]
    if status.slack_token_ends_at:
        lines.append(
            ":warning: Slack no longer renews the app's access to this workspace, which ends"
            f" {slack_time(status.slack_token_ends_at)}. An admin has to add the app to Slack again. Job changes wait"
            " until then."
        )
    return [
        *lines,
        _channel(status),
        *_salesforce(status, is_admin=is_admin),
        *(f":hourglass: {outage_text(outage, with_error=is_admin)}" for outage in status.outages),
        *_activity(status),
    ]


def outage_text(outage: Outage, *, with_error: bool) -> str:
    """Return the line in mrkdwn. `with_error` is for admins."""
    escaped = replace(outage, error=escape(outage.error, 300))
    return sentence(escaped.text(slack_time, with_error=with_error))


def own_waiting_line(waiting: HeldBack) -> str | None:
    """What is waiting for the person who asks. None if nothing is."""
    if not waiting.count:
        return None
    job_changes = f"{counted(waiting.count, 'job change')} {'is' if waiting.count == 1 else 'are'}"
    if waiting.held_until is None:
        return f"{job_changes} about to be sent to you."
    until = slack_time(waiting.held_until)
    return f":crescent_moon: {job_changes} on hold until {until} because of your notification settings in the Home tab."


def status_blocks(status: WorkspaceStatus, own_line: str | None = None, *, is_admin: bool) -> list[Block]:
    lines = filter(None, [*status_lines(status, is_admin=is_admin), own_line])
    return [*sections(lines), context(f"As of {slack_time(status.at)}")]


def failed_lines(listed: Sequence[FailedJobChange], count: int) -> list[str]:
    """The newest failed job changes. `count` is the number of all of them."""
    title = f"*{counted(count, 'job change')} could not be delivered*"
    more = [f"… and {count - len(listed):,} more"] if count > len(listed) else []
    return [title, *(f"• {failed_line(failed)}" for failed in listed), *more]


def failed_blocks(listed: Sequence[FailedJobChange], count: int, workspace_id: str) -> list[Block]:
    """The blocks have a button that opens the dialog with all of them."""
    title, *lines = failed_lines(listed[:PAGE_SIZE], count)
    return [section(title, button("Review", SHOW_FAILED, workspace_id)), *map(section, lines)]


def _channel(status: WorkspaceStatus) -> str:
    if not status.is_active:
        return f":warning: {NOT_INSTALLED}"
    if status.default_channel_id is None:
        return ":warning: No default channel. An admin can choose one in the Home tab of this app."
    channel = f"<#{status.default_channel_id}>"
    if status.default_channel_problem:
        problem = escape(status.default_channel_problem, 300)
        return f":warning: The app cannot post in the default channel {channel}: {problem}"
    return f":white_check_mark: Default channel: {channel}"


def _salesforce(status: WorkspaceStatus, *, is_admin: bool) -> list[str]:
    lines = status.salesforce
    if is_admin:
        texts = health_texts(lines)
        more = len(texts) - _MOST_SALESFORCE_LINES
        return [*texts[:_MOST_SALESFORCE_LINES], *([f"… and {more:,} more in the Home tab"] if more > 0 else [])]
    if any(line.health is Health.BAD for line in lines):
        return [_SALESFORCE_NEEDS_ADMIN]
    return health_texts([line for line in lines if line.health is Health.GOOD or line is lines[0]])


def _activity(status: WorkspaceStatus) -> list[str]:
    received = waiting = "none"
    if status.last_accepted_at is not None:
        received = slack_time(status.last_accepted_at)
    if status.waiting_since is not None:
        waiting = f"{status.waiting:,}, the oldest since {slack_time(status.waiting_since)}"
    day = status.last_day
    outcomes = (
        f"{day[SENT_TO_DRI]:,} sent to the DRI, {day[SENT_TO_CHANNEL]:,} posted in a channel, {day[FAILED]:,} failed,"
        f" {day[MUTED]:,} skipped by a rule"
    )
    lines = [f"Last job change received: {received}", f"Last 24 hours: {outcomes}", f"Waiting: {waiting}"]
    if status.failed:
        lines.append(f":warning: Failed, all time: {status.failed:,}. Admins can retry them with `{COMMAND} failed`.")
    if status.reported:
        lines.append(f"🚩 {counted(status.reported, 'report')} of wrong data in the last {REPORTED_DAYS} days")
    return lines
