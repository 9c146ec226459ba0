"""Block Kit elements of messages: texts, buttons and menus. Pure.

https://docs.slack.dev/reference/block-kit
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.messages.available_actions import AvailableActions, MessageAction

ACTION = "delivery_"
"""The prefix of a button's action_id, before its ActionKind. The button's value is the delivery's id, which
`ButtonSigner` signs in messages."""

MENU = "delivery_menu"
"""The action_id of the menus. An option's value is its ActionKind, a colon and the delivery's id."""

Block = dict[str, Any]


def action_row(block_id: str, delivery_id: int, available: AvailableActions) -> Block:
    """The actions of a delivery: its buttons, and the menu beside them."""
    menu = overflow_menu(delivery_id, available.menu)
    elements = [*(button(delivery_id, action) for action in available.buttons), *([menu] if menu else [])]
    return {"type": "actions", "block_id": block_id, "elements": elements}


def button(delivery_id: int, action: MessageAction) -> Block:
    block: Block = {
        "type": "button",
        "action_id": f"{ACTION}{action.kind}",
        "text": plain_text(action.label),
        "value": str(delivery_id),
    }
    return block | ({"style": "primary"} if action.is_primary else {})


def overflow_menu(delivery_id: int, menu: Sequence[MessageAction]) -> Block | None:
    """Return None if there is no action."""
    return {"type": "overflow", "action_id": MENU, "options": options(delivery_id, menu)} if menu else None


def options(delivery_id: int, menu: Sequence[MessageAction]) -> list[Block]:
    return [{"text": plain_text(action.label), "value": f"{action.kind}:{delivery_id}"} for action in menu]


def section(text: str, accessory: Block | None = None) -> Block:
    return {"type": "section", "text": mrkdwn(text)} | ({"accessory": accessory} if accessory else {})


def context(*texts: str) -> Block:
    return {"type": "context", "elements": [mrkdwn(text) for text in texts]}


def mrkdwn(text: str) -> Block:
    # Verbatim keeps Slack from turning names such as globex.com or #sales into links.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def plain_text(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": False}


def text_length(part: Block | list[Any]) -> int:
    """The characters of all text in blocks."""
    if isinstance(part, list):
        return sum(text_length(item) for item in part if isinstance(item, dict | list))
    text = part.get("text")
    own = len(text) if isinstance(text, str) else 0
    return own + sum(text_length(value) for value in part.values() if isinstance(value, dict | list))
