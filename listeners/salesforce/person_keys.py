"""Admins choose the fields of Salesforce by which the people of job changes are found."""

from __future__ import annotations

from functools import partial

from slack_bolt.async_app import AsyncApp

from domain.errors import PermanentError, TransientError
from domain.people import key_lines
from listeners.dialogs.blocks import View
from listeners.dialogs.dialog import Dialog
from listeners.salesforce.person_keys_view import ADD, KEYS, SAVE, TITLE, person_keys_view
from listeners.salesforce.settings_view import PERSON_KEYS
from services.ownership.person_keys import PersonKeys


def register(app: AsyncApp) -> None:
    app.action(PERSON_KEYS)(show)
    app.action(ADD)(add_proposed)
    app.view(SAVE)(save)


async def show(dialog: Dialog, person_keys: PersonKeys) -> None:
    await dialog.open(TITLE, partial(_view, dialog, person_keys))


async def add_proposed(dialog: Dialog, person_keys: PersonKeys) -> None:
    """Add the proposed fields to what is typed. Nothing is saved yet."""

    async def make_view() -> View:
        proposed = await person_keys.proposed(dialog.workspace_id)
        typed = (dialog.value_of(KEYS) or "").strip()
        new = [key for key in proposed if str(key) not in typed]
        return person_keys_view("\n".join(filter(None, [typed, key_lines(new)])), [], "Check the order, then save.")

    await dialog.change(TITLE, make_view)


async def save(dialog: Dialog, person_keys: PersonKeys) -> None:
    await dialog.run_submission(_save(dialog, person_keys))


async def _save(dialog: Dialog, person_keys: PersonKeys) -> None:
    if await dialog.refuse_unless_admin(TITLE):
        return
    try:
        problem = await person_keys.save(dialog.workspace_id, dialog.user_id, dialog.value_of(KEYS) or "")
    except (PermanentError, TransientError) as error:
        problem = f"The fields could not be checked in Salesforce: {error}"
    if problem:
        await dialog.show_errors({KEYS: problem})
        return
    note = ":white_check_mark: Saved. People of new job changes are found this way."
    await dialog.show(await _view(dialog, person_keys, note))


async def _view(dialog: Dialog, person_keys: PersonKeys, note: str | None = None) -> View:
    try:
        proposed = await person_keys.proposed(dialog.workspace_id)
    except (PermanentError, TransientError):
        proposed = []
    return person_keys_view(key_lines(await person_keys.read(dialog.workspace_id)), proposed, note)
