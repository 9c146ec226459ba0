"""Admins see which rules are ignored, and narrow one of them."""

from __future__ import annotations

import re

from slack_bolt.async_app import AsyncApp

from listeners.dialogs.blocks import View, message_view
from listeners.dialogs.decorators import opens, updates
from listeners.dialogs.dialog import Dialog
from listeners.ownership.dialogs import OwnershipDialogs
from listeners.ownership.effects.scorecard_view import NARROW, TITLE, TURN_SCORES, scorecard_view
from listeners.ownership.rule_editor import rule_dialog
from listeners.ownership.rule_form.fields import RULE
from listeners.ownership.rule_list_view import SCORECARD

GONE = "This rule is no longer there: the draft has deleted it."


def register(app: AsyncApp) -> None:
    app.action(SCORECARD)(show)
    app.action(re.compile(f"^{TURN_SCORES}_"))(turn)
    app.action(NARROW)(narrow)


@opens(TITLE)
async def show(dialog: Dialog, ownership: OwnershipDialogs) -> View:
    return scorecard_view(await ownership.rulebook.scorecard(dialog.workspace_id))


@updates(TITLE)
async def turn(dialog: Dialog, ownership: OwnershipDialogs) -> View:
    """Show another page."""
    return scorecard_view(await ownership.rulebook.scorecard(dialog.workspace_id), int(dialog.action["value"]))


@opens(RULE.title)
async def narrow(dialog: Dialog, ownership: OwnershipDialogs) -> View:
    """Open the form of an ignored rule. Saving it shows the effect on recent job changes."""
    book = await ownership.rulebook.read(dialog.workspace_id)
    keys = [rule.key for rule in book.shown.rules]
    if dialog.action["value"] not in keys:
        return message_view(RULE.title, GONE)
    number = keys.index(dialog.action["value"])
    return await rule_dialog(dialog.workspace_id, ownership, book, number, is_narrowed=True)
