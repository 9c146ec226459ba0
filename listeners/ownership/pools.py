"""Admins change pools, mapping tables, segments and guards."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from slack_bolt.async_app import AsyncApp

from listeners.dialogs.blocks import View
from listeners.dialogs.decorators import opens, updates
from listeners.dialogs.dialog import Dialog
from listeners.dialogs.form import Entered, FieldErrors, Form, InvalidFormError
from listeners.dialogs.mentions import issue_text, save_result_text
from listeners.ownership.dialogs import OwnershipDialogs
from listeners.ownership.pools_view import (
    ADVANCED,
    CAP,
    CONTEXT_FIELDS,
    CUSTOMER,
    DELETE_NAMED,
    EDIT_NAMED,
    EXCLUDED,
    EXCLUDED_OTHERS,
    MAPPING,
    MEMBERS,
    NAME,
    NEW_NAMED,
    OPEN_OPPORTUNITY,
    OTHERS,
    POOL,
    STICKY,
    TABLE,
    TARGET,
    acted_on,
    advanced_view,
    mapping_view,
    named_errors,
    pool_view,
    settings_errors,
    split,
)
from listeners.ownership.rule_list_view import MORE
from services.ownership.rules.current_rules import SaveResult
from services.ownership.rules.edits import MAPPINGS, POOLS, with_named, with_settings, without_named
from services.ownership.rules.issues import InvalidRulesError, RuleIssue
from services.ownership.rules.rule_set import RuleSet


def register(app: AsyncApp) -> None:
    app.action(MORE)(show)
    app.view(ADVANCED.callback_id)(save_settings)
    app.action(re.compile(f"^{NEW_NAMED}_"))(new)
    app.action(re.compile(f"^{EDIT_NAMED}_"))(choose)
    app.view(POOL.callback_id)(save_pool)
    app.view(MAPPING.callback_id)(save_mapping)


@opens(ADVANCED.title)
async def show(dialog: Dialog, ownership: OwnershipDialogs) -> View:
    return advanced_view(await ownership.rulebook.read(dialog.workspace_id))


async def save_settings(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    def edit_of(entered: Entered) -> _Edit:
        tests = {field.name: entered[field] for field in (CUSTOMER, TARGET) if field in entered}

        def change(rules: RuleSet) -> RuleSet:
            is_shown = EXCLUDED_OTHERS in entered  # what is too long for the dialog stays unchanged
            others = entered[EXCLUDED_OTHERS] if is_shown else split(rules.guards.excluded)[1]
            guards: dict[str, object] = {"excluded": [*entered[EXCLUDED], *others]}
            guards |= {"daily_cap": int(entered[CAP])} if entered[CAP] else {}
            context: list[str] = entered[CONTEXT_FIELDS]
            return with_settings(rules, tests, guards, entered[OPEN_OPPORTUNITY], context)

        return _Edit(change, "changed the advanced settings", partial(settings_errors, shown=entered.values))

    await _save(dialog, ownership, ADVANCED, edit_of)


async def new(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    await _open(dialog, ownership, dialog.action["value"], None)


async def choose(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    """Edit or delete from the menu of a pool or a mapping."""
    action = dialog.action
    kind = action["action_id"].removeprefix(f"{EDIT_NAMED}_")
    step, _, name = action["selected_option"]["value"].partition(":")
    if step == DELETE_NAMED:
        await _delete(dialog, ownership=ownership, kind=kind, name=name)
    else:
        await _open(dialog, ownership, kind, name)


@updates(ADVANCED.title)
async def _delete(dialog: Dialog, ownership: OwnershipDialogs, kind: str, name: str) -> View:
    workspace_id, (seen, _) = dialog.workspace_id, acted_on(dialog.view)
    book = await ownership.rulebook.read(workspace_id)
    try:
        changed = without_named(book.shown, kind, name)
    except InvalidRulesError as error:
        lines = "".join(f"\n• {issue_text(issue)}" for issue in error.issues[:8])
        return advanced_view(book, f":no_entry: Not deleted, because rules use it:{lines}")
    result = await ownership.draft_editor.save(workspace_id, dialog.user_id, seen, changed, f"deleted “{name}”")
    await ownership.redraw(dialog)
    return advanced_view(await ownership.rulebook.read(workspace_id), save_result_text(result))


async def save_pool(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    def edit_of(entered: Entered) -> _Edit:
        members = [*({"user": user} for user in entered[MEMBERS]), *entered[OTHERS]]
        value = {"members": members, "sticky": bool(entered[STICKY])}
        return _named(dialog, POOLS, entered[NAME], value, OTHERS.name)

    await _save(dialog, ownership, POOL, edit_of)


async def save_mapping(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    def edit_of(entered: Entered) -> _Edit:
        return _named(dialog, MAPPINGS, entered[NAME], entered[TABLE], TABLE.name)

    await _save(dialog, ownership, MAPPING, edit_of)


@dataclass(frozen=True)
class _Edit:
    """A change of the rules by a dialog, with its summary for the history, and its errors by field."""

    change: Callable[[RuleSet], RuleSet]
    summary: str
    errors: Callable[[Sequence[RuleIssue]], FieldErrors]


def _named(dialog: Dialog, kind: str, name: str, value: object, field: str) -> _Edit:
    """The change that adds a pool or a mapping, or replaces the one in the dialog."""
    _, old = acted_on(dialog.view)
    summary = f"{'changed' if old else 'added'} the {'pool' if kind == POOLS else 'mapping'} “{name}”"
    return _Edit(
        lambda rules: with_named(rules, kind, old, name, value),
        summary,
        lambda issues: named_errors(issues, f"{kind}.{name}", field),
    )


async def _save(dialog: Dialog, ownership: OwnershipDialogs, form: Form, edit_of: Callable[[Entered], _Edit]) -> None:
    """Save into the draft and close the dialog, or show the errors at their fields."""
    workspace_id, (seen, _) = dialog.workspace_id, acted_on(dialog.view)

    async def work(entered: Entered) -> SaveResult:
        edit = edit_of(entered)
        book = await ownership.rulebook.read(workspace_id)
        try:
            changed = edit.change(book.shown)
        except InvalidRulesError as error:
            raise InvalidFormError(edit.errors(error.issues)) from error
        result = await ownership.draft_editor.save(workspace_id, dialog.user_id, seen, changed, edit.summary)
        if not result.stored:
            raise InvalidFormError({next(iter(entered.values)): result.text})
        return result

    if result := await dialog.submit(form, work):
        note, shown = save_result_text(result), dialog.view
        await ownership.redraw(dialog, note)
        below = shown.get("previous_view_id")
        if below and below != shown.get("root_view_id"):
            await dialog.update_view(below, advanced_view(await ownership.rulebook.read(workspace_id), note))


async def _open(dialog: Dialog, ownership: OwnershipDialogs, kind: str, name: str | None) -> None:
    async def make_view() -> View:
        book = await ownership.rulebook.read(dialog.workspace_id)
        return pool_view(book, name) if kind == POOLS else mapping_view(book, name)

    await dialog.open((POOL if kind == POOLS else MAPPING).title, make_view)
