"""An admin adds or edits one ownership rule."""

from __future__ import annotations

from slack_bolt.async_app import AsyncApp

from listeners.dialogs.blocks import View, message_view
from listeners.dialogs.dialog import Dialog
from listeners.dialogs.mentions import save_result_text
from listeners.ownership.dialogs import OwnershipDialogs
from listeners.ownership.rule_form.choices import A_GROUP, choices_of
from listeners.ownership.rule_form.form import NAME, RuleForm
from listeners.ownership.rule_form.rule_view import (
    ADD_TITLE,
    ALL_SCENARIOS,
    BEGIN,
    EMPTY_RULE,
    PRESET,
    RULE_TITLE,
    SAVE,
    SLOT,
    asks_otherwise,
    begin_view,
    begun_with,
    rule_view,
)
from listeners.ownership.rule_list_view import ADD, Listed
from services.ownership.draft_editor import CHANGED_MEANWHILE, presets_for
from services.ownership.rulebook import FASTER
from services.ownership.rules.current_rules import RuleBook, SaveResult
from services.ownership.rules.edits import find, place_for_new
from services.ownership.rules.owner_sources import Owner
from services.ownership.rules.rule_set import Rule

NEW_RULE = Rule(name="New rule", tell=(Owner(of="account"), Owner(of="contact")))


def register(app: AsyncApp) -> None:
    app.action(ADD)(add)
    app.view(BEGIN)(begin)
    app.action(SLOT)(fill_slot)
    app.view(SAVE)(save)


async def add(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    """What to begin with."""

    async def make_view() -> View:
        org, _ = await ownership.org(dialog.workspace_id)
        return begin_view(presets_for(org))

    await dialog.open(ADD_TITLE, make_view)


async def begin(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    """The dialog of the new rule takes the place of the question; or all scenarios are added at once."""
    chosen = dialog.value_of(PRESET)
    if chosen == ALL_SCENARIOS:
        await dialog.run_submission(_add_all(dialog, ownership))
        return

    async def make_view() -> View:
        book = await ownership.rulebook.read(dialog.workspace_id)
        rule = NEW_RULE
        if chosen != EMPTY_RULE:
            org, _ = await ownership.org(dialog.workspace_id)
            rule = presets_for(org)[int(chosen)]
        form = RuleForm.of(rule, place_for_new(book.shown))
        return await _rule_view(dialog.workspace_id, ownership, form, book, is_new=True)

    await dialog.answer(ADD_TITLE, make_view)


async def _add_all(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    if await dialog.refuse_unless_admin(ADD_TITLE):
        return
    scenarios = presets_for(await ownership.org_in_time(dialog.workspace_id))
    kept = await ownership.editing.add(dialog.workspace_id, dialog.user_id, scenarios)
    if not kept.stored:
        await dialog.show_errors({PRESET: kept.text})
        return
    await dialog.close()
    await ownership.redraw(dialog, save_result_text(kept))


async def edit_rule(dialog: Dialog, ownership: OwnershipDialogs, number: int) -> None:
    """The dialog of the rule that stands at *number* in the list that was acted in."""
    seen = Listed.of(dialog.view).seen

    async def make_view() -> View:
        book = await ownership.rulebook.read(dialog.workspace_id)
        if book.seen != seen or number >= len(book.shown.rules):
            await ownership.redraw(dialog, place=number)
            return message_view(RULE_TITLE, FASTER)
        form = RuleForm.of(book.shown.rules[number], number)
        return await _rule_view(dialog.workspace_id, ownership, form, book, is_new=False)

    await dialog.open(RULE_TITLE, make_view)


async def fill_slot(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    """A place of the chain was filled: some sources ask for one thing more."""
    await dialog.ack()
    view = dialog.view
    begun = await _begun(dialog.workspace_id, ownership, view)
    if begun is None:
        return  # saving says it
    form, book = begun
    typed = form.typed(dialog.value_of)
    if not asks_otherwise(typed, view["state"]["values"]):
        return
    if await dialog.is_admin():
        shown = await _rule_view(dialog.workspace_id, ownership, typed, book, is_new=_is_new(view))
        await dialog.update_view(view["id"], shown)


async def save(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    """Into the draft; what is wrong is said at its field, and nothing is saved."""
    await dialog.run_submission(_save(dialog, ownership))


async def _save(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    if await dialog.refuse_unless_admin(RULE_TITLE):
        return
    workspace_id, view = dialog.workspace_id, dialog.view
    begun = await _begun(workspace_id, ownership, view)
    if begun is None:
        await dialog.show_errors({NAME: CHANGED_MEANWHILE})
        return
    form, book = begun
    typed = form.typed(dialog.value_of)
    if asks_otherwise(typed, view["state"]["values"]):  # the fields that it asks for were not shown in time
        shown = await _rule_view(workspace_id, ownership, typed, book, is_new=_is_new(view))
        await dialog.show(shown)
        return
    read = typed.read(book.shown, await ownership.org_in_time(workspace_id))
    faults = await ownership.problems(workspace_id, typed.places)
    if isinstance(read, dict) or faults:
        await dialog.show_errors(faults | (read if isinstance(read, dict) else {}))
        return
    kept = await _keep(dialog, ownership, *read)
    if not kept.stored:
        await dialog.show_errors({NAME: kept.text})
        return
    await dialog.close()
    warnings = await ownership.warnings(workspace_id, typed.places.values())
    await ownership.redraw(dialog, "\n".join(filter(None, [save_result_text(kept), warnings])), read[1])


async def _keep(dialog: Dialog, ownership: OwnershipDialogs, rule: Rule, place: int) -> SaveResult:
    began = begun_with(dialog.view)
    if isinstance(began, str):
        return await ownership.editing.change(dialog.workspace_id, dialog.user_id, began, rule, place)
    return await ownership.editing.add(dialog.workspace_id, dialog.user_id, [rule], place)


async def _begun(workspace_id: str, ownership: OwnershipDialogs, view: View) -> tuple[RuleForm, RuleBook] | None:
    """The form as the dialog began; None: its rule was changed or deleted meanwhile."""
    book = await ownership.rulebook.read(workspace_id)
    began = begun_with(view)
    if isinstance(began, Rule):
        return RuleForm.of(began, place_for_new(book.shown)), book
    number = find(book.shown, began)
    return None if number is None else (RuleForm.of(book.shown.rules[number], number), book)


def _is_new(view: View) -> bool:
    return isinstance(begun_with(view), Rule)


async def _rule_view(
    workspace_id: str, ownership: OwnershipDialogs, form: RuleForm, book: RuleBook, *, is_new: bool
) -> View:
    org, _ = await ownership.org(workspace_id)
    asks = any(slot.asks == A_GROUP for slot in form.slots)
    groups = await ownership.groups.handles(workspace_id) if asks else None
    return rule_view(form, choices_of(book.shown, org, len(form.slots), groups), is_new=is_new)
