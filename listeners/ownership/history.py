"""The history of the ownership rules: who changed what, and rolling back to an earlier version."""

from __future__ import annotations

import re
from functools import partial

from slack_bolt.async_app import AsyncApp

from listeners.dialogs.blocks import View
from listeners.dialogs.dialog import Dialog
from listeners.dialogs.mentions import save_result_text
from listeners.ownership.dialogs import OwnershipDialogs
from listeners.ownership.history_view import HISTORY_TITLE, ROLL_BACK, history_view, seen_version
from listeners.ownership.rule_list_view import HISTORY


def register(app: AsyncApp) -> None:
    app.action(HISTORY)(show)
    app.action(re.compile(f"^{ROLL_BACK}_"))(roll_back)


async def show(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    await dialog.open(HISTORY_TITLE, partial(_history_view, dialog.workspace_id, ownership))


async def roll_back(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    version, seen = int(dialog.action["value"]), seen_version(dialog.view)

    async def make_view() -> View:
        result = await ownership.rulebook.roll_back(dialog.workspace_id, dialog.user_id, version, seen)
        await ownership.redraw(dialog)
        return await _history_view(dialog.workspace_id, ownership, save_result_text(result))

    await dialog.update(HISTORY_TITLE, make_view)


async def _history_view(workspace_id: str, ownership: OwnershipDialogs, note: str | None = None) -> View:
    book = ownership.rulebook
    return history_view(await book.versions(workspace_id), await book.history(workspace_id), note)
