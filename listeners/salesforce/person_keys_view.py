"""The dialog with the fields by which people are found. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from domain.people import PersonKey, key_lines
from listeners.dialogs.blocks import View, actions, button, context, noted, section
from listeners.dialogs.form import Form, Text

ADD = "person_keys_add"
MOST_PROPOSED = 8

KEYS = Text(
    "person_keys",
    "Fields, one per line",
    hint="Field = what it holds: email, linkedin, or custom.NAME for a field of the sender. If empty: the email"
    " address.",
    longest=2_000,
    multiline=True,
    optional=True,
)
PERSON_KEYS_FORM = Form("person_keys_save", "Find people", "Save", (KEYS,), close="Close")


def person_keys_view(typed: str, proposed: Sequence[PersonKey], note: str | None = None) -> View:
    """`typed` has one key per line. `proposed` are fields of the org that are not in use."""
    intro = (
        "A job change with a Salesforce id belongs to that contact or lead. For the others, these fields are compared"
        " in this order, and the first one that matches decides."
    )
    blocks = [*noted(note), section(intro), KEYS.block(typed)]
    if proposed:
        lines = key_lines(proposed[:MOST_PROPOSED])  # names of fields, which need no escaping
        blocks += [section(f"*Found in your org*\n```{lines}```"), *actions(button("Add these", ADD))]
    blocks.append(context("Fields that are External IDs in Salesforce are indexed, and found quickly."))
    return PERSON_KEYS_FORM.view(blocks)
