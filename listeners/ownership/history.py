"""The history of the ownership rules: who changed what, and rolling back to an earlier version."""

from __future__ import annotations

import re

from slack_bolt.async_app import AsyncApp

from listeners.dialogs.blocks import View, message_view
from listeners.dialogs.decorators import opens, updates
from listeners.dialogs.dialog import Dialog
from listeners.dialogs.mentions import labels_of, save_result_text
from listeners.ownership.dialogs import OwnershipDialogs
from listeners.ownership.history_view import (
    HISTORY_TITLE,
    ROLL_BACK,
    VIEW_VERSION,
    history_view,
    seen_version,
    version_view,
)
from listeners.ownership.rule_list_view import HISTORY
from services.ownership.rulebook import NO_VERSION
from services.ownership.rules.issues import InvalidRulesError
from services.ownership.rules.rule_set import RuleSet


def register(app: AsyncApp) -> None:
    app.action(HISTORY)(show)
    app.action(re.compile(f"^{VIEW_VERSION}_"))(show_version)
    app.action(re.compile(f"^{ROLL_BACK}_"))(roll_back)


@opens(HISTORY_TITLE)
async def show(dialog: Dialog, ownership: OwnershipDialogs) -> View:
    return await _history_view(dialog.workspace_id, ownership)


@opens(HISTORY_TITLE)
async def show_version(dialog: Dialog, ownership: OwnershipDialogs) -> View:
    """Show the rules of an earlier version, before anybody goes back to it."""
    number, versions = int(dialog.action["value"]), await ownership.rulebook.versions(dialog.workspace_id)
    version = next((version for version in versions if version.version == number), None)
    if version is None:
        return message_view(HISTORY_TITLE, NO_VERSION)
    org, _ = await ownership.org(dialog.workspace_id)
    try:
        rules = RuleSet.from_stored(version.rules)
    except InvalidRulesError:
        rules = None
    return version_view(version, rules, labels_of(org), seen_version(dialog.view))


@updates(HISTORY_TITLE)
async def roll_back(dialog: Dialog, ownership: OwnershipDialogs) -> View:
    version, seen = int(dialog.action["value"]), seen_version(dialog.view)
    result = await ownership.rulebook.roll_back(dialog.workspace_id, dialog.user_id, version, seen)
    await ownership.redraw(dialog)
    history = await _history_view(dialog.workspace_id, ownership, save_result_text(result))
    if previous := dialog.view.get("previous_view_id"):
        await dialog.update_view(previous, history)
    return message_view(HISTORY_TITLE, save_result_text(result))


async def _history_view(workspace_id: str, ownership: OwnershipDialogs, note: str | None = None) -> View:
    book = ownership.rulebook
    return history_view(await book.versions(workspace_id), await book.history(workspace_id), note)
