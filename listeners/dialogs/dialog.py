"""What the dialogs for admins have in common: who may use them, and that Slack is answered before slow work is done."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from domain.errors import PermanentError, TransientError
from listeners.dialogs.blocks import View, loading_view, message_view, sections
from listeners.dialogs.form_values import as_typed, field_value
from services.slack.api import error_code
from services.slack.directory import Directory
from services.slack.mrkdwn import escape
from store.database import DatabaseUnavailableError

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 1.0
"""After which somebody who pressed a button is told to wait."""

QUICK_SECONDS = 2.0
"""How long a submission is kept waiting for its answer; Slack gives three seconds in all."""

OVERTAKEN_SECONDS = 0.2
"""Bolt looks every 10 ms whether we have acknowledged, and only then answers. slack_bolt/listener/asyncio_runner.py"""

DONE = ":white_check_mark: It is done."
DATABASE_AWAY = "The database does not answer just now, so nothing was changed. Please try again in a minute."

T = TypeVar("T")
Body = dict[str, Any]
MakeView = Callable[[], Awaitable[View]]


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

    What is *make_view* a view runs for admins and owners only. It may raise PermanentError and TransientError, and is
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

    def value_of(self, block_id: str) -> Any:
        return field_value(self.view, block_id)

    async def is_admin(self) -> bool:
        """Whether whoever sent this is an admin or owner right now."""
        return await self.directory.is_admin(self.workspace_id, self.user_id)

    async def open(self, title: str, make_view: MakeView) -> None:
        """Another dialog, on top of the one that is open: at once, since Slack gives it three seconds; then filled."""
        await self.ack()
        await self._fill(await self.open_view(loading_view(title)), title, make_view)

    async def open_view(self, view: View) -> str:
        """Another dialog, on top of the one that is open; its id."""
        is_on_another = self.body.get("view", {}).get("type") == "modal"  # else it is Home, or a message
        show = self.client.views_push if is_on_another else self.client.views_open
        opened = await show(trigger_id=self.body["trigger_id"], view=view)
        return str(opened["view"]["id"])

    async def wait_for(self, title: str, work: Awaitable[T]) -> tuple[T, str | None]:
        """
        What *work* comes to, on the way to another dialog.

        And the id of one that says to wait, opened if that takes long: after three seconds Slack opens none any more.
        """
        working = asyncio.ensure_future(work)
        await asyncio.wait({working}, timeout=PATIENCE_SECONDS)
        waiting = None if working.done() else await self.open_view(loading_view(title))
        return await working, waiting

    async def change(self, title: str, make_view: MakeView) -> None:
        """Another content for the dialog that was acted in."""
        await self.ack()
        await self._fill(self.view["id"], title, make_view)

    async def answer(self, title: str, make_view: MakeView) -> None:
        """
        Another content for the dialog that was submitted.

        Quick work goes into the answer itself: what is sent after an answer may overtake it.
        """

        async def doing() -> None:
            await self.show(await self._content(title, make_view))

        await self.run_submission(doing())

    async def run_submission(self, doing: Awaitable[None]) -> None:
        """
        Do what was submitted, which answers by `close`, `refuse` or `show` once it is done.

        Takes that longer than Slack waits, the dialog says so meanwhile, and what came of it then.
        """
        work = asyncio.ensure_future(doing)
        await asyncio.wait({work}, timeout=QUICK_SECONDS)
        if not work.done() and not self._is_answered:
            await self.ack(response_action="update", view=loading_view(self._title))
        await work

    async def close(self) -> None:
        """The dialog that was submitted: it is done."""
        if self._is_answered:
            await self._show_late(message_view(self._title, DONE))
        else:
            await self.ack()

    async def show_errors(self, faults: Mapping[str, str]) -> None:
        """The dialog that was submitted stays, with what is wrong at its fields, by their block_id."""
        if self._is_answered:
            told = sections(f":no_entry: {escape(fault, 500)}" for fault in faults.values())
            typed = as_typed(self.view)
            await self._show_late(typed | {"blocks": [*told, *typed["blocks"]]})
        else:
            await self.ack(response_action="errors", errors=dict(faults))

    async def show(self, view: View) -> None:
        """In place of the dialog that was submitted."""
        if self._is_answered:
            await self._show_late(view)
        else:
            await self.ack(response_action="update", view=view)

    async def refuse_unless_admin(self, title: str) -> bool:
        """Whether what was submitted is not for this person to do; then they have been told so."""
        if await self.is_admin():
            return False
        await self.show(message_view(title))
        return True

    @property
    def _is_answered(self) -> bool:
        return self.ack.response is not None

    @property
    def _title(self) -> str:
        return str(self.view["title"]["text"])

    async def _show_late(self, view: View) -> None:
        await asyncio.sleep(OVERTAKEN_SECONDS)
        await self.update_view(self.view["id"], view)

    async def update_view(self, view_id: str, view: View) -> None:
        """Into a dialog, unless it was closed meanwhile."""
        try:
            await self.client.views_update(view_id=view_id, view=view)
        except SlackApiError as error:
            if error_code(error) != "not_found":
                raise

    async def _fill(self, view_id: str, title: str, make_view: MakeView) -> None:
        content = asyncio.create_task(self._content(title, make_view))
        await asyncio.wait({content}, timeout=PATIENCE_SECONDS)
        if not content.done():
            await self.update_view(view_id, loading_view(title))
        await self.update_view(view_id, await content)

    async def _content(self, title: str, make_view: MakeView) -> View:
        """The view; or, when Salesforce or Slack does not let us make it, what is in the way."""
        try:
            return await make_view() if await self.is_admin() else message_view(title)
        except DatabaseUnavailableError as error:
            log.warning("a dialog of workspace %s was left without content: %s", self.workspace_id, error)
            return message_view(title, f":warning: {DATABASE_AWAY}")
        except PermanentError as error:
            return message_view(title, f":warning: {_sentence(error)}")
        except TransientError as error:
            return message_view(title, f":warning: {_sentence(error)} Please try again in a minute.")


def _sentence(error: Exception) -> str:
    return f"{escape(str(error).removesuffix('.'), 500)}."
