"""Admins choose the buttons that are added to the cards of job changes."""

from __future__ import annotations

from slack_bolt.async_app import AsyncApp

from listeners.dialogs.blocks import View, message_view
from listeners.dialogs.decorators import opens, submits
from listeners.dialogs.dialog import Dialog
from listeners.dialogs.form import Entered
from listeners.dialogs.home_tab import seen_version
from listeners.messages.card_buttons_view import CHANGE_BUTTONS, FORM, TITLE, buttons_view, chosen_buttons
from services.home.home import Home
from services.home.preferences import NOT_INSTALLED, card_buttons_change


def register(app: AsyncApp) -> None:
    app.action(CHANGE_BUTTONS)(show)
    app.view(FORM.callback_id)(save)


@opens(TITLE)
async def show(dialog: Dialog, home: Home) -> View:
    workspace = await home.workspace(dialog.workspace_id)
    return message_view(TITLE, NOT_INSTALLED) if workspace is None else buttons_view(workspace)


@submits(FORM, shown_beside=CHANGE_BUTTONS)
async def save(dialog: Dialog, entered: Entered, home: Home) -> str:
    buttons, seen = chosen_buttons(entered), seen_version(dialog.view)
    change = card_buttons_change(dialog.workspace_id, dialog.user_id, buttons, seen, home.now())
    return (await home.database.run(change)).note
