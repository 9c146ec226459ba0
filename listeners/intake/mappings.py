"""Admins map the fields of senders to ours, row by row or as JSON, and test a mapping on a sample row."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import Any

from slack_bolt.async_app import AsyncApp

from domain.job_change.validation import InvalidJobChangeError
from listeners.dialogs.blocks import View, data_of
from listeners.dialogs.decorators import opens, submits, updates
from listeners.dialogs.dialog import Dialog
from listeners.dialogs.form import Entered, InvalidFormError
from listeners.intake.mapping_rows import MAPPING_FIELD, MAPPING_TEXT, MappingForm
from listeners.intake.mappings_view import (
    ADD_FIXED,
    ADD_PATH,
    ADD_ROW,
    AS_JSON,
    AS_ROWS,
    DEFINITION,
    EDIT,
    MAPPING,
    MAPPINGS,
    NEW,
    PREVIEW,
    REMOVE,
    REMOVE_ROW,
    ROW,
    SOURCE,
    TITLE,
    as_json,
    json_view,
    mapping_form_of,
    mappings_view,
    rows_view,
)
from services.home.home import Home
from services.intake.files.columns import missing
from services.intake.mapping.field_mappings import FieldMappings, checked_source, try_mapping
from services.intake.mapping.row_mapping import RowMapping, decoded
from services.messages.wording import one_line
from services.slack.mrkdwn import escape

LOST_IN_ROWS = ":no_entry: Rows cannot show all of this: it translates words, or has more rows than fit. Save it first."


def register(app: AsyncApp) -> None:
    app.action(MAPPINGS)(show)
    app.action(EDIT)(edit)
    app.action(REMOVE)(remove)
    for action_id in (ADD_ROW, ADD_FIXED, ADD_PATH, REMOVE_ROW, MAPPING_FIELD, MAPPING_TEXT):
        app.action(action_id)(change)
    app.action(AS_JSON)(show_as_json)
    app.action(AS_ROWS)(show_as_rows)
    app.action(PREVIEW)(preview)
    app.view(MAPPING.callback_id)(save)


@opens(TITLE)
async def show(dialog: Dialog, field_mappings: FieldMappings, home: Home) -> View:
    return await _mappings_view(dialog, field_mappings, home)


@updates(TITLE)
async def edit(dialog: Dialog, field_mappings: FieldMappings) -> View:
    """Open an existing mapping, or a new one."""
    source = "" if dialog.action["value"] == NEW else dialog.action["value"]
    definition = (await field_mappings.all_of(dialog.workspace_id)).get(source, {})
    return await _rows_view(dialog, field_mappings, MappingForm.of(source, definition))


@updates(TITLE)
async def change(dialog: Dialog, field_mappings: FieldMappings) -> View:
    """Add or remove a row, or show the value of a path that was entered."""
    form, action = await _entered(dialog, field_mappings), dialog.action
    if action["action_id"] == REMOVE_ROW:
        form = form.without_row(int(action["value"]))
    elif action["action_id"] == ADD_PATH:
        form = form.with_row(str(action["selected_option"]["value"]))
    elif action["action_id"] in {ADD_ROW, ADD_FIXED}:
        form = form.with_row(always=action["action_id"] == ADD_FIXED)
    return await _rows_view(dialog, field_mappings, form)


@updates(TITLE)
async def show_as_json(dialog: Dialog, field_mappings: FieldMappings) -> View:
    """Continue with the whole mapping as JSON."""
    form = await _entered(dialog, field_mappings)
    definition = as_json(form.definition) if form.definition["map"] else ""
    return json_view(form.original, form.source, definition, form.sample)


@updates(TITLE)
async def show_as_rows(dialog: Dialog, field_mappings: FieldMappings) -> View:
    """Continue row by row, unless the JSON that was entered has more than rows can show."""
    entered, before = MAPPING.read(dialog.view), await _stored(dialog, field_mappings)
    source, typed, row = entered[SOURCE], entered[DEFINITION], entered[ROW]
    try:
        form = MappingForm.of(before.original, decoded(typed, "the field mapping"))
    except InvalidJobChangeError as error:
        return json_view(before.original, source, typed, row, _refusal(error))
    if form.kept != before.kept:
        return json_view(before.original, source, typed, row, LOST_IN_ROWS)
    return await _rows_view(dialog, field_mappings, replace(form, source=source, sample=row))


@updates(TITLE)
async def remove(dialog: Dialog, field_mappings: FieldMappings, home: Home) -> View:
    source = dialog.action["value"]
    await field_mappings.remove(dialog.workspace_id, dialog.user_id, source)
    return await _mappings_view(dialog, field_mappings, home, f"Mapping of {escape(source, 100)} removed.")


@updates(TITLE)
async def preview(dialog: Dialog, field_mappings: FieldMappings) -> View:
    """Show the job change that the sample row becomes, or what is wrong with the mapping or the row."""
    entered = MAPPING.read(dialog.view)
    source, typed, row = entered[SOURCE], entered[DEFINITION], entered[ROW]
    form = await _entered(dialog, field_mappings)
    try:
        definition = decoded(typed, "the field mapping") if DEFINITION in entered else form.definition
        note = f"*Preview*\n{one_line(try_mapping(definition, decoded(row, 'the sample row'), source))}"
    except InvalidJobChangeError as error:
        note = _refusal(error)
    if DEFINITION in entered:
        return json_view(form.original, source, typed, row, note)
    return await _rows_view(dialog, field_mappings, form, note)


@submits(MAPPING)
async def save(dialog: Dialog, entered: Entered, field_mappings: FieldMappings, home: Home) -> View:
    """Save the mapping. Errors are shown at their fields."""
    try:
        name = checked_source(entered[SOURCE])
    except InvalidJobChangeError as error:
        raise SOURCE.error(str(error)) from error
    definition = await _valid_definition(dialog, entered, field_mappings)
    await field_mappings.save(dialog.workspace_id, dialog.user_id, name, definition)
    note = f":white_check_mark: Saved. New rows from {escape(name, 100)} use this mapping."
    mapping = RowMapping.parse(definition)
    for line in missing([*chain.from_iterable(mapping.paths.values()), *mapping.always]):
        note += f"\n:warning: Nothing is mapped to {line}, so its rows are refused."
    return await _mappings_view(dialog, field_mappings, home, note)


async def _valid_definition(dialog: Dialog, entered: Entered, field_mappings: FieldMappings) -> dict[str, Any]:
    """The mapping that was entered, as JSON or row by row. Raises InvalidFormError."""
    if DEFINITION in entered:
        try:
            definition: dict[str, Any] = decoded(entered[DEFINITION], "the field mapping")
            RowMapping.parse(definition)
        except InvalidJobChangeError as error:
            raise DEFINITION.error(str(error)) from error
        return definition
    form = await _entered(dialog, field_mappings)
    if form.errors:
        raise InvalidFormError(form.errors)
    try:
        RowMapping.parse(form.definition)
    except InvalidJobChangeError as error:
        raise (form.rows[0].input if form.rows else SOURCE).error(str(error)) from error
    return form.definition


async def _stored(dialog: Dialog, field_mappings: FieldMappings) -> MappingForm:
    """The form of the mapping with which the dialog was opened, as it is stored."""
    original = str(data_of(dialog.view).get("of", ""))
    return MappingForm.of(original, (await field_mappings.all_of(dialog.workspace_id)).get(original, {}))


async def _entered(dialog: Dialog, field_mappings: FieldMappings) -> MappingForm:
    """The form with what was entered."""
    view, states = dialog.view, dialog.view["state"]["values"]
    next_row = int(data_of(view).get("next", 0))
    return (await _stored(dialog, field_mappings)).typed(mapping_form_of(states).read(view), states, next_row)


async def _rows_view(dialog: Dialog, field_mappings: FieldMappings, form: MappingForm, note: str | None = None) -> View:
    received = await field_mappings.received(dialog.workspace_id, form.source) if form.source else None
    return rows_view(form, received, note)


async def _mappings_view(dialog: Dialog, field_mappings: FieldMappings, home: Home, note: str | None = None) -> View:
    mappings = await field_mappings.all_of(dialog.workspace_id)
    return mappings_view(mappings, home.intake_url(dialog.workspace_id), note)


def _refusal(error: InvalidJobChangeError) -> str:
    return f":no_entry: Not valid: {escape(str(error), 800)}"
