"""Publishes the Home tab, and stores the settings that admins change right there."""

from __future__ import annotations

import asyncio
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
from listeners.home.admin_home_view import (
    CHANNEL_GETS,
    REMINDER_ESCALATION_CHOSEN,
    REMINDER_HOURS_CHOSEN,
    TELL_DRIS,
)
from listeners.home.app_home_view import home_view
from listeners.home.health_view import CHECK_CHANNEL, CHOOSE_CHANNEL
from services.home.home import Home
from services.home.home_state import HomeState
from services.home.preferences import ChangeResult, Preferences
from services.slack.api import error_code
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
        notice: str | None = None,
        view: dict[str, Any] | None = None,
    ) -> None:
        state = await self.home.read(workspace_id, user_id)
        if state is None:
            return
        seen = (view or {}).get("hash")
        try:
            await self._publish(client, user_id=user_id, view=self._view(state, user_id, notice), hash=seen)
        except SlackApiError as error:
            if error_code(error) in _REFUSED and state.workspace.default_channel_is_public:
                # The channel may have become private since it was chosen; this user must not see it in the picker then.
                hidden = replace(state, workspace=replace(state.workspace, default_channel_is_public=None))
                await self._publish(client, user_id=user_id, view=self._view(hidden, user_id, notice))
                return
            if error_code(error) != "hash_conflict":
                raise
            # A newer Home was published in the meantime, so the state that was read here may be out of date.
            await self.publish(client, workspace_id, user_id, notice)

    def _view(self, state: HomeState, user_id: str, notice: str | None) -> View:
        view, workspace = home_view(state, notice), state.workspace
        named = with_workspace(view, workspace.id) if workspace.is_enterprise_install else view
        return self.view_signer.signed(named, workspace.id, user_id)

    async def _publish(self, client: AsyncWebClient, **view: Any) -> None:
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
    app.action(CHANNEL_GETS)(choose_channel_gets)
    app.action(TELL_DRIS)(choose_tell_dris)
    app.action(REMINDER_HOURS_CHOSEN)(choose_reminder_hours)
    app.action(REMINDER_ESCALATION_CHOSEN)(choose_reminder_escalation)


async def show_home(event: dict[str, Any], client: AsyncWebClient, workspace_id: str, home_tab: HomeTab) -> None:
    if event.get("tab") == "home":  # the event is sent for the messages tab too
        await home_tab.publish(client, workspace_id, event["user"], view=event.get("view"))


async def choose_channel(dialog: Dialog, preferences: Preferences, home_tab: HomeTab) -> None:
    channel_id = dialog.action["selected_conversation"]
    change = partial(preferences.choose_default_channel, dialog.workspace_id, dialog.user_id, channel_id)
    await change_setting(dialog, home_tab, change)


async def check_channel(dialog: Dialog, preferences: Preferences, home_tab: HomeTab) -> None:
    change = partial(preferences.check_default_channel, dialog.workspace_id, dialog.user_id)
    await change_setting(dialog, home_tab, change)


async def choose_channel_gets(dialog: Dialog, preferences: Preferences, home_tab: HomeTab) -> None:
    change = partial(preferences.set_channel_gets, dialog.workspace_id, dialog.user_id, chosen_option(dialog))
    await change_setting(dialog, home_tab, change)


async def choose_tell_dris(dialog: Dialog, preferences: Preferences, home_tab: HomeTab) -> None:
    enabled = chosen_option(dialog) == "yes"
    change = partial(preferences.set_tell_dris, dialog.workspace_id, dialog.user_id, enabled)
    await change_setting(dialog, home_tab, change)


async def choose_reminder_hours(dialog: Dialog, preferences: Preferences, home_tab: HomeTab) -> None:
    hours = int(chosen_option(dialog))
    change = partial(preferences.set_reminder_hours, dialog.workspace_id, dialog.user_id, hours)
    await change_setting(dialog, home_tab, change)


async def choose_reminder_escalation(dialog: Dialog, preferences: Preferences, home_tab: HomeTab) -> None:
    change = partial(preferences.set_reminder_escalation, dialog.workspace_id, dialog.user_id, chosen_option(dialog))
    await change_setting(dialog, home_tab, change)


def chosen_option(dialog: Dialog) -> str:
    """The value of the option chosen in a menu."""
    return str(dialog.action["selected_option"]["value"])


async def change_setting(dialog: Dialog, home_tab: HomeTab, change: Callable[[int], Awaitable[ChangeResult]]) -> None:
    """Call `change` with the version that the admin saw, and show the result in Home. Others get ADMINS_ONLY."""
    await dialog.ack()
    notice = (await change(seen_version(dialog.view))).text if await dialog.is_admin() else ADMINS_ONLY
    await home_tab.publish(dialog.client, dialog.workspace_id, dialog.user_id, notice, dialog.view)
