"""The dialogs for the field mappings of senders. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from domain.day_counts import counted
from listeners.dialogs.blocks import View, actions, button, confirm, context, modal, noted, section
from listeners.dialogs.form import LONGEST_TEXT, Form, Text
from services.intake.mapping.row_mapping import FIELDS
from services.slack.mrkdwn import escape

TITLE = "Field mappings"
MAPPINGS = "sender_mappings"
EDIT, REMOVE, PREVIEW = "mapping_edit", "mapping_remove", "mapping_preview"
MOST_SHOWN = 45
"""Two blocks each; a view holds 100."""

_REMOVE = confirm("Remove this mapping?", "Rows that the sender posts from now on are refused.", "Remove")

NEW = "+"
"""The value of the button that adds a mapping. No sender has this name."""

_EXAMPLE = {
    "map": {"person.name": "person.full_name", "person.mail": "person.emails", "to.company": "current.company.name"},
    "set": {"signal": "contact_tracking"},
    "words": {"change_type": {"Left": "departure"}},
}

SOURCE = Text("source", "Sender name", longest=100)
DEFINITION = Text("definition", "Field mapping (JSON)", multiline=True)
ROW = Text("row", "Sample row (JSON)", multiline=True, optional=True)
MAPPING = Form("mapping_save", TITLE, "Save", (SOURCE, DEFINITION, ROW), close="Close")


def mappings_view(mappings: Mapping[str, Mapping[str, Any]], intake_url: str, note: str | None = None) -> View:
    """Return the list of mappings, and how a sender uses them."""
    intro = (
        "TAMradar, Common Room and flat rows, such as those of Clay or Zapier, need no mapping. Have them post to"
        f"\n`{intake_url}?source=tamradar` (or `common_room`, `clay`, `zapier`, `csv`).\nFor any other sender, map its"
        " fields to ours here."
    )
    blocks = [*noted(note), section(intro)]
    for source, definition in list(mappings.items())[:MOST_SHOWN]:
        fields, sender = counted(len(definition.get("map", {})), "field"), escape(source, 100)
        blocks.append(section(f"*{sender}*: {fields}, posted to `…?source={sender}`"))
        buttons = actions(
            button("Edit", EDIT, source), button("Remove…", REMOVE, source, style="danger", confirm=_REMOVE)
        )
        blocks += [row | {"block_id": f"mapping-{source}"} for row in buttons]
    if len(mappings) > MOST_SHOWN:
        blocks.append(context(f"{len(mappings) - MOST_SHOWN} more are not shown here. Remove others to see them."))
    return modal(TITLE, [*blocks, *actions(button("Add sender", EDIT, NEW))])


def mapping_view(source: str, definition: str = "", row: str = "", note: str | None = None) -> View:
    """Return one sender's mapping as JSON, with a row to test it. `note` is the result of the test in mrkdwn."""
    return MAPPING.view(
        [
            SOURCE.block(source),
            DEFINITION.block(definition or as_json(_EXAMPLE)),
            ROW.block(row),
            *actions(button("Preview", PREVIEW)),
            *noted(note),
            context(f"Fields: {', '.join(f'`{name}`' for name in FIELDS)}, `custom.…`"),
        ]
    )


def as_json(definition: Mapping[str, Any]) -> str:
    """Return the definition indented if that fits into the input, else compact. It is never cut off."""
    wide = json.dumps(definition, indent=1, ensure_ascii=False)
    return wide if len(wide) <= LONGEST_TEXT else json.dumps(definition, separators=(",", ":"), ensure_ascii=False)
