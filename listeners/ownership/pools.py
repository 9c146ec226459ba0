"""Admins change pools, mapping tables, segments and guards."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from slack_bolt.async_app import AsyncApp

from listeners.dialogs.blocks import View
from listeners.dialogs.dialog import Dialog
from listeners.dialogs.mentions import issue_text, save_result_text
from listeners.ownership.dialogs import OwnershipDialogs
from listeners.ownership.pools_view import (
    ADVANCED_TITLE,
    CAP,
    CUSTOMER,
    DELETE_NAMED,
    EDIT_NAMED,
    EXCLUDED,
    EXCLUDED_OTHERS,
    MAPPING_TITLE,
    MEMBERS,
    NAME,
    NEW_NAMED,
    OTHERS,
    POOL_TITLE,
    SAVE_MAPPING,
    SAVE_POOL,
    SAVE_SETTINGS,
    STICKY,
    TABLE,
    TARGET,
    FieldErrors,
    acted_on,
    advanced_view,
    mapping_view,
    named_errors,
    pool_view,
    read_members,
    read_table,
    settings_errors,
    split,
)
from listeners.ownership.rule_form.form_values import HOW_TO_TEST, read_test
from listeners.ownership.rule_list_view import MORE
from services.ownership.rules.edits import MAPPINGS, POOLS, with_named, with_settings, without_named
from services.ownership.rules.issues import InvalidRulesError, RuleIssue
from services.ownership.rules.rule_set import RuleSet


def register(app: AsyncApp) -> None:
    app.action(MORE)(show)
    app.view(SAVE_SETTINGS)(save_settings)
    app.action(re.compile(f"^{NEW_NAMED}_"))(new)
    app.action(re.compile(f"^{EDIT_NAMED}_"))(choose)
    app.view(SAVE_POOL)(save_pool)
    app.view(SAVE_MAPPING)(save_mapping)


async def show(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    async def make_view() -> View:
        return advanced_view(await ownership.rulebook.read(dialog.workspace_id))

    await dialog.open(ADVANCED_TITLE, make_view)


async def save_settings(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    shown = dialog.view["state"]["values"]  # without fields that are too long for the dialog; these stay unchanged
    tests = {name: read_test(dialog.value_of(name) or "") for name in (CUSTOMER, TARGET) if name in shown}
    if issues := {name: f"{HOW_TO_TEST.capitalize()}." for name, test in tests.items() if test is None}:
        await dialog.show_errors(issues)
        return
    picked, others = dialog.value_of(EXCLUDED) or [], (dialog.value_of(EXCLUDED_OTHERS) or "").split()
    cap = dialog.value_of(CAP)

    def change(rules: RuleSet) -> RuleSet:
        rest = others if EXCLUDED_OTHERS in shown else split(rules.guards.excluded)[1]
        return with_settings(rules, tests, {"excluded": [*picked, *rest]} | ({"daily_cap": int(cap)} if cap else {}))

    await _save(dialog, ownership, _Edit(change, "changed segments and guards", partial(settings_errors, shown=shown)))


async def new(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    await _open(dialog, ownership, dialog.action["value"], None)


async def choose(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    """Edit or delete from the menu of a pool or a mapping."""
    action = dialog.action
    kind = action["action_id"].removeprefix(f"{EDIT_NAMED}_")
    step, _, name = action["selected_option"]["value"].partition(":")
    if step != DELETE_NAMED:
        await _open(dialog, ownership, kind, name)
        return
    workspace_id, (seen, _) = dialog.workspace_id, acted_on(dialog.view)

    async def make_view() -> View:
        book = await ownership.rulebook.read(workspace_id)
        try:
            changed = without_named(book.shown, kind, name)
        except InvalidRulesError as error:
            lines = "".join(f"\n• {issue_text(issue)}" for issue in error.issues[:8])
            return advanced_view(book, f":no_entry: Not deleted, because rules use it:{lines}")
        result = await ownership.draft_editor.save(workspace_id, dialog.user_id, seen, changed, f"deleted “{name}”")
        await ownership.redraw(dialog)
        return advanced_view(await ownership.rulebook.read(workspace_id), save_result_text(result))

    await dialog.change(ADVANCED_TITLE, make_view)


async def save_pool(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    members = read_members(dialog.value_of(MEMBERS) or [], dialog.value_of(OTHERS) or "")
    if isinstance(members, str):
        await dialog.show_errors({OTHERS: members})
        return
    value = {"members": members, "sticky": bool(dialog.value_of(STICKY))}
    await _save(dialog, ownership, _named(dialog, POOLS, value, OTHERS))


async def save_mapping(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    table = read_table(dialog.value_of(TABLE) or "")
    if isinstance(table, str):
        await dialog.show_errors({TABLE: table})
        return
    await _save(dialog, ownership, _named(dialog, MAPPINGS, table, TABLE))


@dataclass(frozen=True)
class _Edit:
    """A change of the rules by a dialog, with its summary for the history, and its errors by field."""

    change: Callable[[RuleSet], RuleSet]
    summary: str
    errors: Callable[[Sequence[RuleIssue]], FieldErrors]


def _named(dialog: Dialog, kind: str, value: object, field: str) -> _Edit:
    """The change that adds a pool or a mapping, or replaces the one in the dialog."""
    _, old = acted_on(dialog.view)
    name = str(dialog.value_of(NAME) or "").strip()
    summary = f"{'changed' if old else 'added'} the {'pool' if kind == POOLS else 'mapping'} “{name}”"
    return _Edit(
        lambda rules: with_named(rules, kind, old, name, value),
        summary,
        lambda issues: named_errors(issues, f"{kind}.{name}", field),
    )


async def _save(dialog: Dialog, ownership: OwnershipDialogs, edit: _Edit) -> None:
    """Save into the draft and close the dialog, or show the errors at their fields."""
    await dialog.run_submission(_save_to_draft(dialog, ownership, edit))


async def _save_to_draft(dialog: Dialog, ownership: OwnershipDialogs, edit: _Edit) -> None:
    if await dialog.refuse_unless_admin(ADVANCED_TITLE):
        return
    workspace_id, (seen, _) = dialog.workspace_id, acted_on(dialog.view)
    book = await ownership.rulebook.read(workspace_id)
    try:
        changed = edit.change(book.shown)
    except InvalidRulesError as error:
        await dialog.show_errors(edit.errors(error.issues))
        return
    result = await ownership.draft_editor.save(workspace_id, dialog.user_id, seen, changed, edit.summary)
    if not result.stored:
        await dialog.show_errors({next(iter(dialog.view["state"]["values"])): result.text})
        return
    await dialog.close()
    await ownership.redraw(dialog, save_result_text(result))
    below = dialog.view.get("previous_view_id")
    if below and below != dialog.view.get("root_view_id"):
        await dialog.update_view(
            below, advanced_view(await ownership.rulebook.read(workspace_id), save_result_text(result))
        )


async def _open(dialog: Dialog, ownership: OwnershipDialogs, kind: str, name: str | None) -> None:
    async def make_view() -> View:
        book = await ownership.rulebook.read(dialog.workspace_id)
        return pool_view(book, name) if kind == POOLS else mapping_view(book, name)

    await dialog.open(POOL_TITLE if kind == POOLS else MAPPING_TITLE, make_view)
