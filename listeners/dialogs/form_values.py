"""Form values: reads what people entered in a dialog, and shows the dialog again with it. Pure.

https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from listeners.dialogs.blocks import Block, View

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


def as_typed(view: View) -> View:
    """The dialog that was submitted, as a new view with the entered values."""
    blocks = [_as_typed(block, view["state"]["values"]) for block in view["blocks"]]
    return {name: view[name] for name in _KEPT if view.get(name)} | {"blocks": blocks}


def _as_typed(block: Block, values: Mapping[str, Any]) -> Block:
    states = values.get(block.get("block_id", ""), {})
    if block["type"] != "input" or not states:
        return block
    state: dict[str, Any] = next(iter(states.values()))
    typed = {_INITIAL[name]: value for name, value in state.items() if name in _INITIAL}
    element = {name: value for name, value in block["element"].items() if name not in typed}
    return block | {"element": element | {name: value for name, value in typed.items() if value}}


def field_value(view: View, block_id: str) -> Any:
    """
    The value of a field: text, the value of an option, an id, a list of those, a day (2026-11-23) or a time (17:05).

    None means that nothing was entered.
    """
    state: dict[str, Any] = next(iter(view["state"]["values"].get(block_id, {}).values()), {})
    for name in ("value", "selected_user", "selected_conversation", "selected_users", "selected_date", "selected_time"):
        if name in state:
            return state[name]
    if "selected_options" in state:
        return [option["value"] for option in state["selected_options"] or []]
    option = state.get("selected_option")
    return option.get("value") if isinstance(option, dict) else None
