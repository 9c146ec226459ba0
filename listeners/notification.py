"""The buttons under a notification, and the dialogs behind them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from listeners.notification_view import (
    CHOICE,
    HAND_ON,
    LATER,
    MUTE,
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
from services.acting import Acted, Acting, Reached
from services.later import When
from services.messages import ACTION, MENU
from services.mutables import ALL
from services.offers import FAULTS, Verb

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


async def press(
    ack: AsyncAck,
    action: dict[str, Any],
    body: dict[str, Any],
    respond: AsyncRespond,
    client: AsyncWebClient,
    workspace_id: str,
    acting: Acting,
) -> None:
    await ack()
    verb = action["action_id"].removeprefix(ACTION)
    await _do(verb, action["value"], body, respond, client, workspace_id, acting)


async def choose_in_menu(
    ack: AsyncAck,
    action: dict[str, Any],
    body: dict[str, Any],
    respond: AsyncRespond,
    client: AsyncWebClient,
    workspace_id: str,
    acting: Acting,
) -> None:
    await ack()
    verb, _, delivery = action["selected_option"]["value"].partition(":")
    await _do(verb, delivery, body, respond, client, workspace_id, acting)


async def _do(
    name: str,
    delivery: str,
    body: dict[str, Any],
    respond: AsyncRespond,
    client: AsyncWebClient,
    workspace_id: str,
    acting: Acting,
) -> None:
    """Take it, or open the dialog; who may not reads why."""
    if name not in set(Verb):
        await respond(_OF_ANOTHER_VERSION, replace_original=False)
        return
    verb, actor = Verb(name), body["user"]["id"]
    if verb is Verb.TAKE:
        acted = await acting.take(workspace_id, _id(delivery), actor)
        if text := await acting.show(acted):
            await respond(text, replace_original=False)
        return
    reached = await acting.reach(workspace_id, _id(delivery), actor, verb)
    if not isinstance(reached, str):
        show = client.views_push if body.get("view") else client.views_open
        await show(trigger_id=body["trigger_id"], view=_DIALOGS[verb](reached))
    elif body.get("view"):
        await client.views_update(view_id=body["view"]["id"], view=note_view(reached))
    else:
        await respond(reached, replace_original=False)


async def hand_on(ack: AsyncAck, body: dict[str, Any], view: dict[str, Any], workspace_id: str, acting: Acting) -> None:
    to, words = _filled_in(view, "selected_user"), _words(view)
    acted = await acting.hand_on(workspace_id, _about(view), body["user"]["id"], to, words)
    await _answer(ack, acted, acting)


async def put_off(ack: AsyncAck, body: dict[str, Any], view: dict[str, Any], workspace_id: str, acting: Acting) -> None:
    if when := await _chosen(ack, view, set(When)):
        await _answer(ack, await acting.put_off(workspace_id, _about(view), body["user"]["id"], When(when)), acting)


async def report(ack: AsyncAck, body: dict[str, Any], view: dict[str, Any], workspace_id: str, acting: Acting) -> None:
    if fault := await _chosen(ack, view, FAULTS):
        acted = await acting.report(workspace_id, _about(view), body["user"]["id"], fault, _words(view))
        await _answer(ack, acted, acting)


async def mute(ack: AsyncAck, body: dict[str, Any], view: dict[str, Any], workspace_id: str, acting: Acting) -> None:
    """The dialog stays, and shows what is muted with an undo."""
    if what := await _chosen(ack, view, ALL):
        muted = await acting.mute(workspace_id, _about(view), body["user"]["id"], what)
        await ack(response_action="update", view=note_view(muted) if isinstance(muted, str) else mute_view(muted))


async def unmute(
    ack: AsyncAck,
    action: dict[str, Any],
    body: dict[str, Any],
    client: AsyncWebClient,
    workspace_id: str,
    acting: Acting,
) -> None:
    await ack()
    what, _, delivery = action["value"].partition(":")
    left = await acting.mute(workspace_id, _id(delivery), body["user"]["id"], what, muted=False)
    shown = note_view(left) if isinstance(left, str) else mute_view(left)
    await client.views_update(view_id=body["view"]["id"], view=shown)


async def _answer(ack: AsyncAck, acted: Acted, acting: Acting) -> None:
    """Close the dialog, or say in it what stood in the way; then bring the messages up to date."""
    if acted.done:
        await ack()
        await acting.show(acted)
    elif acted.can_choose_again:
        await ack(response_action="errors", errors={CHOICE: acted.text or ""})
    else:
        await ack(response_action="update", view=note_view(acted.text or ""))


def _id(text: str) -> int:
    """A delivery's id as a button has it; 0, which none is, for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _about(view: dict[str, Any]) -> int:
    return _id(json.loads(view["private_metadata"])["delivery"])


def _filled_in(view: dict[str, Any], kind: str) -> Any:
    return view["state"]["values"][CHOICE][CHOICE][kind]


async def _chosen(ack: AsyncAck, view: dict[str, Any], allowed: Collection[str]) -> str | None:
    """The one that was chosen; None, and said in the dialog: none of those that can be."""
    option = _filled_in(view, "selected_option")
    value = option.get("value") if isinstance(option, dict) else None
    if value in allowed:
        return str(value)
    await ack(response_action="errors", errors={CHOICE: "Choose one of these."})
    return None


def _words(view: dict[str, Any]) -> str:
    return view["state"]["values"][WORDS][WORDS]["value"] or ""
