"""The dialogs for the field mappings of senders. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any
from urllib.parse import quote

from domain.day_counts import counted
from domain.job_change.validation import InvalidJobChangeError
from listeners.dialogs.blocks import Block, View, actions, button, confirm, context, menu, modal, noted, section
from listeners.dialogs.form import LONGEST_TEXT, Form, Text, row_block
from listeners.intake.mapping_rows import (
    MAPPING_TEXT,
    MOST_PATHS,
    MOST_ROWS,
    MappingForm,
    MappingRow,
    States,
    paths_in,
    row_fields,
)
from services.intake.mapping.fields import FIELDS
from services.intake.mapping.row_mapping import decoded, value_at
from services.slack.mrkdwn import escape

TITLE = "Field mappings"
MAPPINGS = "sender_mappings"
EDIT, REMOVE, PREVIEW = "mapping_edit", "mapping_remove", "mapping_preview"
ADD_ROW, ADD_FIXED, ADD_PATH = "mapping_add_row", "mapping_add_fixed", "mapping_add_path"
REMOVE_ROW = "mapping_remove_row"
AS_JSON, AS_ROWS = "mapping_as_json", "mapping_as_rows"
MOST_SHOWN = 45
"""Two blocks each; a view holds 100."""

LONGEST_SHOWN = 60
"""Characters of a value of the sample beside its path."""

_REMOVE = confirm(
    "Remove this mapping?", "Rows that the sender posts from now on are refused.", "Remove", style="danger"
)

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
"""Without the rows of a mapping, of which there are as many as it needs: see `mapping_form_of`."""


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
        blocks.append(section(f"*{sender}*: {fields}, posted to `…?source={quote(source, safe='')}`"))
        buttons = actions(
            button("Edit", EDIT, source), button("Remove", REMOVE, source, style="danger", confirm=_REMOVE)
        )
        blocks += [row | {"block_id": f"mapping-{source}"} for row in buttons]
    if len(mappings) > MOST_SHOWN:
        blocks.append(context(f"{len(mappings) - MOST_SHOWN} more are not shown here. Remove others to see them."))
    return modal(TITLE, [*blocks, *actions(button("Add sender", EDIT, NEW))])


def mapping_form_of(states: States) -> Form:
    """MAPPING with the rows that a dialog shows. `states` are its values as Slack sends them."""
    return replace(MAPPING, fields=(*MAPPING.fields, *row_fields(states)))


def rows_view(form: MappingForm, received: object = None, note: str | None = None) -> View:
    """
    Return one sender's mapping row by row, each with its value in the sample.

    `received` is the latest payload that was refused, decoded and masked; the row that was entered comes before it.
    `note` is the result of the test in mrkdwn.
    """
    entered = _decoded(form.sample)
    sample = entered if isinstance(entered, dict) else received
    sample = sample[0] if isinstance(sample, list) and sample else sample
    paths = [row for row in form.rows if not row.always]
    fixed = [row for row in form.rows if row.always]
    hint = "" if entered or not received else " The values are those of the latest payload that was refused, shortened."
    return MAPPING.view(
        [
            replace(SOURCE, action_id=MAPPING_TEXT).block(form.source) | {"dispatch_action": True},
            section(f"Each column or path of the payload goes to a field of the job change.{hint}"),
            *(block for row in paths for block in _row(row, sample)),
            *_adding(form, sample),
            *(block for row in fixed for block in _row(row, None)),
            ROW.block(form.sample),
            *actions(button("Preview", PREVIEW), button("Edit as JSON", AS_JSON)),
            *noted(note),
            *_kept(form),
        ],
        {"of": form.original, "next": form.next_row},
    )


def _row(row: MappingRow, sample: object) -> Iterator[Block]:
    path_input = row.input
    if sample and row.text:
        value = value_at(sample, row.text) if isinstance(sample, dict) else None
        hint = "Not in the sample." if value is None else f"In the sample: {_shown(value)}"
        path_input = replace(path_input, hint=hint)
    yield path_input.block(row.text) | {"dispatch_action": True}
    yield row_block(f"row-{row.number}", row.menu.control(row.field), button("Remove", REMOVE_ROW, str(row.number)))


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def _adding(form: MappingForm, sample: object) -> list[Block]:
    if len(form.rows) >= MOST_ROWS:
        return []
    mapped = {row.text for row in form.rows}
    paths = ((path, value) for path, value in paths_in(sample) if path not in mapped)
    offered = {path: f"{path}: {_shown(value)}" for path, value in islice(paths, MOST_PATHS)}
    add = [menu(ADD_PATH, offered, placeholder="Add from the sample")] if offered else []
    buttons = button("Add a row", ADD_ROW), button("Add a fixed value", ADD_FIXED)
    return [row_block(f"add-{form.next_row}", *add, *buttons)]


def _kept(form: MappingForm) -> list[Block]:
    parts = [f"translations of {', '.join(form.kept['words'])}"] if "words" in form.kept else []
    rows = len(form.kept.get("map", {})) + len(form.kept.get("set", {}))
    parts += [counted(rows, "row")] if rows else []
    return [context(f"Only in the JSON, and unchanged here: {escape(' and '.join(parts), 500)}.")] if parts else []


def json_view(original: str, source: str, definition: str = "", row: str = "", note: str | None = None) -> View:
    """
    Return one sender's mapping as JSON, with a row to test it. `note` is the result of the test in mrkdwn.

    `original` is the source with which the dialog was opened.
    """
    return MAPPING.view(
        [
            SOURCE.block(source),
            DEFINITION.block(definition or as_json(_EXAMPLE)),
            ROW.block(row),
            *actions(button("Preview", PREVIEW), button("Edit row by row", AS_ROWS)),
            *noted(note),
            context(f"Fields: {', '.join(f'`{name}`' for name in FIELDS)}, `custom.…`"),
        ],
        {"of": original, "next": 0},
    )


def _decoded(text: str) -> object:
    try:
        return decoded(text, "the sample row") if text else None
    except InvalidJobChangeError:
        return None


def as_json(definition: Mapping[str, Any]) -> str:
    """Return the definition indented if that fits into the input, else compact. It is never cut off."""
    wide = json.dumps(definition, indent=1, ensure_ascii=False)
    return wide if len(wide) <= LONGEST_TEXT else json.dumps(definition, separators=(",", ":"), ensure_ascii=False)
