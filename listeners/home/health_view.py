"""The first thing Home says: a green line, or what is wrong, each with the button that mends it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from domain.workspace import Workspace
from listeners.dialogs.blocks import Block, button, plain, section
from listeners.intake.keys_view import HOW_TO_SEND
from listeners.salesforce.settings_view import CONNECT, SOURCES, TRY_AGAIN
from listeners.status.failed_view import SHOW_FAILED
from services.home.home_state import HomeState
from services.messages.wording import slack_time
from services.salesforce.health import Health
from services.slack.mrkdwn import escape

CHOOSE_CHANNEL = "home_choose_channel"
CHECK_CHANNEL = "home_check_channel"

MOST_LINES = 3
"""About the places in Salesforce where job changes are found: the dialog behind the button has all."""

ALL_WELL = ":white_check_mark: All is well: job changes are delivered as they come in."


def health_blocks(state: HomeState) -> list[Block]:
    """For admins."""
    troubles = [*_of_the_channel(state), *_of_salesforce(state), *_of_the_rest(state)]
    return troubles or [section(ALL_WELL)]


def channel_picker(workspace: Workspace) -> Block:
    """
    With the channel that is chosen, if whoever looks is sure to see it: of others Slack shows no picker, or no Home.

    https://docs.slack.dev/reference/block-kit/block-elements/select-menu-element#conversations_select
    """
    picker: Block = {
        "type": "conversations_select",
        "action_id": CHOOSE_CHANNEL,
        "placeholder": plain("Choose a channel"),
        "filter": {"include": ["public", "private"]},
    }
    is_seen = workspace.default_channel_is_public and not workspace.default_channel_problem
    return picker | ({"initial_conversation": workspace.default_channel_id} if is_seen else {})


def fresh(name: str, state: HomeState) -> str:
    """A new block_id each time: with the old one Slack keeps showing what was picked, also when it was refused."""
    return f"{name}-{state.shown_at}"


def _of_the_channel(state: HomeState) -> Iterator[Block]:
    workspace = state.workspace
    kept = f" {_count(state.waiting)} kept until then." if state.waiting else ""
    if workspace.default_channel_id is None:
        text = f":warning: *No default channel yet.* Choose one, so that job changes without a DRI are seen.{kept}"
        yield section(text, channel_picker(workspace), fresh("no-channel", state))
    elif workspace.default_channel_problem:
        why = escape(workspace.default_channel_problem, 300)
        text = f":warning: *<#{workspace.default_channel_id}> cannot be posted to:* {why}."
        text += f" Fix it in Slack and check again, or choose another channel below.{kept}"
        yield section(text, button("Check again", CHECK_CHANNEL))


def _of_salesforce(state: HomeState) -> Iterator[Block]:
    connection = state.salesforce
    if connection and connection.problem:
        why = escape(connection.problem, 300)
        text = f":warning: *Salesforce needs you:* {why}. Until then no owners are looked up."
        is_ours = connection.uses_operator_app  # an admin mends it in Salesforce, not by connecting
        again = button("Try again", TRY_AGAIN) if is_ours else button("Connect again", CONNECT)
        yield section(text, again)
        return
    lines = state.overview.status.salesforce if state.overview else ()
    for line in [line for line in lines if line.health is Health.BAD][:MOST_LINES]:
        text = f":warning: *Job changes are not found in Salesforce:* {escape(line.text, 400)}."
        yield section(text, button("Look at it", SOURCES))


def _of_the_rest(state: HomeState) -> Iterator[Block]:
    if not state.keys and not state.salesforce:
        text = ":point_right: *Nothing sends job changes yet.* Make a key for a sender, or connect Salesforce, below."
        yield section(text, button("How to send", HOW_TO_SEND))
    if state.overview is None:
        return
    if buried := state.overview.status.failed:
        text = f":warning: *{_could(buried)} not be delivered*, although we kept trying. See why, and try again."
        yield section(text, button("Look and try again", SHOW_FAILED))
    for vendor, since in state.overview.status.silent.items():
        text = f":hourglass: *{vendor} has not responded* since {slack_time(since)}. Requests are kept and retried."
        yield section(text)


def _could(buried: int) -> str:
    return "One job change could" if buried == 1 else f"{buried:,} job changes could"


def _count(waiting: int) -> str:
    return "One job change is" if waiting == 1 else f"{waiting:,} job changes are"
