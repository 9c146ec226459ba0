"""Block Kit elements and views that several dialogs use. Pure.

https://docs.slack.dev/reference/block-kit/blocks
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from services.slack.mrkdwn import plain as one_line

Block = dict[str, Any]
View = dict[str, Any]

LONGEST_SECTION = 2_900
"""Characters. Slack allows 3,000, see https://docs.slack.dev/reference/block-kit/blocks/section-block."""

LONGEST_LABEL = 73
"""Characters of an option's label. Slack allows 75, and `one_line` may add two."""

ASSIGNED_FILTER = "assigned_filter"
"""The action_id of the filter of *Assigned to you*. What people did there is confirmed beside it."""

ADMINS_ONLY = (
    ":no_entry: Only workspace admins and owners can see or change this. If you are one, please try again in a minute."
)
"""This is also shown if Slack did not answer whether the person is an admin."""


def section(text: str, accessory: Block | None = None, block_id: str | None = None) -> Block:
    """`text` is mrkdwn. https://docs.slack.dev/reference/block-kit/blocks/section-block"""
    block: Block = {"type": "section", "text": {"type": "mrkdwn", "text": text}}
    return block | ({"accessory": accessory} if accessory else {}) | ({"block_id": block_id} if block_id else {})


def sections(lines: Iterable[str], make_section: Callable[[str], Block] = section) -> list[Block]:
    """Return as many sections as the lines need. No line is split."""
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


def divider() -> Block:
    return {"type": "divider"}


def actions(*elements: Block) -> list[Block]:
    """A row of buttons. Without buttons there is no block."""
    return [{"type": "actions", "elements": list(elements)}] if elements else []


def button(
    label: str, action_id: str, value: str | None = None, *, style: str | None = None, confirm: Block | None = None
) -> Block:
    block: Block = {"type": "button", "action_id": action_id, "text": plain(label)}
    more = {"value": value, "style": style, "confirm": confirm}
    return block | {name: given for name, given in more.items() if given}


def confirm(title: str, text: str, yes: str, *, style: str | None = None) -> Block:
    """The question before a button does something. `yes` is the label of the button that does it."""
    question = {"title": plain(title), "text": plain(text), "confirm": plain(yes), "deny": plain("Cancel")}
    return question | ({"style": style} if style else {})


def options(choices: Mapping[str, str]) -> dict[str, Block]:
    """The options of a menu, by value. `choices` holds labels by value."""
    return {value: {"text": plain(one_line(label, LONGEST_LABEL)), "value": value} for value, label in choices.items()}


def menu(action_id: str, choices: Mapping[str, str], chosen: str | None = None, placeholder: str = "") -> Block:
    """A select menu. `chosen` is the value that is selected at first."""
    offered = options(choices)
    block: Block = {"type": "static_select", "action_id": action_id, "options": list(offered.values())}
    block |= {"initial_option": offered[chosen]} if chosen is not None else {}
    return block | ({"placeholder": plain(placeholder)} if placeholder else {})


def overflow(action_id: str, choices: Mapping[str, str]) -> Block:
    """The menu behind three dots."""
    return {"type": "overflow", "action_id": action_id, "options": list(options(choices).values())}


def plain(text: str) -> Block:
    return {"type": "plain_text", "text": text}


def noted(note: str | None) -> list[Block]:
    """The result of what a person just did, in mrkdwn, for the top of a view; nothing for None."""
    return [section(note)] if note else []


def modal(title: str, blocks: Sequence[Block], data: object = None) -> View:
    """A dialog. `data` becomes its private_metadata, and comes back with everything that people do in it."""
    view: View = {"type": "modal", "title": plain(title), "close": plain("Close"), "blocks": list(blocks)}
    return view | ({"private_metadata": json.dumps(data)} if data is not None else {})


def data_of(view: View) -> Any:
    """What `modal` was given as `data`; an empty mapping if it was given nothing."""
    return json.loads(view.get("private_metadata") or "{}")


def loading_view(title: str) -> View:
    """Opened at once, because Slack allows three seconds to open a dialog, and then updated."""
    return modal(title, [section("Loading…")])


def message_view(title: str, text: str = ADMINS_ONLY) -> View:
    return modal(title, [section(text)])
