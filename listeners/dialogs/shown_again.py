"""Views that are shown again: with what was entered in them, or without what their viewer may not see. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.states import is_person
from listeners.dialogs.blocks import Block, View, context

_PRESELECTED = frozenset({"initial_user", "initial_users", "initial_conversation", "initial_conversations"})

_KEPT = ("type", "callback_id", "title", "blocks", "close", "submit", "private_metadata")
_INITIAL = {
    "value": "initial_value",
    "selected_option": "initial_option",
    "selected_options": "initial_options",
    "selected_user": "initial_user",
    "selected_users": "initial_users",
    "selected_conversation": "initial_conversation",
    "selected_date": "initial_date",
    "selected_time": "initial_time",
}
"""The property of a submitted element, and the property that shows the same value again."""


def filled_again(view: View) -> View:
    """The dialog that was submitted, as a new view with the entered values."""
    blocks: list[Block] = []
    for block in view["blocks"]:
        filled: Block = {}
        states = view["state"]["values"].get(block.get("block_id", ""), {})
        if block["type"] == "input" and states:
            filled = {"element": _with_value(block["element"], next(iter(states.values())))}
        elif block["type"] == "actions" and states:
            elements = [_with_value(element, states.get(element["action_id"], {})) for element in block["elements"]]
            filled = {"elements": elements}
        blocks.append(block | filled)
    return {name: view[name] for name in _KEPT if view.get(name)} | {"blocks": blocks}


def _with_value(element: Block, state: Mapping[str, Any]) -> Block:
    """The element that shows at first what was entered in it."""
    typed = {_INITIAL[name]: value for name, value in state.items() if name in _INITIAL}
    kept = {name: value for name, value in element.items() if name not in typed}
    return kept | {name: value for name, value in typed.items() if value}


def without_preselected(view: View) -> View:
    """
    The view without preselected people and channels, each mentioned below its field instead.

    Slack refuses a view that preselects what its viewer cannot see, without saying which it is.
    """
    blocks: list[Block] = []
    for block in view["blocks"]:
        element = block.get("element", {})
        chosen = [value for name, value in element.items() if name in _PRESELECTED]
        if not chosen:
            blocks.append(block)
            continue
        kept = {name: value for name, value in element.items() if name not in _PRESELECTED}
        ids = chosen[0] if isinstance(chosen[0], list) else chosen
        mentions = ", ".join(f"<@{id_}>" if is_person(id_) else f"<#{id_}>" for id_ in ids)
        note = f"Was set to {mentions}, which Slack may not let you choose. Saving replaces it with what you choose."
        blocks += [block | {"element": kept}, context(note)]
    return view | {"blocks": blocks}
