"""The dialog with the fields by which people are found. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from domain.people import PersonKey, key_lines
from listeners.dialogs.blocks import Block, View, button, context, modal, plain, section

TITLE = "Find people"
KEYS, ADD, SAVE = "person_keys", "person_keys_add", "person_keys_save"
MOST_PROPOSED = 8


def person_keys_view(typed: str, proposed: Sequence[PersonKey], note: str | None = None) -> View:
    """`typed` has one key per line. `proposed` are fields of the org that are not in use."""
    element = {"type": "plain_text_input", "action_id": KEYS, "multiline": True, "max_length": 2_000}
    blocks: list[Block] = [
        *([section(note)] if note else []),
        section(
            "A job change with a Salesforce id belongs to that contact or lead. For the others, these fields are"
            " compared in this order, and the first one that matches decides."
        ),
        {
            "type": "input",
            "block_id": KEYS,
            "optional": True,
            "label": plain("Fields, one per line"),
            "hint": plain(
                "Field = what it holds: email, linkedin, or custom.NAME for a field of the sender. If empty: the email"
                " address."
            ),
            "element": element | ({"initial_value": typed[:2_000]} if typed else {}),
        },
    ]
    if proposed:
        lines = key_lines(proposed[:MOST_PROPOSED])  # names of fields, which need no escaping
        add = button("Add these", ADD)
        blocks += [section(f"*Found in your org*\n```{lines}```"), {"type": "actions", "elements": [add]}]
    blocks.append(context("Fields that are External IDs in Salesforce are indexed, and found quickly."))
    return modal(TITLE, blocks) | {"callback_id": SAVE, "submit": plain("Save")}
