"""Admins see, order, turn off, delete and discard ownership rules."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import partial

from slack_bolt.async_app import AsyncApp

from listeners.dialogs.blocks import View
from listeners.dialogs.dialog import Dialog
from listeners.dialogs.mentions import save_result_text
from listeners.ownership import history, pools, rule_editor, simulate, unmatched_owners
from listeners.ownership.dialogs import OwnershipDialogs
from listeners.ownership.rule_editor import edit_rule
from listeners.ownership.rule_list_view import DISCARD, EDIT, OPEN, RULE_MENU, TITLE, TURN, ShownList
from services.ownership.rules.current_rules import SaveResult


def register(app: AsyncApp) -> None:
    app.action(OPEN)(show)
    app.action(re.compile(f"^{TURN}_"))(turn)
    app.action(RULE_MENU)(choose)
    app.action(DISCARD)(discard)
    for part in (rule_editor, pools, history, simulate, unmatched_owners):
        part.register(app)


async def show(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    await dialog.open(TITLE, partial(ownership.list_view, dialog.workspace_id))


async def turn(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    """Show another page of the list."""
    await dialog.update(TITLE, partial(ownership.list_view, dialog.workspace_id, int(dialog.action["value"])))


async def choose(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    """Choose an edit from the menu of a rule."""
    step, _, number = dialog.action["selected_option"]["value"].partition(":")
    if step == EDIT:
        await edit_rule(dialog, ownership, int(number))
        return
    shown = ShownList.of(dialog.view)
    change = partial(ownership.draft_editor.step, dialog.workspace_id, dialog.user_id, shown.seen, step, int(number))
    await _show_result(dialog, ownership, change, shown.page)


async def discard(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    change = partial(
        ownership.draft_editor.discard, dialog.workspace_id, dialog.user_id, ShownList.of(dialog.view).seen
    )
    await _show_result(dialog, ownership, change)


async def _show_result(
    dialog: Dialog, ownership: OwnershipDialogs, change: Callable[[], Awaitable[SaveResult]], page: int = 0
) -> None:
    """Make a change, and show the result above the updated list."""

    async def make_view() -> View:
        result = await change()
        await dialog.publish_home()
        return await ownership.list_view(dialog.workspace_id, page, save_result_text(result))

    await dialog.update(TITLE, make_view)
