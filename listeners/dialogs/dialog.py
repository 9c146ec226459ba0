"""Opens, updates and submits dialogs: Slack is answered in time, and admin dialogs are only for admins."""

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
"""After this time, a person who pressed a button sees a loading view."""

QUICK_SECONDS = 2.0
"""How long a submission may take before it is answered with a loading view. Slack allows three seconds in all."""

OVERTAKEN_SECONDS = 0.2
"""Bolt checks every 10 ms whether we have acknowledged, and only then answers. slack_bolt/listener/asyncio_runner.py"""

DONE = ":white_check_mark: Done."
DATABASE_AWAY = "The database is not responding, so nothing was changed. Please try again in a minute."

T = TypeVar("T")
Body = dict[str, Any]
MakeView = Callable[[], Awaitable[View]]


def register(app: AsyncApp) -> None:
    """Provide a `dialog` to each listener that has a parameter of that name."""
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
    context["dialog"] = Dialog(ack, body, client, workspace_id, directory)
    return await next_()


@dataclass(frozen=True)
class Dialog:
    """
    An interaction in a dialog, in Home or in a message, with the ways to answer it.

    `body` is Slack's payload: https://docs.slack.dev/reference/interaction-payloads. A `make_view` function only runs
    for admins and owners. It may raise PermanentError and TransientError, which are shown in the dialog.
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
        """The dialog or Home in which the person acted, as they saw it."""
        view: View = self.body["view"]
        return view

    @property
    def action(self) -> dict[str, Any]:
        """The element that the person used."""
        action: dict[str, Any] = self.body["actions"][0]
        return action

    def value_of(self, block_id: str) -> Any:
        return field_value(self.view, block_id)

    async def is_admin(self) -> bool:
        """Whether the person who acts is an admin or owner right now."""
        return await self.directory.is_admin(self.workspace_id, self.user_id)

    async def open(self, title: str, make_view: MakeView) -> None:
        """Open another dialog with a loading view, and fill it."""
        await self.ack()
        await self._fill(await self.open_view(loading_view(title)), title, make_view)

    async def open_view(self, view: View) -> str:
        """Open a view, on top of the dialog that is open if there is one. Returns its id."""
        in_dialog = self.body.get("view", {}).get("type") == "modal"  # else in Home or in a message
        open_or_push = self.client.views_push if in_dialog else self.client.views_open
        opened = await open_or_push(trigger_id=self.body["trigger_id"], view=view)
        return str(opened["view"]["id"])

    async def wait_for(self, title: str, work: Awaitable[T]) -> tuple[T, str | None]:
        """
        Wait for work that has to be done before a dialog can be opened.

        Returns its result, and the id of a loading view if one had to be opened because the work took long: after three
        seconds, Slack no longer opens a dialog.
        """
        task = asyncio.ensure_future(work)
        await asyncio.wait({task}, timeout=PATIENCE_SECONDS)
        loading_id = None if task.done() else await self.open_view(loading_view(title))
        return await task, loading_id

    async def change(self, title: str, make_view: MakeView) -> None:
        """Update the dialog in which the person acted."""
        await self.ack()
        await self._fill(self.view["id"], title, make_view)

    async def answer(self, title: str, make_view: MakeView) -> None:
        """Update the dialog that was submitted."""

        async def show_view() -> None:
            await self.show(await self._view_or_problem(title, make_view))

        await self.run_submission(show_view())

    async def run_submission(self, work: Awaitable[None]) -> None:
        """
        Run the work of a submission. At its end it calls `close`, `show_errors` or `show`.

        Quick work is part of the answer to Slack, because an update that is sent after an answer may overtake it. If
        the work takes longer than Slack waits, the dialog shows a loading view until it is done.
        """
        task = asyncio.ensure_future(work)
        await asyncio.wait({task}, timeout=QUICK_SECONDS)
        if not task.done() and not self._is_answered:
            await self.ack(response_action="update", view=loading_view(self._title))
        await task

    async def close(self) -> None:
        """Close the dialog that was submitted."""
        if self._is_answered:
            await self._show_late(message_view(self._title, DONE))
        else:
            await self.ack()

    async def show_errors(self, errors: Mapping[str, str]) -> None:
        """Keep the dialog that was submitted open, with errors by the block_id of their fields."""
        if self._is_answered:
            shown = sections(f":no_entry: {escape(error, 500)}" for error in errors.values())
            view = as_typed(self.view)
            await self._show_late(view | {"blocks": [*shown, *view["blocks"]]})
        else:
            await self.ack(response_action="errors", errors=dict(errors))

    async def show(self, view: View) -> None:
        """Show a view in place of the dialog that was submitted."""
        if self._is_answered:
            await self._show_late(view)
        else:
            await self.ack(response_action="update", view=view)

    async def refuse_unless_admin(self, title: str) -> bool:
        """True if the person who submitted is not an admin; then the dialog says so."""
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
        """Nothing happens if the person has closed the view."""
        try:
            await self.client.views_update(view_id=view_id, view=view)
        except SlackApiError as error:
            if error_code(error) != "not_found":
                raise

    async def _fill(self, view_id: str, title: str, make_view: MakeView) -> None:
        task = asyncio.create_task(self._view_or_problem(title, make_view))
        await asyncio.wait({task}, timeout=PATIENCE_SECONDS)
        if not task.done():
            await self.update_view(view_id, loading_view(title))
        await self.update_view(view_id, await task)

    async def _view_or_problem(self, title: str, make_view: MakeView) -> View:
        try:
            return await make_view() if await self.is_admin() else message_view(title)
        except DatabaseUnavailableError as error:
            log.warning("a dialog of workspace %s could not be filled: %s", self.workspace_id, error)
            return message_view(title, f":warning: {DATABASE_AWAY}")
        except PermanentError as error:
            return message_view(title, f":warning: {_sentence(error)}")
        except TransientError as error:
            return message_view(title, f":warning: {_sentence(error)} Please try again in a minute.")


def _sentence(error: Exception) -> str:
    return f"{escape(str(error).removesuffix('.'), 500)}."
