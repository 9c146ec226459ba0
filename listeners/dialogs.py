"""What the dialogs for admins have in common: who may use them, and that Slack is answered before slow work is done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from listeners.blocks import View, said_view, wait_view
from services.directory import Directory
from services.errors import PermanentError, TransientError
from services.mrkdwn import escape
from services.slack import error_code

PATIENCE_SECONDS = 1.0
"""After which somebody who pressed a button is told to wait."""

QUICK_SECONDS = 2.0
"""How long a submission is kept waiting for its answer; Slack gives three seconds in all."""

OVERTAKEN_SECONDS = 0.2
"""Bolt looks every 10 ms whether we have acknowledged, and only then answers. slack_bolt/listener/asyncio_runner.py"""

Body = dict[str, Any]
Making = Callable[[], Awaitable[View]]


def register(app: AsyncApp) -> None:
    """From here on listeners may ask for a `dialog`."""
    app.middleware(provide)


async def provide(
    ack: AsyncAck,
    body: Body,
    client: AsyncWebClient,
    context: AsyncBoltContext,
    workspace_id: str,
    directory: Directory,
    next_: Callable[[], Awaitable[BoltResponse]],
) -> BoltResponse:
    """Hands each listener that names it a `dialog`: who acts, where, and how to answer."""
    context["dialog"] = Dialog(ack, body, client, workspace_id, directory)
    return await next_()


@dataclass(frozen=True)
class Dialog:
    """
    What somebody does in a dialog of ours or on the way to one, and how it is answered. *body*: Slack's payload of it.

    https://docs.slack.dev/reference/interaction-payloads

    What is *making* a view runs for admins and owners only. It may raise PermanentError and TransientError, and is
    told then.
    """

    ack: AsyncAck
    body: Body
    client: AsyncWebClient
    workspace_id: str
    directory: Directory

    @property
    def user_id(self) -> str:
        return str(self.body["user"]["id"])

    @property
    def view(self) -> View:
        """What was acted in, as it stood: a dialog, or Home."""
        view: View = self.body["view"]
        return view

    @property
    def action(self) -> dict[str, Any]:
        """The element that was used."""
        action: dict[str, Any] = self.body["actions"][0]
        return action

    def entered(self, block_id: str) -> Any:
        return entered(self.view, block_id)

    async def may(self) -> bool:
        """Whether whoever sent this is an admin or owner right now."""
        return await self.directory.is_admin(self.workspace_id, self.user_id)

    async def open(self, title: str, making: Making) -> None:
        """Another dialog, on top of the one that is open: at once, since Slack gives it three seconds; then filled."""
        await self.ack()
        is_on_another = self.body.get("view", {}).get("type") == "modal"  # else it is Home, or a message
        show = self.client.views_push if is_on_another else self.client.views_open
        opened = await show(trigger_id=self.body["trigger_id"], view=wait_view(title))
        await self._fill(opened["view"]["id"], title, making)

    async def change(self, title: str, making: Making) -> None:
        """Another content for the dialog that was acted in."""
        await self.ack()
        await self._fill(self.view["id"], title, making)

    async def answer(self, title: str, making: Making) -> None:
        """
        Another content for the dialog that was submitted.

        Quick work goes into the answer itself: what is sent after an answer may overtake it.
        """
        content = asyncio.create_task(self._content(title, making))
        await asyncio.wait({content}, timeout=QUICK_SECONDS)
        if content.done():
            await self.ack(response_action="update", view=content.result())
            return
        await self.ack(response_action="update", view=wait_view(title))
        view = await content
        await asyncio.sleep(OVERTAKEN_SECONDS)
        await self.put(self.view["id"], view)

    async def refuse(self, faults: Mapping[str, str]) -> None:
        """The dialog that was submitted stays, with what is wrong at its fields, by their block_id."""
        await self.ack(response_action="errors", errors=dict(faults))

    async def turned_away(self, title: str) -> bool:
        """Whether what was submitted is not for this person to do; then they have been told so."""
        if await self.may():
            return False
        await self.ack(response_action="update", view=said_view(title))
        return True

    async def put(self, view_id: str, view: View) -> None:
        """Into a dialog, unless it was closed meanwhile."""
        try:
            await self.client.views_update(view_id=view_id, view=view)
        except SlackApiError as error:
            if error_code(error) != "not_found":
                raise

    async def _fill(self, view_id: str, title: str, making: Making) -> None:
        content = asyncio.create_task(self._content(title, making))
        await asyncio.wait({content}, timeout=PATIENCE_SECONDS)
        if not content.done():
            await self.put(view_id, wait_view(title))
        await self.put(view_id, await content)

    async def _content(self, title: str, making: Making) -> View:
        """The view; or, when Salesforce or Slack does not let us make it, what is in the way."""
        if not await self.may():
            return said_view(title)
        try:
            return await making()
        except PermanentError as error:
            return said_view(title, f":warning: {_sentence(error)}")
        except TransientError as error:
            return said_view(title, f":warning: {_sentence(error)} Please try again in a minute.")


def _sentence(error: Exception) -> str:
    return f"{escape(str(error).removesuffix('.'), 500)}."


def entered(view: View, block_id: str) -> Any:
    """
    What stands in a field of a dialog: text, the value of an option, an id, a list of those, a day as 2026-11-23 or a
    time as 17:05; None: nothing.

    https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload
    """
    state: dict[str, Any] = next(iter(view["state"]["values"].get(block_id, {}).values()), {})
    for name in ("value", "selected_user", "selected_conversation", "selected_users", "selected_date", "selected_time"):
        if name in state:
            return state[name]
    if "selected_options" in state:
        return [option["value"] for option in state["selected_options"] or []]
    option = state.get("selected_option")
    return option["value"] if option else None
