"""The dialogs about senders whose rows have names of their own. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from listeners.dialogs.blocks import Block, View, button, context, modal, plain, section
from services.intake.senders.row_mapping import FIELDS
from services.slack.mrkdwn import escape

TITLE = "Rows of other senders"
MAPPINGS = "sender_mappings"
EDIT, REMOVE, PREVIEW, SAVE = "mapping_edit", "mapping_remove", "mapping_preview", "mapping_save"
SOURCE, DEFINITION, ROW = "source", "definition", "row"
MOST_SHOWN = 45
"""Two blocks each; a view holds 100."""

NEW = "+"
"""The value of the button that begins a new one; no sender is called so."""

_EXAMPLE = {
    "map": {"person.name": "person.full_name", "person.mail": "person.emails", "to.company": "current.company.name"},
    "set": {"signal": "contact_tracking"},
    "words": {"change_type": {"Left": "departure"}},
}
LONGEST_DEFINITION = 3_000
"""https://docs.slack.dev/reference/block-kit/block-elements/plain-text-input-element"""


def mappings_view(known: Mapping[str, Mapping[str, Any]], intake_url: str, note: str | None = None) -> View:
    """Those there are, and how a sender uses one."""
    blocks = [section(note)] if note else []
    blocks.append(
        section(
            "TAMradar, Common Room and flat rows, as from Clay or Zapier, are understood as they are: have them post to"
            f"\n`{intake_url}?source=tamradar` (or `common_room`, `clay`, `zapier`, `csv`).\nFor any other sender, say"
            " here which of its fields is which of ours."
        )
    )
    for source, definition in list(known.items())[:MOST_SHOWN]:
        buttons = [button("Edit", EDIT, source), button("Remove", REMOVE, source) | {"style": "danger"}]
        count = len(definition.get("map", {}))
        blocks += [
            section(f"*{escape(source, 100)}*: {count} fields, posted to `…?source={escape(source, 100)}`"),
            {"type": "actions", "block_id": f"mapping-{source}", "elements": buttons},
        ]
    if len(known) > MOST_SHOWN:
        blocks.append(context(f"And {len(known) - MOST_SHOWN} more, shown once others are removed."))
    blocks.append({"type": "actions", "elements": [button("Map another sender", EDIT, NEW)]})
    return modal(TITLE, blocks)


def mapping_view(source: str, definition: str = "", row: str = "", note: str | None = None) -> View:
    """One sender's mapping as JSON, and a row to try it on. *note*: what came of trying it, in mrkdwn."""
    blocks: list[Block] = [
        _input(SOURCE, "Name of the sender", source, most=100),
        _input(DEFINITION, "Mapping: path to field, as JSON", definition or as_json(_EXAMPLE), most=LONGEST_DEFINITION),
        _input(ROW, "A row to try it on, as JSON", row, most=LONGEST_DEFINITION, optional=True),
        {"type": "actions", "elements": [button("Preview", PREVIEW)]},
        *([section(note)] if note else []),
        context(f"Fields: {', '.join(f'`{name}`' for name in FIELDS)}, `custom.…`"),
    ]
    return modal(TITLE, blocks) | {"callback_id": SAVE, "submit": plain("Save")}


def as_json(definition: Mapping[str, Any]) -> str:
    """To be edited: as wide as fits, for what was cut could not be saved any more."""
    wide = json.dumps(definition, indent=1, ensure_ascii=False)
    return (
        wide if len(wide) <= LONGEST_DEFINITION else json.dumps(definition, separators=(",", ":"), ensure_ascii=False)
    )


def _input(name: str, label: str, value: str, *, most: int, optional: bool = False) -> Block:
    element = {"type": "plain_text_input", "action_id": name, "max_length": most, "multiline": name != SOURCE}
    if value:
        element["initial_value"] = value[:most]
    return {"type": "input", "block_id": name, "optional": optional, "label": plain(label), "element": element}
