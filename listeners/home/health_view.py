"""The top of Home for admins: one line if everything works, or each problem with the button that fixes it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from domain.day_counts import counted
from domain.workspace import Workspace
from listeners.dialogs.blocks import Block, button, plain, section
from listeners.salesforce.settings_view import CONNECT, SOURCES, TRY_AGAIN
from listeners.status.failed_view import SHOW_FAILED
from listeners.status.status_view import outage_text
from services.home.home_state import HomeState
from services.messages.notice_text import token_ends_text
from services.salesforce.health import Health
from services.slack.mrkdwn import escape

CHOOSE_CHANNEL = "home_choose_channel"
CHECK_CHANNEL = "home_check_channel"

MOST_IMPORT_PROBLEMS = 3
"""Problems of Salesforce imports in Home. The dialog behind the button lists all."""

EVERYTHING_WORKS = ":white_check_mark: Everything works. Job changes are delivered as they come in."


def health_blocks(state: HomeState) -> list[Block]:
    """A missing setup step is not a problem: the checklist below shows it."""
    problems = [
        *_slack_problems(state),
        *_salesforce_problems(state),
        *_other_problems(state),
    ]
    if problems:
        return problems
    if state.is_set_up:
        return [section(EVERYTHING_WORKS)]
    done = sum(item.is_done for item in state.setup)
    return [section(f":point_right: *The setup is not finished yet.* {done} of {len(state.setup)} steps done.")]


def channel_picker(workspace: Workspace) -> Block:
    """
    It has the chosen channel if everyone can see it: Slack refuses a Home with a channel that its reader cannot see.

    https://docs.slack.dev/reference/block-kit/block-elements/select-menu-element#conversations_select
    """
    picker: Block = {
        "type": "conversations_select",
        "action_id": CHOOSE_CHANNEL,
        "placeholder": plain("Choose a channel"),
        "filter": {"include": ["public", "private"]},
    }
    is_visible = workspace.default_channel_is_public and not workspace.default_channel_problem
    return picker | ({"initial_conversation": workspace.default_channel_id} if is_visible else {})


def on_hold(state: HomeState) -> str:
    """A sentence with the number of job changes that wait for the default channel; empty if none do."""
    if not state.waiting:
        return ""
    return f" {counted(state.waiting, 'job change')} {'is' if state.waiting == 1 else 'are'} on hold until then."


def _slack_problems(state: HomeState) -> Iterator[Block]:
    workspace = state.workspace
    if workspace.token_ends_at:
        yield section(f":warning: {token_ends_text(workspace.token_ends_at, state.install_url)}")
    if workspace.default_channel_problem:
        why = escape(workspace.default_channel_problem, 300)
        text = f":warning: *The app cannot post in <#{workspace.default_channel_id}>:* {why}."
        text += f" Fix this in Slack and check again, or choose another channel below.{on_hold(state)}"
        yield section(text, button("Check again", CHECK_CHANNEL))


def _salesforce_problems(state: HomeState) -> Iterator[Block]:
    connection = state.salesforce
    if connection and connection.problem:
        why = escape(connection.problem, 300)
        text = f":warning: *Salesforce needs attention:* {why}. Until then, owners cannot be looked up."
        # The operator's client credentials are fixed in Salesforce, so there is nothing to connect again.
        retry, connect = button("Try again", TRY_AGAIN), button("Connect again", CONNECT)
        yield section(text, retry if connection.uses_operator_app else connect)
        return
    lines = state.overview.status.salesforce if state.overview else ()
    for line in [line for line in lines if line.health is Health.BAD][:MOST_IMPORT_PROBLEMS]:
        text = f":warning: *The import from Salesforce has a problem:* {escape(line.text, 400)}."
        yield section(text, button("Review", SOURCES))


def _other_problems(state: HomeState) -> Iterator[Block]:
    if state.overview is None:
        return
    if failed := state.overview.status.failed:
        text = f":warning: *{counted(failed, 'job change')} could not be delivered.* See why, and try again."
        yield section(text, button("Review", SHOW_FAILED))
    for outage in state.outages:
        yield section(f":hourglass: {outage_text(outage, with_error=state.is_admin)}")
