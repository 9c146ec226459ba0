"""
The Home tab: members see their own part and how the app works here; admins also see figures and settings. Pure.

https://docs.slack.dev/surfaces/app-home, https://docs.slack.dev/reference/block-kit/blocks
"""

from __future__ import annotations

import json

from listeners.dialogs.blocks import Block, View, context, divider, header, noted, section
from listeners.home.admin_home_view import overview_blocks, settings_blocks
from listeners.home.health_view import EVERYTHING_WORKS, health_blocks
from listeners.home.member_home_view import member_blocks
from listeners.ownership.home_view import who_is_notified
from services.home.home_state import HomeState


def home_view(state: HomeState, notice: str | None = None) -> View:
    """The Home tab of one person. `notice` is the result of what they just did, in mrkdwn."""
    member = [*member_blocks(state.member), divider()] if state.member else []
    parts = _for_members(state, member)
    if state.is_admin:
        parts = [*health_blocks(state), divider(), *member, *overview_blocks(state), *settings_blocks(state)]
    blocks = [header("Job changes"), *noted(notice), *parts]
    # A change says which version the person saw, so that nobody overwrites what they have not seen.
    seen = json.dumps({"version": state.workspace.version})
    return {"type": "home", "private_metadata": seen, "blocks": blocks}


def _for_members(state: HomeState, member: list[Block]) -> list[Block]:
    """Without other people's figures, and without anything that only an admin can change."""
    return [
        section(_health_line(state)),
        divider(),
        *member,
        section(f"*Who is notified*\n{who_is_notified(state.ownership)} {_channel_sentence(state)}"),
        context("Workspace admins and owners change these settings here in Home."),
    ]


def _health_line(state: HomeState) -> str:
    workspace = state.workspace
    if workspace.default_channel_id is None:
        return (
            ":warning: *There is no default channel yet.* Job changes without a DRI are on hold until a workspace admin"
            " chooses one here."
        )
    if workspace.default_channel_problem:
        return (
            f":warning: *The app cannot post in <#{workspace.default_channel_id}>.* Job changes without a DRI are on"
            " hold until a workspace admin fixes this here."
        )
    if state.salesforce and state.salesforce.problem:
        return (
            ":warning: *Owners cannot be looked up in Salesforce right now.* Until a workspace admin fixes this here,"
            " some job changes arrive late or go to the channel."
        )
    return EVERYTHING_WORKS


def _channel_sentence(state: HomeState) -> str:
    """What is posted in the channel."""
    workspace = state.workspace
    channel = "the default channel"
    if workspace.default_channel_id:
        channel += f", <#{workspace.default_channel_id}>"
    if not workspace.tell_dris:
        return f"All job changes are posted in {channel}. Nobody gets direct messages."
    if workspace.channel_gets == "everything":
        return f"Every job change is also posted in {channel}."
    return f"If no DRI is found, the job change is posted with the reason in {channel}."
