"""What all dialogs about ownership have in common: who may use them, and how they open before slow work is done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from slack_bolt.async_app import AsyncAck
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from listeners.blocks import View
from listeners.ownership_view import A_PAGE, Outlook, list_view
from listeners.salesforce_view import said_view, wait_view
from services.directory import Directory
from services.errors import PermanentError, TransientError
from services.mrkdwn import escape
from services.ownership.check import OrgShape, check
from services.ownership_editing import OwnershipEditing
from services.ownership_pages import OwnershipPages
from services.preferences import channel_problem
from services.rulebook import Book, Rulebook
from services.simulation import Simulation
from services.slack import error_code
from services.unmatched import UnmatchedOwners

ORG_SECONDS = 1.5
"""How long Salesforce is waited for where Slack waits for us; it gives three seconds in all."""

PATIENCE_SECONDS = 1.0
"""After which somebody who pressed a button is told to wait."""

QUICK_SECONDS = 2.0
"""How long a submission is kept waiting for its answer."""

OVERTAKEN_SECONDS = 0.2
"""Bolt looks every 10 ms whether we have acknowledged, and only then answers. slack_bolt/listener/asyncio_runner.py"""

Body = dict[str, Any]


@dataclass(frozen=True)
class OwnershipDialogs:
    directory: Directory
    rulebook: Rulebook
    editing: OwnershipEditing
    simulation: Simulation
    unmatched: UnmatchedOwners
    pages: OwnershipPages

    async def may(self, workspace_id: str, body: Body) -> bool:
        """Whether whoever sent this is an admin or owner right now."""
        return await self.directory.is_admin(workspace_id, body["user"]["id"])

    async def open(
        self,
        client: AsyncWebClient,
        body: Body,
        workspace_id: str,
        title: str,
        making: Callable[[], Awaitable[View]],
    ) -> None:
        """A dialog, on top of the one that is open: at once, since Slack gives it three seconds, and filled then."""
        show = client.views_push if body["view"]["type"] == "modal" else client.views_open
        opened = await show(trigger_id=body["trigger_id"], view=wait_view(title))
        await self.update(client, body, workspace_id, title, making, opened["view"]["id"])

    async def update(
        self,
        client: AsyncWebClient,
        body: Body,
        workspace_id: str,
        title: str,
        making: Callable[[], Awaitable[View]],
        view_id: str | None = None,
    ) -> None:
        """Another content for a dialog, by default the one that was acted in; *making* runs for admins only."""
        view_id = view_id or body["view"]["id"]
        content = asyncio.create_task(self._content(body, workspace_id, title, making))
        await asyncio.wait({content}, timeout=PATIENCE_SECONDS)
        if not content.done():
            await put(client, view_id, wait_view(title))
        await put(client, view_id, await content)

    async def answer(
        self,
        ack: AsyncAck,
        client: AsyncWebClient,
        body: Body,
        workspace_id: str,
        title: str,
        making: Callable[[], Awaitable[View]],
    ) -> None:
        """
        Another content for a dialog that was submitted, where that may take long.

        Quick work goes into the answer itself: what is sent after an answer may overtake it.
        """
        content = asyncio.create_task(self._content(body, workspace_id, title, making))
        await asyncio.wait({content}, timeout=QUICK_SECONDS)
        if content.done():
            await ack(response_action="update", view=content.result())
            return
        await ack(response_action="update", view=wait_view(title))
        view = await content
        await asyncio.sleep(OVERTAKEN_SECONDS)
        await put(client, body["view"]["id"], view)

    async def _content(self, body: Body, workspace_id: str, title: str, making: Callable[[], Awaitable[View]]) -> View:
        return await _told(title, making()) if await self.may(workspace_id, body) else said_view(title)

    async def org(self, workspace_id: str) -> tuple[OrgShape | None, str | None]:
        """What rules may name, for pickers; or None, and why when there is a reason."""
        try:
            return await self.rulebook.org(workspace_id), None
        except (PermanentError, TransientError) as error:
            return None, f"Salesforce cannot be asked now: {error}"

    async def org_in_time(self, workspace_id: str) -> OrgShape | None:
        """The same where Slack waits for an answer; None too when it takes too long."""
        try:
            async with asyncio.timeout(ORG_SECONDS):
                return (await self.org(workspace_id))[0]
        except TimeoutError:
            return None

    async def problems(self, workspace_id: str, chosen: Mapping[str, str]) -> dict[str, str]:
        """Of these channels and user groups those that cannot be told, by field; none where Slack does not say now."""
        found: dict[str, str] = {}
        try:
            async with asyncio.timeout(ORG_SECONDS):
                for field, where in chosen.items():
                    found[field] = await self._problem(workspace_id, where) or ""
        except (TimeoutError, TransientError):
            pass
        return {field: problem for field, problem in found.items() if problem}

    async def _problem(self, workspace_id: str, where: str) -> str | None:
        slack = self.directory.slack
        try:
            if where.startswith("S"):
                members = await slack.user_group_members(workspace_id, where)
                return "There is no such user group." if members is None else None
            return channel_problem(await slack.channel(workspace_id, where), None)
        except PermanentError as error:
            return f"Slack does not let us use it: {error}."

    async def list_view(self, workspace_id: str, page: int = 0, note: str | None = None) -> View:
        """The list as things stand."""
        book = await self.rulebook.read(workspace_id)
        return list_view(book, await self._outlook(workspace_id, book), page, note)

    async def _outlook(self, workspace_id: str, book: Book) -> Outlook:
        org, trouble = await self.org(workspace_id)
        faults = await asyncio.to_thread(check, book.shown, org)  # hundreds of rules take a moment
        return Outlook(faults, org, trouble)

    async def redraw_list(
        self, client: AsyncWebClient, body: Body, workspace_id: str, note: str | None = None, place: int = 0
    ) -> None:
        """Show the list that lies below, or that was acted in, as things stand now; the page with this *place*."""
        root = body["view"].get("root_view_id") or body["view"]["id"]
        await put(client, root, await self.list_view(workspace_id, place // A_PAGE, note))


async def put(client: AsyncWebClient, view_id: str, view: View) -> None:
    """Into a dialog, unless it was closed meanwhile."""
    try:
        await client.views_update(view_id=view_id, view=view)
    except SlackApiError as error:
        if error_code(error) != "not_found":
            raise


async def _told(title: str, making: Awaitable[View]) -> View:
    """The view; or, when Salesforce or Slack does not let us make it, what is in the way."""
    try:
        return await making
    except PermanentError as error:
        return said_view(title, f":warning: {escape(str(error), 500)}.")
    except TransientError as error:
        return said_view(title, f":warning: {escape(str(error), 500)}. Please try again in a minute.")


def entered(view: View, block_id: str) -> Any:
    """
    What stands in a field of a dialog: text, the value of an option, an id, or a list of those; None: nothing.

    https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload
    """
    state: dict[str, Any] = next(iter(view["state"]["values"].get(block_id, {}).values()), {})
    for name in ("value", "selected_user", "selected_conversation", "selected_users"):
        if name in state:
            return state[name]
    if "selected_options" in state:
        return [option["value"] for option in state["selected_options"] or []]
    option = state.get("selected_option")
    return option["value"] if option else None
