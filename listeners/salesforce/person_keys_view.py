"""The dialog with the fields by which people and companies are found. Pure."""

from __future__ import annotations

from domain.people import SearchFields, key_lines
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
DOMAIN_FIELD = Text(
    "domain_field",
    "Domain field of Account",
    hint="Holds the company's domain, such as globex.com. Compared before Website, which is matched in its usual"
    " forms.",
    longest=80,
    optional=True,
)
PERSON_KEYS_FORM = Form("person_keys_save", "Find people", "Save", (KEYS, DOMAIN_FIELD), close="Close")


def person_keys_view(
    typed: str, domain_field: str | None, proposed: SearchFields | None, note: str | None = None
) -> View:
    """`typed` has one key per line. `proposed` are fields of the org that are not in use."""
    intro = (
        "A job change with a Salesforce id belongs to that contact or lead. For the others, these fields are compared"
        " in this order, and the first one that matches decides."
    )
    blocks = [*noted(note), section(intro), KEYS.block(typed), DOMAIN_FIELD.block(domain_field)]
    if proposed and (proposed.keys or proposed.domain_field):
        lines = key_lines(proposed.keys[:MOST_PROPOSED])  # names of fields, which need no escaping
        if proposed.domain_field:
            lines += f"\nAccount.{proposed.domain_field} (domain)"
        blocks += [section(f"*Found in your org*\n```{lines}```"), *actions(button("Add these", ADD))]
    blocks.append(context("Fields that are External IDs in Salesforce are indexed, so they are searched quickly."))
    return PERSON_KEYS_FORM.view(blocks)
