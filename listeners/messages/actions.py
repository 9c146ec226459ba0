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
    HAND_ON,
    LATER,
    MUTE,
    NOTE_TITLE,
    REPORT,
    UNMUTE,
    WORDS,
    hand_on_view,
    later_view,
    mute_view,
    note_view,
    report_view,
    why_view,
)
from services.home.mutables import ALL
from services.messages.actions import Acted, Acting
from services.messages.available_actions import FAULTS, Reached, Verb
from services.messages.compose import ACTION, MENU
from services.messages.snooze import When

LINKS = re.compile(r"^link_")
"""Buttons of older messages that only open a page: Slack tells of them all the same, and wants to hear that we know."""

_DIALOGS: dict[Verb, Callable[[Reached], dict[str, Any]]] = {
    Verb.HAND_ON: hand_on_view,
    Verb.LATER: later_view,
    Verb.WRONG_DATA: report_view,
    Verb.WHY: why_view,
    Verb.MUTE: mute_view,
}
_OF_ANOTHER_VERSION = "This button is of another version of the app and does nothing any more."


def register(app: AsyncApp) -> None:
    app.action(LINKS)(open_link)
    app.action(MENU)(choose_in_menu)
    app.action(re.compile(f"^{ACTION}({'|'.join(Verb)})$"))(press)
    app.action(UNMUTE)(unmute)
    app.view(HAND_ON)(hand_on)
    app.view(LATER)(put_off)
    app.view(REPORT)(report)
    app.view(MUTE)(mute)


async def open_link(ack: AsyncAck) -> None:
    await ack()


async def press(dialog: Dialog, respond: AsyncRespond, acting: Acting) -> None:
    await dialog.ack()
    verb = dialog.action["action_id"].removeprefix(ACTION)
    await _do(verb, dialog.action["value"], dialog, respond, acting)


async def choose_in_menu(dialog: Dialog, respond: AsyncRespond, acting: Acting) -> None:
    await dialog.ack()
    verb, _, delivery = dialog.action["selected_option"]["value"].partition(":")
    await _do(verb, delivery, dialog, respond, acting)


async def _do(name: str, delivery: str, dialog: Dialog, respond: AsyncRespond, acting: Acting) -> None:
    """Take it, or open the dialog; who may not reads why."""
    if name not in set(Verb):
        await respond(_OF_ANOTHER_VERSION, replace_original=False)
        return
    verb, about = Verb(name), (dialog.workspace_id, _id(delivery), dialog.user_id)
    if verb is Verb.TAKE:
        acted = await acting.take(*about)
        if text := await acting.show(acted):
            await respond(text, replace_original=False)
        return
    reached, waiting = await dialog.waited(NOTE_TITLE, acting.reach(*about, verb))
    view = note_view(reached) if isinstance(reached, str) else _DIALOGS[verb](reached)
    if waiting:
        await dialog.put(waiting, view)
    elif not isinstance(reached, str):
        await dialog.put_on_top(view)
    elif dialog.body.get("view"):
        await dialog.put(dialog.view["id"], view)
    else:
        await respond(reached, replace_original=False)


async def hand_on(dialog: Dialog, acting: Acting) -> None:
    about, to, words = _about(dialog.view), dialog.entered(CHOICE), _words(dialog)
    await _act(dialog, acting, acting.hand_on(dialog.workspace_id, about, dialog.user_id, to, words))


async def put_off(dialog: Dialog, acting: Acting) -> None:
    if when := await _chosen(dialog, set(When)):
        about = _about(dialog.view)
        await _act(dialog, acting, acting.put_off(dialog.workspace_id, about, dialog.user_id, When(when)))


async def report(dialog: Dialog, acting: Acting) -> None:
    if fault := await _chosen(dialog, FAULTS):
        about, words = _about(dialog.view), _words(dialog)
        await _act(dialog, acting, acting.report(dialog.workspace_id, about, dialog.user_id, fault, words))


async def mute(dialog: Dialog, acting: Acting) -> None:
    """The dialog stays, and shows what is muted with an undo."""
    what = await _chosen(dialog, ALL)
    if what is None:
        return

    async def doing() -> None:
        muted = await acting.mute(dialog.workspace_id, _about(dialog.view), dialog.user_id, what)
        await dialog.show(note_view(muted) if isinstance(muted, str) else mute_view(muted))

    await dialog.in_time(doing())


async def unmute(dialog: Dialog, acting: Acting) -> None:
    await dialog.ack()
    what, _, delivery = dialog.action["value"].partition(":")
    left = await acting.mute(dialog.workspace_id, _id(delivery), dialog.user_id, what, muted=False)
    await dialog.put(dialog.view["id"], note_view(left) if isinstance(left, str) else mute_view(left))


async def _act(dialog: Dialog, acting: Acting, deed: Awaitable[Acted]) -> None:
    """Close the dialog, or say in it what stood in the way; then bring the messages up to date."""

    async def doing() -> None:
        acted = await deed
        if acted.done:
            await dialog.close()
            await acting.show(acted)
        elif acted.can_choose_again:
            await dialog.refuse({CHOICE: acted.text or ""})
        else:
            await dialog.show(note_view(acted.text or ""))

    await dialog.in_time(doing())


def _id(text: str) -> int:
    """A delivery's id as a button has it; 0, which none is, for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _about(view: dict[str, Any]) -> int:
    return _id(json.loads(view["private_metadata"])["delivery"])


async def _chosen(dialog: Dialog, allowed: Collection[str]) -> str | None:
    """The one that was chosen; None, and said in the dialog: none of those that can be."""
    value = dialog.entered(CHOICE)
    if value in allowed:
        return str(value)
    await dialog.refuse({CHOICE: "Choose one of these."})
    return None


def _words(dialog: Dialog) -> str:
    return dialog.entered(WORDS) or ""
