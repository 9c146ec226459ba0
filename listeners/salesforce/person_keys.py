"""Admins choose the fields of Salesforce by which the people of job changes and their companies are found."""

from __future__ import annotations

from slack_bolt.async_app import AsyncApp

from domain.errors import PermanentError, TransientError
from domain.people import SearchFields, key_lines
from listeners.dialogs.blocks import View
from listeners.dialogs.decorators import opens, submits, updates
from listeners.dialogs.dialog import Dialog
from listeners.dialogs.form import Entered, InvalidFormError
from listeners.salesforce.person_keys_view import ADD, DOMAIN_FIELD, KEYS, PERSON_KEYS_FORM, person_keys_view
from listeners.salesforce.settings_view import PERSON_KEYS
from services.ownership.person_keys import PersonKeys


def register(app: AsyncApp) -> None:
    app.action(PERSON_KEYS)(show)
    app.action(ADD)(add_proposed)
    app.view(PERSON_KEYS_FORM.callback_id)(save)


@opens(PERSON_KEYS_FORM.title)
async def show(dialog: Dialog, person_keys: PersonKeys) -> View:
    return await _view(dialog, person_keys)


@updates(PERSON_KEYS_FORM.title)
async def add_proposed(dialog: Dialog, person_keys: PersonKeys) -> View:
    """Add the proposed fields to what is typed. Nothing is saved yet."""
    proposed = await person_keys.proposed(dialog.workspace_id)
    entered = PERSON_KEYS_FORM.read(dialog.view)
    new = [key for key in proposed.keys if str(key) not in entered[KEYS]]
    typed = "\n".join(filter(None, [entered[KEYS], key_lines(new)]))
    domain_field = entered[DOMAIN_FIELD] or proposed.domain_field
    return person_keys_view(typed, domain_field, None, "Check the order, then save.")


@submits(PERSON_KEYS_FORM)
async def save(dialog: Dialog, entered: Entered, person_keys: PersonKeys) -> View:
    try:
        problems = await person_keys.save(
            dialog.workspace_id, dialog.user_id, entered[KEYS], entered[DOMAIN_FIELD] or None
        )
    except (PermanentError, TransientError) as error:
        problems = {KEYS.name: f"The fields could not be checked in Salesforce: {error}"}
    if problems:
        raise InvalidFormError(problems)
    return await _view(dialog, person_keys, ":white_check_mark: Saved. People of new job changes are found this way.")


async def _view(dialog: Dialog, person_keys: PersonKeys, note: str | None = None) -> View:
    proposed: SearchFields | None
    try:
        proposed = await person_keys.proposed(dialog.workspace_id)
    except (PermanentError, TransientError):
        proposed = None
    in_use = await person_keys.read(dialog.workspace_id)
    return person_keys_view(key_lines(in_use.keys), in_use.domain_field, proposed, note)
