"""Admins see the ownership rules, put them in order, switch them off, delete, publish and discard them."""

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
from listeners.ownership.rule_list_view import DISCARD, EDIT, OPEN, PUBLISH, RULE_MENU, TITLE, TURN, Listed
from services.ownership.rules.current_rules import SaveResult


def register(app: AsyncApp) -> None:
    app.action(OPEN)(show)
    app.action(re.compile(f"^{TURN}_"))(turn)
    app.action(RULE_MENU)(choose)
    app.action(PUBLISH)(publish)
    app.action(DISCARD)(discard)
    for part in (rule_editor, pools, history, simulate, unmatched_owners):
        part.register(app)


async def show(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    await dialog.open(TITLE, partial(ownership.list_view, dialog.workspace_id))


async def turn(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    """To another page of the list."""
    await dialog.change(TITLE, partial(ownership.list_view, dialog.workspace_id, int(dialog.action["value"])))


async def choose(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    """Out of the menu beside a rule: what it does, and to which."""
    step, _, number = dialog.action["selected_option"]["value"].partition(":")
    if step == EDIT:
        await edit_rule(dialog, ownership, int(number))
        return
    listed = Listed.of(dialog.view)
    doing = partial(ownership.editing.step, dialog.workspace_id, dialog.user_id, listed.seen, step, int(number))
    await _done(dialog, ownership, doing, listed.page)


async def publish(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    listed = Listed.of(dialog.view)
    doing = partial(ownership.editing.publish, dialog.workspace_id, dialog.user_id, listed.seen)
    await _done(dialog, ownership, doing, listed.page)


async def discard(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    doing = partial(ownership.editing.discard, dialog.workspace_id, dialog.user_id, Listed.of(dialog.view).seen)
    await _done(dialog, ownership, doing)


async def _done(
    dialog: Dialog, ownership: OwnershipDialogs, doing: Callable[[], Awaitable[SaveResult]], page: int = 0
) -> None:
    """Do it, and show what came of it above the list as it stands then."""

    async def make_view() -> View:
        kept = await doing()
        await ownership.redraw_home(dialog)
        return await ownership.list_view(dialog.workspace_id, page, save_result_text(kept))

    await dialog.change(TITLE, make_view)
