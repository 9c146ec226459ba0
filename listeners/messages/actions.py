"""Handles the buttons of a message and the dialogs behind them."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond

from listeners.dialogs.blocks import ASSIGNED_FILTER, View, data_of
from listeners.dialogs.decorators import submits
from listeners.dialogs.dialog import Dialog
from listeners.dialogs.form import Entered, Form
from listeners.messages.actions_view import (
    COLLEAGUE,
    COMMENT,
    MUTE,
    MUTED,
    NOTE_TITLE,
    REASON,
    REASSIGN,
    REMIND_AT,
    REPORT,
    SNOOZE,
    UNMUTE,
    WRONG,
    home_behind,
    mute_view,
    note_view,
    opened_in_home,
    reassign_view,
    report_view,
    snooze_view,
    why_view,
)
from services.messages.actions import ActionRequest, ActionResult, DeliveryActions
from services.messages.available_actions import ActionableDelivery, ActionKind
from services.messages.button_values import ButtonPress, delivery_id_in
from services.messages.elements import ACTION, LINK, MENU
from services.messages.snooze import SnoozeOption

LINKS = re.compile(f"^{LINK}")
"""Buttons that only open a page. Slack sends an interaction for them too, and expects an answer."""

_DIALOGS: dict[ActionKind, Callable[[ActionableDelivery], View]] = {
    ActionKind.REASSIGN: reassign_view,
    ActionKind.SNOOZE: snooze_view,
    ActionKind.WRONG_DATA: report_view,
    ActionKind.WHY: why_view,
    ActionKind.MUTE: mute_view,
}
_WITHOUT_DIALOG = {ActionKind.TAKE, ActionKind.DONE, ActionKind.NOT_RELEVANT, ActionKind.REOPEN}
_OTHER_VERSION = "This button belongs to another version of the app and no longer works."


def register(app: AsyncApp) -> None:
    app.action(LINKS)(open_link)
    app.action(MENU)(choose_in_menu)
    app.action(re.compile(f"^{ACTION}({'|'.join(ActionKind)})$"))(press)
    app.action(UNMUTE)(unmute)
    app.view(REASSIGN.callback_id)(reassign)
    app.view(SNOOZE.callback_id)(snooze)
    app.view(REPORT.callback_id)(report)
    app.view(MUTE.callback_id)(mute)


async def open_link(ack: AsyncAck) -> None:
    await ack()


async def press(dialog: Dialog, respond: AsyncRespond, delivery_actions: DeliveryActions) -> None:
    await dialog.ack()
    kind = dialog.action["action_id"].removeprefix(ACTION)
    await _start(kind, dialog.action.get("value", ""), dialog, respond, delivery_actions)


async def choose_in_menu(dialog: Dialog, respond: AsyncRespond, delivery_actions: DeliveryActions) -> None:
    await dialog.ack()
    kind, _, value = dialog.action["selected_option"]["value"].partition(":")
    await _start(kind, value, dialog, respond, delivery_actions)


async def _start(
    name: str, value: str, dialog: Dialog, respond: AsyncRespond, delivery_actions: DeliveryActions
) -> None:
    """Take the delivery or open the dialog of the action. If the person may not do this, tell them why."""
    is_in_home = dialog.view.get("type") == "home"
    if name not in set(ActionKind):
        await (
            dialog.publish_home(_OTHER_VERSION, ASSIGNED_FILTER)
            if is_in_home
            else respond(_OTHER_VERSION, replace_original=False)
        )
        return
    kind = ActionKind(name)
    if kind in _WITHOUT_DIALOG:
        request = await _request(kind, value, dialog, delivery_actions)
        result = await (
            delivery_actions.take(request) if kind is ActionKind.TAKE else delivery_actions.finish(request, kind)
        )
        text = await delivery_actions.update_messages(result)
        if is_in_home:
            await dialog.publish_home(text, ASSIGNED_FILTER)
        elif text:
            await respond(text, replace_original=False)
        return

    async def find() -> ActionableDelivery | str:
        return await delivery_actions.find(await _request(kind, value, dialog, delivery_actions), kind)

    actionable, loading_id = await dialog.wait_for(NOTE_TITLE, find())
    view = note_view(actionable) if isinstance(actionable, str) else _DIALOGS[kind](actionable)
    if is_in_home:
        view = opened_in_home(view, dialog.view)
    if loading_id:
        await dialog.update_view(loading_id, view)
    elif is_in_home or not isinstance(actionable, str):
        await dialog.push(view)
    elif dialog.view:
        await dialog.update_view(dialog.view["id"], view)
    else:
        await respond(actionable, replace_original=False)


async def reassign(dialog: Dialog, delivery_actions: DeliveryActions) -> None:
    async def act(entered: Entered) -> ActionResult:
        return await delivery_actions.reassign(_request_of_dialog(dialog), entered[COLLEAGUE] or None, entered[REASON])

    await _submit(dialog, delivery_actions, REASSIGN, act)


async def snooze(dialog: Dialog, delivery_actions: DeliveryActions) -> None:
    async def act(entered: Entered) -> ActionResult:
        return await delivery_actions.snooze(_request_of_dialog(dialog), SnoozeOption(entered[REMIND_AT]))

    await _submit(dialog, delivery_actions, SNOOZE, act)


async def report(dialog: Dialog, delivery_actions: DeliveryActions) -> None:
    async def act(entered: Entered) -> ActionResult:
        return await delivery_actions.report(_request_of_dialog(dialog), entered[WRONG], entered[COMMENT])

    await _submit(dialog, delivery_actions, REPORT, act)


@submits(MUTE)
async def mute(dialog: Dialog, entered: Entered, delivery_actions: DeliveryActions) -> View:
    """The dialog stays open and shows what is muted, with an Undo button."""
    actionable = await delivery_actions.mute(_request_of_dialog(dialog), entered[MUTED])
    return note_view(actionable) if isinstance(actionable, str) else mute_view(actionable)


async def unmute(dialog: Dialog, delivery_actions: DeliveryActions) -> None:
    await dialog.ack()
    actionable = await delivery_actions.mute(_request_of_dialog(dialog), dialog.action["value"], muted=False)
    await dialog.update_view(
        dialog.view["id"], note_view(actionable) if isinstance(actionable, str) else mute_view(actionable)
    )


async def _submit(
    dialog: Dialog,
    delivery_actions: DeliveryActions,
    form: Form,
    act: Callable[[Entered], Awaitable[ActionResult]],
) -> None:
    """Close the dialog and update the messages; or show in the dialog why the action was not possible."""

    async def work(entered: Entered) -> ActionResult | View:
        result = await act(entered)
        if not result.done and result.can_choose_again:
            raise form.fields[0].error(result.text or "")
        return result if result.done else note_view(result.text or "")

    result = await dialog.submit(form, work)
    if isinstance(result, ActionResult):
        await delivery_actions.update_messages(result)
        if home := home_behind(dialog.view):
            await dialog.home_tab.publish(dialog.client, dialog.workspace_id, dialog.user_id, view=home)


async def _request(kind: ActionKind, value: str, dialog: Dialog, delivery_actions: DeliveryActions) -> ActionRequest:
    """The request of a button. The signed metadata of a dialog or Home names deliveries."""
    if dialog.view.get("type") == "home":
        offered, delivery_id = data_of(dialog.view).get("deliveries", []), delivery_id_in(value)
        return ActionRequest(dialog.workspace_id, delivery_id if delivery_id in offered else 0, dialog.user_id)
    if dialog.view:
        return _request_of_dialog(dialog)
    container = dialog.body.get("container") or {}
    message = (str(container.get("channel_id")), str(container.get("message_ts")))
    return await delivery_actions.pressed(dialog.workspace_id, ButtonPress(kind, value, message), dialog.user_id)


def _request_of_dialog(dialog: Dialog) -> ActionRequest:
    return ActionRequest(dialog.workspace_id, delivery_id_in(data_of(dialog.view).get("delivery", "")), dialog.user_id)
