"""Block Kit elements of messages: texts, buttons and menus. Pure.

https://docs.slack.dev/reference/block-kit
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from domain.messages.card_buttons import CardButton
from services.messages.available_actions import AvailableActions, MessageAction

ACTION = "delivery_"
"""The prefix of a button's action_id, before its ActionKind. The button's value is the delivery's id, which
`ButtonSigner` signs in messages."""

MENU = "delivery_menu"
"""The action_id of the menus. An option's value is its ActionKind, a colon and the delivery's id."""

LINK = "link_"
"""The prefix of the action_id of buttons that only open a page. Older messages have such, too."""

Block = dict[str, Any]


def action_row(
    block_id: str, delivery_id: int, available: AvailableActions, card_buttons: Sequence[CardButton] = ()
) -> Block:
    """The actions of a delivery: its buttons, those that the admins have added, and the menu beside them."""
    menu = overflow_menu(delivery_id, available.menu)
    buttons = [*(button(delivery_id, action) for action in available.buttons), *added_buttons(card_buttons)]
    return {"type": "actions", "block_id": block_id, "elements": [*buttons, *([menu] if menu else [])]}


def added_buttons(card_buttons: Sequence[CardButton]) -> list[Block]:
    """
    The buttons that the admins have added, filled. Slack sends an interaction for those that open a page, and starts
    workflows itself.
    """
    buttons = []
    for number, card_button in enumerate(card_buttons):
        block: Block = {"type": "button", "action_id": f"{LINK}{number}", "text": plain_text(card_button.label)}
        if card_button.is_workflow:
            inputs = [{"name": name, "value": value} for name, value in card_button.inputs.items()]
            trigger = {"url": card_button.url} | ({"customizable_input_parameters": inputs} if inputs else {})
            block |= {"type": "workflow_button", "workflow": {"trigger": trigger}}
        else:
            block["url"] = card_button.url
        buttons.append(block)
    return buttons


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
