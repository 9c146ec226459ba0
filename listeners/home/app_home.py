"""Publishes the Home tab, and handles what admins use in it: settings, and the buttons of the setup checklist."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from listeners.dialogs.blocks import ADMINS_ONLY, View
from listeners.dialogs.dialog import Dialog
from listeners.dialogs.home_tab import HomeTab, seen_version
from listeners.dialogs.metadata import ViewSigner, with_workspace
from listeners.home.admin_home_view import PREFERENCE_ACTIONS, SEND_TEST
from listeners.home.app_home_view import home_view
from listeners.home.assigned_view import page_of
from listeners.home.health_view import CHECK_CHANNEL, CHOOSE_CHANNEL
from listeners.ownership.dialogs import OwnershipDialogs
from listeners.ownership.home_view import KEEP_DEFAULT
from services.home.home import Home
from services.home.home_state import HomeNotice, HomeState
from services.home.preferences import Change, ChangeResult, Preferences
from services.intake.sample import SampleSender
from services.ownership.rules.rule_set import NO_RULES
from services.slack.api import error_code
from services.slack.directory import Person
from services.slack.errors import retry_after_seconds

LONGEST_WAIT_SECONDS = 30.0
"""How long publishing Home waits for Slack's rate limit. A longer wait would show an old state."""

_REFUSED = frozenset({"invalid_arguments", "invalid_blocks"})
"""Slack's error codes for a view that it does not accept."""


@dataclass(frozen=True)
class AppHome:
    """Implements HomeTab."""

    home: Home
    view_signer: ViewSigner
    wait: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def publish(
        self,
        client: AsyncWebClient,
        workspace_id: str,
        user_id: str,
        notice: HomeNotice | None = None,
        view: View | None = None,
        person: Person | None = None,
    ) -> None:
        state = await self.home.read(workspace_id, user_id, person, page_of(view))
        if state:
            await self._publish(client, user_id, state, notice, view)

    async def change(
        self, client: AsyncWebClient, workspace_id: str, user_id: str, change: Change, control: str, view: View | None
    ) -> None:
        state, result = await self.home.change_and_read(workspace_id, user_id, change, page_of(view))
        if state:
            notice = HomeNotice(result.note if result else ADMINS_ONLY, control)
            await self._publish(client, user_id, state, notice, view)

    async def _publish(
        self, client: AsyncWebClient, user_id: str, state: HomeState, notice: HomeNotice | None, view: View | None
    ) -> None:
        seen = (view or {}).get("hash")
        try:
            await self._send(client, user_id=user_id, view=self._view(state, user_id, notice), hash=seen)
        except SlackApiError as error:
            if error_code(error) in _REFUSED and state.workspace.default_channel_is_public:
                # The channel may have become private since it was chosen; this user must not see it in the picker then.
                hidden = replace(state, workspace=replace(state.workspace, default_channel_is_public=None))
                await self._send(client, user_id=user_id, view=self._view(hidden, user_id, notice))
                return
            if error_code(error) != "hash_conflict":
                raise
            # A newer Home was published in the meantime, so the state that was read here may be out of date.
            await self.publish(client, state.workspace.id, user_id, notice)

    def _view(self, state: HomeState, user_id: str, notice: HomeNotice | None) -> View:
        view, workspace = home_view(state, notice), state.workspace
        named = with_workspace(view, workspace.id) if workspace.is_enterprise_install else view
        return self.view_signer.signed(named, workspace.id, user_id)

    async def _send(self, client: AsyncWebClient, **view: Any) -> None:
        """Publish a view, once more if Slack asks to wait for a moment: nobody else would publish it later."""
        try:
            await client.views_publish(**view)
        except SlackApiError as error:
            if error.response.status_code != 429:
                raise
            seconds = retry_after_seconds(error.response.headers.get("Retry-After"))
            if seconds > LONGEST_WAIT_SECONDS:
                raise
            await self.wait(seconds)
            await client.views_publish(**view)


def register(app: AsyncApp) -> None:
    app.event("app_home_opened")(show_home)
    app.action(CHOOSE_CHANNEL)(choose_channel)
    app.action(CHECK_CHANNEL)(check_channel)
    app.action(SEND_TEST)(send_test)
    app.action(KEEP_DEFAULT)(keep_default_owners)
    app.action(re.compile(f"^({'|'.join(PREFERENCE_ACTIONS)})$"))(change_preference)


async def show_home(event: dict[str, Any], client: AsyncWebClient, workspace_id: str, home_tab: HomeTab) -> None:
    if event.get("tab") == "home":  # the event is sent for the messages tab too
        await home_tab.publish(client, workspace_id, event["user"], view=event.get("view"))


async def choose_channel(dialog: Dialog, preferences: Preferences) -> None:
    if not (channel_id := dialog.action.get("selected_conversation")):
        await dialog.ack()
        return
    await _change_channel(dialog, partial(preferences.choose_default_channel, channel_id=channel_id))


async def check_channel(dialog: Dialog, preferences: Preferences) -> None:
    await _change_channel(dialog, preferences.check_default_channel)


async def _change_channel(dialog: Dialog, change: Callable[..., Awaitable[ChangeResult]]) -> None:
    """`change` calls Slack. Its result is shown in Home; people who are not admins get ADMINS_ONLY."""
    await dialog.ack()
    notice = ADMINS_ONLY
    if await dialog.is_admin():
        seen = seen_version(dialog.view)
        notice = (await change(dialog.workspace_id, dialog.user_id, seen_version=seen)).note
    await dialog.publish_home(notice)


async def change_preference(dialog: Dialog, preferences: Preferences) -> None:
    """Another option was chosen in the menu of a preference."""
    row, option = PREFERENCE_ACTIONS[dialog.action["action_id"]], dialog.action.get("selected_option")
    if not option:  # no client of Slack clears this menu
        await dialog.ack()
        return
    values = {row.name: row.parse(option["value"])}
    change = preferences.change(dialog.workspace_id, dialog.user_id, values, seen_version(dialog.view))
    await dialog.change_in_home(change)


async def send_test(dialog: Dialog, sample_sender: SampleSender) -> None:
    await dialog.ack()
    notice = ADMINS_ONLY
    if await dialog.is_admin():
        job_change_id, problem = await sample_sender.send(dialog.workspace_id, dialog.user_id)
        sent = ":white_check_mark: Test sent. It arrives in your direct messages with this app within seconds."
        notice = sent if job_change_id else f":no_entry: {problem}"
    await dialog.publish_home(notice)


async def keep_default_owners(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    """Publish version 1 without rules, unless rules were published in the meantime."""
    await dialog.ack()
    notice = ADMINS_ONLY
    if await dialog.is_admin():
        result = await ownership.rulebook.publish(
            dialog.workspace_id, dialog.user_id, NO_RULES, 0, "kept the default owners"
        )
        kept = ":white_check_mark: Saved. The owner of the record is responsible."
        notice = kept if result.stored else f":no_entry: {result.text}"
    await dialog.publish_home(notice)
