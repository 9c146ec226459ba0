"""Admins map the fields of senders to ours, and test a mapping on a sample row."""

from __future__ import annotations

from slack_bolt.async_app import AsyncApp

from domain.job_change.validation import InvalidJobChangeError
from listeners.dialogs.blocks import View
from listeners.dialogs.decorators import opens, submits, updates
from listeners.dialogs.dialog import Dialog
from listeners.dialogs.form import Entered
from listeners.intake.mappings_view import (
    DEFINITION,
    EDIT,
    MAPPING,
    MAPPINGS,
    NEW,
    PREVIEW,
    REMOVE,
    ROW,
    SOURCE,
    TITLE,
    as_json,
    mapping_view,
    mappings_view,
)
from services.home.home import Home
from services.intake.mapping.field_mappings import FieldMappings, checked_source, try_mapping
from services.intake.mapping.row_mapping import RowMapping, decoded
from services.messages.wording import one_line
from services.slack.mrkdwn import escape


def register(app: AsyncApp) -> None:
    app.action(MAPPINGS)(show)
    app.action(EDIT)(edit)
    app.action(REMOVE)(remove)
    app.action(PREVIEW)(preview)
    app.view(MAPPING.callback_id)(save)


@opens(TITLE)
async def show(dialog: Dialog, field_mappings: FieldMappings, home: Home) -> View:
    return await _mappings_view(dialog, field_mappings, home)


@updates(TITLE)
async def edit(dialog: Dialog, field_mappings: FieldMappings) -> View:
    """Open an existing mapping, or a new one with an example in it."""
    source = "" if dialog.action["value"] == NEW else dialog.action["value"]
    definition = (await field_mappings.all_of(dialog.workspace_id)).get(source)
    return mapping_view(source, as_json(definition) if definition else "")


@updates(TITLE)
async def remove(dialog: Dialog, field_mappings: FieldMappings, home: Home) -> View:
    source = dialog.action["value"]
    await field_mappings.remove(dialog.workspace_id, dialog.user_id, source)
    return await _mappings_view(dialog, field_mappings, home, f"Mapping of {escape(source, 100)} removed.")


@updates(TITLE)
async def preview(dialog: Dialog) -> View:
    """Show the job change that the sample row becomes, or what is wrong with the mapping or the row."""
    entered = MAPPING.read(dialog.view)
    source, typed, row = entered[SOURCE], entered[DEFINITION], entered[ROW]
    try:
        job_change = try_mapping(decoded(typed, "the field mapping"), decoded(row, "the sample row"), source)
    except InvalidJobChangeError as error:
        return mapping_view(source, typed, row, f":no_entry: Not valid: {escape(str(error), 800)}")
    return mapping_view(source, typed, row, f"*Preview*\n{one_line(job_change)}")


@submits(MAPPING)
async def save(dialog: Dialog, entered: Entered, field_mappings: FieldMappings, home: Home) -> View:
    """Save the mapping. Errors are shown at their fields."""
    try:
        name = checked_source(entered[SOURCE])
    except InvalidJobChangeError as error:
        raise SOURCE.error(str(error)) from error
    try:
        definition = decoded(entered[DEFINITION], "the field mapping")
        RowMapping.parse(definition)
    except InvalidJobChangeError as error:
        raise DEFINITION.error(str(error)) from error
    await field_mappings.save(dialog.workspace_id, dialog.user_id, name, definition)
    note = f":white_check_mark: Saved. New rows from {escape(name, 100)} use this mapping."
    return await _mappings_view(dialog, field_mappings, home, note)


async def _mappings_view(dialog: Dialog, field_mappings: FieldMappings, home: Home, note: str | None = None) -> View:
    mappings = await field_mappings.all_of(dialog.workspace_id)
    return mappings_view(mappings, home.intake_url(dialog.workspace_id), note)
