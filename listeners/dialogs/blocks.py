"""Block Kit elements and views that several dialogs use. Pure.

https://docs.slack.dev/reference/block-kit/blocks
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

Block = dict[str, Any]
View = dict[str, Any]

LONGEST_SECTION = 2_900
"""Characters. Slack allows 3,000, see https://docs.slack.dev/reference/block-kit/blocks/section-block."""

ADMINS_ONLY = (
    ":no_entry: Only workspace admins and owners can see or change this. If you are one, please try again in a minute."
)
"""Also shown if Slack did not answer whether the person is an admin."""


def section(text: str, accessory: Block | None = None, block_id: str | None = None) -> Block:
    """`text` is mrkdwn. https://docs.slack.dev/reference/block-kit/blocks/section-block"""
    block: Block = {"type": "section", "text": {"type": "mrkdwn", "text": text}}
    return block | ({"accessory": accessory} if accessory else {}) | ({"block_id": block_id} if block_id else {})


def sections(lines: Iterable[str], make_section: Callable[[str], Block] = section) -> list[Block]:
    """As many sections as the lines need. No line is split."""
    texts: list[str] = []
    for line in lines:
        if texts and len(texts[-1]) + len(line) <= LONGEST_SECTION:
            texts[-1] += f"\n{line}"
        else:
            texts.append(line)
    return [make_section(text) for text in texts]


def context(text: str) -> Block:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text}]}


def header(text: str) -> Block:
    return {"type": "header", "text": plain(text)}


def button(label: str, action_id: str, value: str | None = None) -> Block:
    return {"type": "button", "action_id": action_id, "text": plain(label)} | ({"value": value} if value else {})


def select(action_id: str, choices: dict[str, str], chosen: str) -> Block:
    """`choices` holds labels by value. `chosen` is the value that is selected at first."""
    options = {value: {"text": plain(label), "value": value} for value, label in choices.items()}
    return {
        "type": "static_select",
        "action_id": action_id,
        "options": list(options.values()),
        "initial_option": options[chosen],
    }


def plain(text: str) -> Block:
    return {"type": "plain_text", "text": text}


def modal(title: str, blocks: list[Block]) -> View:
    return {"type": "modal", "title": plain(title), "close": plain("Close"), "blocks": blocks}


def loading_view(title: str) -> View:
    """Opened at once, because Slack allows three seconds to open a dialog, and then updated."""
    return modal(title, [section("Loading…")])


def message_view(title: str, text: str = ADMINS_ONLY) -> View:
    return modal(title, [section(text)])
