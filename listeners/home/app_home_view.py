"""
What Home looks like: to everybody their own part and how it works here; to admins also how it goes, and the settings.
Pure.

https://docs.slack.dev/surfaces/app-home, https://docs.slack.dev/reference/block-kit/blocks
"""

from __future__ import annotations

import json

from listeners.dialogs.blocks import Block, View, context, header, section
from listeners.home.admin_home_view import overview_blocks, settings_blocks
from listeners.home.health_view import ALL_WELL, health_blocks
from listeners.home.member_home_view import my_blocks
from listeners.ownership.home_view import who_is_notified
from services.home.home_state import HomeState

_DIVIDER: Block = {"type": "divider"}


def home_view(state: HomeState, notice: str | None = None) -> View:
    """The Home tab of one person. *notice*: what came of what they just did, in mrkdwn."""
    mine = [*my_blocks(state.mine), _DIVIDER] if state.mine else []
    parts = _for_admins(state, mine) if state.is_admin else _for_members(state, mine)
    blocks = [header("Job changes"), *([section(notice)] if notice else []), *parts]
    # Whoever changes something says which version they saw, so that nobody overwrites what they have not seen.
    seen = json.dumps({"version": state.workspace.version})
    return {"type": "home", "private_metadata": seen, "blocks": blocks}


def _for_admins(state: HomeState, mine: list[Block]) -> list[Block]:
    return [*health_blocks(state), _DIVIDER, *mine, *overview_blocks(state), *settings_blocks(state)]


def _for_members(state: HomeState, mine: list[Block]) -> list[Block]:
    """Nothing of how others are doing, and nothing that only an admin can change."""
    return [
        section(_standing(state)),
        _DIVIDER,
        *mine,
        section(f"*Who is told*\n{who_is_notified(state.ownership)} {_the_rest(state)}"),
        context("Workspace admins and owners set this up, here in the Home tab."),
    ]


def _standing(state: HomeState) -> str:
    workspace = state.workspace
    if workspace.default_channel_id is None:
        return (
            ":warning: *No default channel yet*, so job changes without a DRI are kept until there is one."
            " Ask a workspace admin to choose it here."
        )
    if workspace.default_channel_problem:
        return (
            f":warning: *<#{workspace.default_channel_id}> cannot be posted to*, so job changes without a DRI are kept"
            " until it can. Ask a workspace admin to fix it here."
        )
    if state.salesforce and state.salesforce.problem:
        return (
            ":warning: *Owners cannot be looked up in Salesforce just now*, so some job changes may come late or go to"
            " the channel. Ask a workspace admin to connect it again here."
        )
    return ALL_WELL


def _the_rest(state: HomeState) -> str:
    """Where that goes of which nobody in person is told."""
    workspace = state.workspace
    channel = "the default channel"
    if workspace.default_channel_id:
        channel += f", <#{workspace.default_channel_id}>,"
    if not workspace.tell_dris:
        return f"They read it in {channel} not in person."
    if workspace.channel_gets == "everything":
        return f"In addition, {channel} gets every job change."
    return f"When nobody can be found, {channel} reads it with the reason."
