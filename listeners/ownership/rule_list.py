"""Admins see, order, turn off, delete and discard ownership rules."""

from __future__ import annotations

import re

from slack_bolt.async_app import AsyncApp

from listeners.dialogs.blocks import View
from listeners.dialogs.decorators import opens, updates
from listeners.dialogs.dialog import Dialog
from listeners.dialogs.mentions import save_result_text
from listeners.ownership import history, pools, rule_editor, unmatched_owners
from listeners.ownership.dialogs import OwnershipDialogs
from listeners.ownership.effects import scorecard, simulate
from listeners.ownership.rule_editor import edit_rule
from listeners.ownership.rule_list_view import DISCARD, EDIT, OPEN, RULE_MENU, TITLE, TURN, ShownList


def register(app: AsyncApp) -> None:
    app.action(OPEN)(show)
    app.action(re.compile(f"^{TURN}_"))(turn)
    app.action(RULE_MENU)(choose)
    app.action(DISCARD)(discard)
    for part in (rule_editor, pools, history, simulate, scorecard, unmatched_owners):
        part.register(app)


@opens(TITLE)
async def show(dialog: Dialog, ownership: OwnershipDialogs) -> View:
    return await ownership.list_view(dialog.workspace_id)


@updates(TITLE)
async def turn(dialog: Dialog, ownership: OwnershipDialogs) -> View:
    """Show another page of the list."""
    return await ownership.list_view(dialog.workspace_id, int(dialog.action["value"]))


async def choose(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    """Choose an edit from the menu of a rule."""
    step, _, number = dialog.action["selected_option"]["value"].partition(":")
    if step == EDIT:
        await edit_rule(dialog, ownership=ownership, number=int(number))
    else:
        await _change_order(dialog, ownership=ownership, step=step, number=int(number))


@updates(TITLE)
async def discard(dialog: Dialog, ownership: OwnershipDialogs) -> View:
    seen = ShownList.of(dialog.view).seen
    result = await ownership.draft_editor.discard(dialog.workspace_id, dialog.user_id, seen)
    await dialog.publish_home()
    return await ownership.list_view(dialog.workspace_id, 0, save_result_text(result))


@updates(TITLE)
async def _change_order(dialog: Dialog, ownership: OwnershipDialogs, step: str, number: int) -> View:
    shown = ShownList.of(dialog.view)
    result = await ownership.draft_editor.step(dialog.workspace_id, dialog.user_id, shown.seen, step, number)
    await dialog.publish_home()
    return await ownership.list_view(dialog.workspace_id, shown.page, save_result_text(result))
