"""The buttons under a notification, and the dialogs behind them."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond

from listeners.dialogs.dialog import Dialog
from listeners.messages.actions_view import (
    CHOICE,
    COMMENT,
    MUTE,
    NOTE_TITLE,
    REASSIGN,
    REPORT,
    SNOOZE,
    UNMUTE,
    mute_view,
    note_view,
    reassign_view,
    report_view,
    snooze_view,
    why_view,
)
from services.home.mute_options import ALL
from services.messages.actions import ActionResult, DeliveryActions
from services.messages.available_actions import FAULTS, ActionableDelivery, ActionKind
from services.messages.compose import ACTION, MENU
from services.messages.snooze import SnoozeOption

LINKS = re.compile(r"^link_")
"""Buttons of older messages that only open a page: Slack tells of them all the same, and wants to hear that we know."""

_DIALOGS: dict[ActionKind, Callable[[ActionableDelivery], dict[str, Any]]] = {
    ActionKind.REASSIGN: reassign_view,
    ActionKind.SNOOZE: snooze_view,
    ActionKind.WRONG_DATA: report_view,
    ActionKind.WHY: why_view,
    ActionKind.MUTE: mute_view,
}
_OF_ANOTHER_VERSION = "This button is of another version of the app and does nothing any more."


def register(app: AsyncApp) -> None:
    app.action(LINKS)(open_link)
    app.action(MENU)(choose_in_menu)
    app.action(re.compile(f"^{ACTION}({'|'.join(ActionKind)})$"))(press)
    app.action(UNMUTE)(unmute)
    app.view(REASSIGN)(reassign)
    app.view(SNOOZE)(snooze)
    app.view(REPORT)(report)
    app.view(MUTE)(mute)


async def open_link(ack: AsyncAck) -> None:
    await ack()


async def press(dialog: Dialog, respond: AsyncRespond, delivery_actions: DeliveryActions) -> None:
    await dialog.ack()
    verb = dialog.action["action_id"].removeprefix(ACTION)
    await _do(verb, dialog.action["value"], dialog, respond, delivery_actions)


async def choose_in_menu(dialog: Dialog, respond: AsyncRespond, delivery_actions: DeliveryActions) -> None:
    await dialog.ack()
    verb, _, delivery = dialog.action["selected_option"]["value"].partition(":")
    await _do(verb, delivery, dialog, respond, delivery_actions)


async def _do(
    name: str, delivery: str, dialog: Dialog, respond: AsyncRespond, delivery_actions: DeliveryActions
) -> None:
    """Take it, or open the dialog; who may not reads why."""
    if name not in set(ActionKind):
        await respond(_OF_ANOTHER_VERSION, replace_original=False)
        return
    verb, about = ActionKind(name), (dialog.workspace_id, _id(delivery), dialog.user_id)
    if verb is ActionKind.TAKE:
        acted = await delivery_actions.take(*about)
        if text := await delivery_actions.update_messages(acted):
            await respond(text, replace_original=False)
        return
    reached, waiting = await dialog.wait_for(NOTE_TITLE, delivery_actions.find(*about, verb))
    view = note_view(reached) if isinstance(reached, str) else _DIALOGS[verb](reached)
    if waiting:
        await dialog.update_view(waiting, view)
    elif not isinstance(reached, str):
        await dialog.open_view(view)
    elif dialog.body.get("view"):
        await dialog.update_view(dialog.view["id"], view)
    else:
        await respond(reached, replace_original=False)


async def reassign(dialog: Dialog, delivery_actions: DeliveryActions) -> None:
    about, to, words = _about(dialog.view), dialog.value_of(CHOICE), _words(dialog)
    await _act(
        dialog, delivery_actions, delivery_actions.reassign(dialog.workspace_id, about, dialog.user_id, to, words)
    )


async def snooze(dialog: Dialog, delivery_actions: DeliveryActions) -> None:
    if when := await _chosen(dialog, set(SnoozeOption)):
        about = _about(dialog.view)
        await _act(
            dialog,
            delivery_actions,
            delivery_actions.snooze(dialog.workspace_id, about, dialog.user_id, SnoozeOption(when)),
        )


async def report(dialog: Dialog, delivery_actions: DeliveryActions) -> None:
    if fault := await _chosen(dialog, FAULTS):
        about, words = _about(dialog.view), _words(dialog)
        await _act(
            dialog, delivery_actions, delivery_actions.report(dialog.workspace_id, about, dialog.user_id, fault, words)
        )


async def mute(dialog: Dialog, delivery_actions: DeliveryActions) -> None:
    """The dialog stays, and shows what is muted with an undo."""
    what = await _chosen(dialog, ALL)
    if what is None:
        return

    async def doing() -> None:
        muted = await delivery_actions.mute(dialog.workspace_id, _about(dialog.view), dialog.user_id, what)
        await dialog.show(note_view(muted) if isinstance(muted, str) else mute_view(muted))

    await dialog.run_submission(doing())


async def unmute(dialog: Dialog, delivery_actions: DeliveryActions) -> None:
    await dialog.ack()
    what, _, delivery = dialog.action["value"].partition(":")
    left = await delivery_actions.mute(dialog.workspace_id, _id(delivery), dialog.user_id, what, muted=False)
    await dialog.update_view(dialog.view["id"], note_view(left) if isinstance(left, str) else mute_view(left))


async def _act(dialog: Dialog, delivery_actions: DeliveryActions, deed: Awaitable[ActionResult]) -> None:
    """Close the dialog, or say in it what stood in the way; then bring the messages up to date."""

    async def doing() -> None:
        acted = await deed
        if acted.done:
            await dialog.close()
            await delivery_actions.update_messages(acted)
        elif acted.can_choose_again:
            await dialog.show_errors({CHOICE: acted.text or ""})
        else:
            await dialog.show(note_view(acted.text or ""))

    await dialog.run_submission(doing())


def _id(text: str) -> int:
    """A delivery's id as a button has it; 0, which none is, for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _about(view: dict[str, Any]) -> int:
    return _id(json.loads(view["private_metadata"])["delivery"])


async def _chosen(dialog: Dialog, allowed: Collection[str]) -> str | None:
    """The one that was chosen; None, and said in the dialog: none of those that can be."""
    value = dialog.value_of(CHOICE)
    if value in allowed:
        return str(value)
    await dialog.show_errors({CHOICE: "Choose one of these."})
    return None


def _words(dialog: Dialog) -> str:
    return dialog.value_of(COMMENT) or ""
