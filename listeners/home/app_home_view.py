"""
The Home tab: members see what is theirs and how the app works here; admins also see its health and settings. Pure.

https://docs.slack.dev/surfaces/app-home, https://docs.slack.dev/reference/block-kit/blocks
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator

from listeners.dialogs.blocks import Block, View, button, context, divider, header, section
from listeners.home.admin_home_view import (
    SHOW_STATISTICS,
    limits_blocks,
    policy_blocks,
    routing_blocks,
    setup_blocks,
    sources_blocks,
)
from listeners.home.assigned_view import assigned_blocks, page_data
from listeners.home.day_count_chart import summary
from listeners.home.health_view import EVERYTHING_WORKS, health_blocks
from listeners.home.member_home_view import preference_blocks
from listeners.ownership.home_view import who_is_notified
from services.home.home_state import HomeNotice, HomeState


def home_view(state: HomeState, notice: HomeNotice | None = None) -> View:
    """The Home tab of one person. `notice` is the result of what they just did."""
    first = [*assigned_blocks(state.member), divider()] if state.member else [header("Job changes")]
    parts = _for_admins(state) if state.is_admin else _for_members(state)
    blocks = _confirmed(list(_with_block_ids([*first, *parts])), notice)
    # A change says which version the person saw, so that nobody overwrites what they have not seen.
    page = page_data(state.member.assigned) if state.member else {}
    seen = json.dumps({"version": state.workspace.version, **page})
    return {"type": "home", "private_metadata": seen, "blocks": blocks}


def _for_admins(state: HomeState) -> Iterator[Block]:
    yield from health_blocks(state)
    if state.overview and state.overview.has_counts:
        figures = f"*Last 30 days*\n{summary(state.overview.day_counts)}"
        yield section(figures, button("Statistics…", SHOW_STATISTICS), "figures")
    yield from setup_blocks(state)
    for blocks in (sources_blocks, routing_blocks, policy_blocks, limits_blocks):
        yield divider()
        yield from blocks(state)
    if state.member:
        yield divider()
        yield from preference_blocks(state.member, has_salesforce=state.salesforce is not None)


def _for_members(state: HomeState) -> Iterator[Block]:
    """The Home of a member has no figures of other people, and nothing that only an admin can change."""
    yield section(_health_line(state))
    yield divider()
    if state.member:
        yield from preference_blocks(state.member, has_salesforce=state.salesforce is not None)
        yield divider()
    readers = f"*Who is notified*\n{who_is_notified(state.ownership)} {_channel_sentence(state)}"
    yield context(f"{readers} Workspace admins and owners can change this.")


def _with_block_ids(blocks: Iterable[Block]) -> Iterator[Block]:
    """Slack gives a block without an id a new one each time, but a press in an older Home names the old one."""
    seen = Counter[str]()
    for block in blocks:
        action_ids = _action_ids(block)
        if not action_ids or "block_id" in block:
            yield block
            continue
        seen[action_ids[0]] += 1
        yield block | {"block_id": f"{action_ids[0]}-{seen[action_ids[0]]}"}


def _confirmed(blocks: list[Block], notice: HomeNotice | None) -> list[Block]:
    """Show the result of what the person did: beside the control that they used, or else at the top."""
    if notice is None:
        return blocks
    places = (place for place, block in enumerate(blocks, 1) if notice.control in _action_ids(block))
    place = next(places, None) if notice.control else None
    if place is None:
        return [blocks[0], section(notice.text), *blocks[1:]]
    return [*blocks[:place], context(notice.text), *blocks[place:]]


def _action_ids(block: Block) -> list[str]:
    elements = [block.get("accessory"), *block.get("elements", ())]
    return [element["action_id"] for element in elements if element and "action_id" in element]


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
