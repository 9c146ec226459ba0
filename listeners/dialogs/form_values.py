"""Form values: reads what people entered in a dialog. Pure.

https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload
"""

from __future__ import annotations

from typing import Any

from listeners.dialogs.blocks import View


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
