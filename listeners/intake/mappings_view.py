"""The dialogs for the field mappings of senders. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from listeners.dialogs.blocks import Block, View, button, context, modal, plain, section
from services.intake.senders.row_mapping import FIELDS
from services.slack.mrkdwn import escape

TITLE = "Field mappings"
MAPPINGS = "sender_mappings"
EDIT, REMOVE, PREVIEW, SAVE = "mapping_edit", "mapping_remove", "mapping_preview", "mapping_save"
SOURCE, DEFINITION, ROW = "source", "definition", "row"
MOST_SHOWN = 45
"""Two blocks each; a view holds 100."""

NEW = "+"
"""The value of the button that adds a mapping. No sender has this name."""

_EXAMPLE = {
    "map": {"person.name": "person.full_name", "person.mail": "person.emails", "to.company": "current.company.name"},
    "set": {"signal": "contact_tracking"},
    "words": {"change_type": {"Left": "departure"}},
}
LONGEST_DEFINITION = 3_000
"""https://docs.slack.dev/reference/block-kit/block-elements/plain-text-input-element"""


def mappings_view(mappings: Mapping[str, Mapping[str, Any]], intake_url: str, note: str | None = None) -> View:
    """Return the list of mappings, and how a sender uses them."""
    blocks = [section(note)] if note else []
    blocks.append(
        section(
            "TAMradar, Common Room and flat rows, such as those of Clay or Zapier, need no mapping. Have them post to"
            f"\n`{intake_url}?source=tamradar` (or `common_room`, `clay`, `zapier`, `csv`).\nFor any other sender, map"
            " its fields to ours here."
        )
    )
    for source, definition in list(mappings.items())[:MOST_SHOWN]:
        buttons = [button("Edit", EDIT, source), button("Remove", REMOVE, source) | {"style": "danger"}]
        count = len(definition.get("map", {}))
        fields = "1 field" if count == 1 else f"{count} fields"
        blocks += [
            section(f"*{escape(source, 100)}*: {fields}, posted to `…?source={escape(source, 100)}`"),
            {"type": "actions", "block_id": f"mapping-{source}", "elements": buttons},
        ]
    if len(mappings) > MOST_SHOWN:
        blocks.append(context(f"{len(mappings) - MOST_SHOWN} more are not shown here. Remove others to see them."))
    blocks.append({"type": "actions", "elements": [button("Add sender", EDIT, NEW)]})
    return modal(TITLE, blocks)


def mapping_view(source: str, definition: str = "", row: str = "", note: str | None = None) -> View:
    """Return one sender's mapping as JSON, with a row to test it. `note` is the result of the test in mrkdwn."""
    blocks: list[Block] = [
        _input(SOURCE, "Sender name", source, most=100),
        _input(DEFINITION, "Field mapping (JSON)", definition or as_json(_EXAMPLE), most=LONGEST_DEFINITION),
        _input(ROW, "Sample row (JSON)", row, most=LONGEST_DEFINITION, optional=True),
        {"type": "actions", "elements": [button("Preview", PREVIEW)]},
        *([section(note)] if note else []),
        context(f"Fields: {', '.join(f'`{name}`' for name in FIELDS)}, `custom.…`"),
    ]
    return modal(TITLE, blocks) | {"callback_id": SAVE, "submit": plain("Save")}


def as_json(definition: Mapping[str, Any]) -> str:
    """Return the definition indented if that fits into the input, else compact. It is never cut off."""
    wide = json.dumps(definition, indent=1, ensure_ascii=False)
    return (
        wide if len(wide) <= LONGEST_DEFINITION else json.dumps(definition, separators=(",", ":"), ensure_ascii=False)
    )


def _input(name: str, label: str, value: str, *, most: int, optional: bool = False) -> Block:
    element = {"type": "plain_text_input", "action_id": name, "max_length": most, "multiline": name != SOURCE}
    if value:
        element["initial_value"] = value[:most]
    return {"type": "input", "block_id": name, "optional": optional, "label": plain(label), "element": element}
