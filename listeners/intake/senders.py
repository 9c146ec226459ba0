"""Admins add senders of job changes, see what came in, rotate and revoke their secrets, and send payloads again."""

from __future__ import annotations

from slack_bolt.async_app import AsyncApp

from domain.preferences import MERGE_REPORTS
from listeners.dialogs.blocks import View, data_of
from listeners.dialogs.decorators import opens, updates
from listeners.dialogs.dialog import Dialog
from listeners.dialogs.form import Entered
from listeners.intake.keys_view import SENDERS
from listeners.intake.senders_view import (
    ADD,
    ADD_FORM,
    DO,
    MERGE,
    NAME,
    OTHER,
    PRODUCT,
    REFUSED,
    REVOKE,
    REVOKE_FORM,
    ROTATE,
    SECRET,
    SEND_AGAIN,
    TEST,
    TITLE,
    add_view,
    refused_view,
    result_line,
    revoke_view,
    senders_view,
    steps_view,
)
from services.home.preferences import Preferences
from services.intake.added_senders import AddedSenders
from services.intake.keys import IntakeKeys
from services.intake.sample import SampleSender
from services.intake.senders import registry
from services.intake.senders.sender import Sender
from services.slack.mrkdwn import escape


def register(app: AsyncApp) -> None:
    app.action(SENDERS)(show)
    app.action(ADD)(choose)
    app.action(DO)(do)
    app.action(SEND_AGAIN)(send_again)
    app.action(MERGE)(merge)
    app.view(ADD_FORM.callback_id)(add)
    app.view(REVOKE_FORM.callback_id)(revoke)


@opens(TITLE)
async def show(dialog: Dialog, added_senders: AddedSenders) -> View:
    return await _senders_view(dialog, added_senders)


@opens(ADD_FORM.title)
async def choose(dialog: Dialog) -> View:  # noqa: ARG001 - every listener of a dialog has it
    return add_view()


async def add(dialog: Dialog, added_senders: AddedSenders, intake_keys: IntakeKeys) -> None:
    """Make the sender's secret, and show it once with the three steps of the product."""

    async def work(entered: Entered) -> View:
        chosen = entered[PRODUCT]
        name = registry.source_of({"source": entered[NAME]}) if chosen == OTHER else chosen
        if name is None or name == OTHER:
            raise NAME.error("Enter the name of the sender.")
        sender = registry.find(name)
        if sender.proof.is_made_by_vendor and not entered[SECRET]:
            raise SECRET.error(f"{sender.label} {sender.proof.about}. Enter it here.")
        return await _rotated(dialog, sender, added_senders, intake_keys, entered[SECRET])

    if await dialog.submit(ADD_FORM, work):
        await dialog.publish_home()


@updates(TITLE)
async def do(dialog: Dialog, added_senders: AddedSenders, intake_keys: IntakeKeys, sample_sender: SampleSender) -> View:
    """Another choice in the menu of a sender."""
    verb, _, name = dialog.action["selected_option"]["value"].partition(":")
    workspace_id, sender = dialog.workspace_id, registry.find(name)
    if verb == ROTATE and sender.proof.is_made_by_vendor:
        return add_view(name)
    if verb == ROTATE:
        return await _rotated(dialog, sender, added_senders, intake_keys)
    if verb == REFUSED:
        return refused_view(name, await added_senders.refused(workspace_id, name))
    if verb == REVOKE:
        return revoke_view(sender)
    if verb == TEST:
        sent, why_not = await sample_sender.send(workspace_id, dialog.user_id, registry.read_sample(sender))
        note = f":white_check_mark: A test of {escape(sender.label, 100)} is on its way to you."
        return await _senders_view(dialog, added_senders, note if sent else why_not)
    return steps_view(sender, added_senders.url(workspace_id, name))


async def revoke(dialog: Dialog, added_senders: AddedSenders, intake_keys: IntakeKeys) -> None:
    """An admin has confirmed that the secret of a sender is revoked."""

    async def work(_entered: Entered) -> View:
        sender = registry.find(data_of(dialog.view)["name"])
        await intake_keys.revoke(dialog.workspace_id, sender.name, dialog.user_id)
        return await _senders_view(dialog, added_senders, f"The secret of {escape(sender.label, 100)} no longer works.")

    if await dialog.submit(REVOKE_FORM, work):
        await dialog.publish_home()


@updates(TITLE)
async def merge(dialog: Dialog, added_senders: AddedSenders, preferences: Preferences) -> View:
    """Whether several reports of one move notify once."""
    chosen = MERGE_REPORTS.parse(dialog.action["selected_option"]["value"])
    change = preferences.change(dialog.workspace_id, dialog.user_id, {MERGE_REPORTS.name: chosen}, None)
    result = await added_senders.database.run(change)
    return await _senders_view(dialog, added_senders, result.text)


@updates(TITLE)
async def send_again(dialog: Dialog, added_senders: AddedSenders) -> View:
    """Receive a refused payload again, with the current mapping."""
    number, _, name = dialog.action["value"].partition(":")
    received = await added_senders.send_again(dialog.workspace_id, int(number))
    note = "It is no longer kept."
    if received:
        note = "\n".join(escape(result_line(result), 300) for result in received.results)
    return refused_view(name, await added_senders.refused(dialog.workspace_id, name), note)


async def _senders_view(dialog: Dialog, added_senders: AddedSenders, note: str | None = None) -> View:
    senders, merges = await added_senders.all_of(dialog.workspace_id), await added_senders.merges(dialog.workspace_id)
    return senders_view(senders, note, merges=merges)


async def _rotated(
    dialog: Dialog, sender: Sender, added_senders: AddedSenders, intake_keys: IntakeKeys, secret: str = ""
) -> View:
    key = await intake_keys.make_for(dialog.workspace_id, sender, dialog.user_id, secret)
    note = (
        f":white_check_mark: {escape(sender.label, 100)} can send now. Any earlier secret works for another 24 hours."
    )
    return steps_view(sender, added_senders.url(dialog.workspace_id, sender.name), key, note)
