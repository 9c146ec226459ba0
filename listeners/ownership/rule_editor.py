"""Admins add and edit one ownership rule."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from slack_bolt.async_app import AsyncApp

from listeners.dialogs.blocks import View, message_view
from listeners.dialogs.decorators import opens, updates
from listeners.dialogs.dialog import Dialog
from listeners.dialogs.form import Entered, InvalidFormError
from listeners.dialogs.mentions import labels_of, save_result_text
from listeners.ownership.dialogs import OwnershipDialogs
from listeners.ownership.effects.simulate import publication
from listeners.ownership.rule_form.choices import A_GROUP, choices_of
from listeners.ownership.rule_form.condition_rows import FIELD_ACTION, OPERATOR_ACTION, REMOVE_ACTION, VALUE_ACTION
from listeners.ownership.rule_form.fields import INPUT_ACTION, NAME, RULE, SLOT_ACTION, rule_form_of
from listeners.ownership.rule_form.form import RuleForm
from listeners.ownership.rule_form.rule_view import (
    ADD_CONDITION,
    ADD_INFORMED,
    ADD_SOURCE,
    ALL_PRESETS,
    BEGIN_TITLE,
    START,
    begin_view,
    is_narrowed,
    needs_other_fields,
    next_row_of,
    origin_of,
    rule_view,
)
from listeners.ownership.rule_list_view import A_PAGE, ADD, ShownList
from services.ownership.draft_editor import RULE_CHANGED_BY_OTHERS, plays_for, presets_for
from services.ownership.rulebook import CHANGED_BY_OTHERS
from services.ownership.rules.current_rules import CurrentRules, SaveResult
from services.ownership.rules.edits import find, place_for_new
from services.ownership.rules.owner_sources import Owner
from services.ownership.rules.rule_set import Rule

NEW_RULE = Rule(name="New rule", tell=(Owner(of="account"), Owner(of="contact")))


def register(app: AsyncApp) -> None:
    app.action(ADD)(add)
    app.action(START)(begin)
    app.action(re.compile(f"^{OPERATOR_ACTION}_"))(show_again)
    for action_id in (FIELD_ACTION, VALUE_ACTION, REMOVE_ACTION, SLOT_ACTION, INPUT_ACTION):
        app.action(action_id)(show_again)
    for action_id in (ADD_CONDITION, ADD_SOURCE, ADD_INFORMED):
        app.action(action_id)(show_again)
    app.view(RULE.callback_id)(save)


@opens(BEGIN_TITLE)
async def add(dialog: Dialog, ownership: OwnershipDialogs) -> View:
    """Choose what the new rule starts from."""
    org, _ = await ownership.org(dialog.workspace_id)
    return begin_view(plays_for(org), presets_for(org), labels_of(org))


@updates(BEGIN_TITLE)
async def begin(dialog: Dialog, ownership: OwnershipDialogs) -> View:
    """Show the form of the new rule, or add all presets at once."""
    chosen, workspace_id = dialog.action["value"], dialog.workspace_id
    org, _ = await ownership.org(workspace_id)
    if chosen == ALL_PRESETS:
        result = await ownership.draft_editor.add(workspace_id, dialog.user_id, presets_for(org))
        await ownership.redraw(dialog, save_result_text(result))
        return message_view(BEGIN_TITLE, save_result_text(result))
    starts = {rule.name: rule for rule in (*presets_for(org), *plays_for(org))}
    book = await ownership.rulebook.read(workspace_id)
    form = RuleForm.of(starts.get(chosen, NEW_RULE), place_for_new(book.shown), is_new=True)
    return await _rule_view(workspace_id, ownership, form, book, is_new=True)


@opens(RULE.title)
async def edit_rule(dialog: Dialog, ownership: OwnershipDialogs, number: int) -> View:
    """Open the form of the rule with this index."""
    book = await ownership.rulebook.read(dialog.workspace_id)
    if book.seen != ShownList.of(dialog.view).seen or number >= len(book.shown.rules):
        await ownership.redraw(dialog, place=number)
        return message_view(RULE.title, CHANGED_BY_OTHERS)
    return await rule_dialog(dialog.workspace_id, ownership, book, number)


async def rule_dialog(
    workspace_id: str, ownership: OwnershipDialogs, book: CurrentRules, number: int, *, is_narrowed: bool = False
) -> View:
    """The form of the rule with this index. `is_narrowed` says that it was ignored, and is to be narrowed."""
    form = RuleForm.of(book.shown.rules[number], number)
    return await _rule_view(workspace_id, ownership, form, book, is_new=False, narrow=is_narrowed)


async def show_again(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    """Something was chosen, added or removed: other fields may be needed, and the sentence changes."""
    await dialog.ack()
    view, states = dialog.view, dialog.view["state"]["values"]
    opened = await _open_form(dialog.workspace_id, ownership, view)
    if opened is None or not await dialog.is_admin():
        return  # saving reports it
    form, book = opened
    typed = _changed(form.typed(rule_form_of(states).read(view), states, next_row_of(view)), dialog.action)
    shown = await _rule_view(
        dialog.workspace_id, ownership, typed, book, is_new=_is_new(view), narrow=is_narrowed(view)
    )
    await dialog.update_view(view["id"], shown)


def _changed(form: RuleForm, action: Mapping[str, Any]) -> RuleForm:
    """The form after a row was added or removed."""
    action_id = action["action_id"]
    if action_id == ADD_CONDITION:
        return form.with_row()
    if action_id == REMOVE_ACTION:
        return form.without_row(int(action["value"]))
    if action_id == ADD_SOURCE:
        return replace(form, tell=form.tell.with_slot())
    return replace(form, also=form.also.with_slot()) if action_id == ADD_INFORMED else form


@dataclass(frozen=True)
class _SavedRule:
    """`place` is the rule's index in the draft."""

    result: SaveResult
    form: RuleForm
    place: int


async def save(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    """Save the rule into the draft, or show the errors at their fields."""
    workspace_id, view, states = dialog.workspace_id, dialog.view, dialog.view["state"]["values"]

    async def work(entered: Entered) -> View | _SavedRule:
        opened = await _open_form(workspace_id, ownership, view)
        if opened is None:
            raise NAME.error(RULE_CHANGED_BY_OTHERS)
        form, book = opened
        org = await ownership.org_in_time(workspace_id)
        typed = form.typed(entered, states, next_row_of(view)).resolved(org)
        if needs_other_fields(typed, states):  # the fields that it needs were not shown in time
            return await _rule_view(
                workspace_id, ownership, typed, book, is_new=_is_new(view), narrow=is_narrowed(view)
            )
        parsed = typed.read(book.shown, org)
        problems = await ownership.problems(workspace_id, typed.destinations)
        if isinstance(parsed, dict) or problems:
            raise InvalidFormError(problems | (parsed if isinstance(parsed, dict) else {}))
        rule, place = parsed
        result = await _store(dialog, ownership, rule, place)
        if not result.stored:
            raise NAME.error(result.text)
        if is_narrowed(view):
            await ownership.redraw(dialog, save_result_text(result), place)
            return await publication(workspace_id, ownership, page=place // A_PAGE)
        return _SavedRule(result, typed, place)

    saved = await dialog.submit(rule_form_of(states), work)
    if isinstance(saved, _SavedRule):
        warnings = await ownership.warnings(workspace_id, saved.form.destinations.values())
        await ownership.redraw(dialog, "\n".join(filter(None, [save_result_text(saved.result), warnings])), saved.place)


async def _store(dialog: Dialog, ownership: OwnershipDialogs, rule: Rule, place: int) -> SaveResult:
    origin = origin_of(dialog.view)
    if isinstance(origin, str):
        return await ownership.draft_editor.change(dialog.workspace_id, dialog.user_id, origin, rule, place)
    return await ownership.draft_editor.add(dialog.workspace_id, dialog.user_id, [rule], place)


async def _open_form(
    workspace_id: str, ownership: OwnershipDialogs, view: View
) -> tuple[RuleForm, CurrentRules] | None:
    """The form as the dialog opened it. None means that its rule was changed or deleted in the meantime."""
    book = await ownership.rulebook.read(workspace_id)
    origin = origin_of(view)
    if isinstance(origin, Rule):
        return RuleForm.of(origin, place_for_new(book.shown), is_new=True), book
    number = find(book.shown, origin)
    return None if number is None else (RuleForm.of(book.shown.rules[number], number), book)


def _is_new(view: View) -> bool:
    return isinstance(origin_of(view), Rule)


async def _rule_view(
    workspace_id: str,
    ownership: OwnershipDialogs,
    form: RuleForm,
    book: CurrentRules,
    *,
    is_new: bool,
    narrow: bool = False,
) -> View:
    org, _ = await ownership.org(workspace_id)
    shown = form.resolved(org)
    slots = (*shown.tell.slots, *shown.also.slots)
    needs_groups = any(slot.needs == A_GROUP for slot in slots)
    groups = await ownership.groups.handles(workspace_id) if needs_groups else None
    return rule_view(shown, choices_of(book.shown, org, len(slots), groups), org, is_new=is_new, narrow=narrow)
