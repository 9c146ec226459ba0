"""Home opened, and the settings changed in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from listeners.dialogs.blocks import ADMINS_ONLY
from listeners.dialogs.dialog import Dialog
from listeners.dialogs.home_tab import HomeTab, seen_version
from listeners.home.admin_home_view import CHANNEL_GETS, TELL_DRIS
from listeners.home.app_home_view import home_view
from listeners.home.health_view import CHECK_CHANNEL, CHOOSE_CHANNEL
from services.home.home import Home
from services.home.preferences import Answer, Preferences
from services.slack.api import error_code

_NOT_TAKEN = frozenset({"invalid_arguments", "invalid_blocks"})
"""What Slack says of a view that it does not take."""


@dataclass(frozen=True)
class AppHome:
    """Publishes the Home tab."""

    home: Home

    async def publish(
        self,
        client: AsyncWebClient,
        workspace_id: str,
        user_id: str,
        notice: str | None = None,
        view: dict[str, Any] | None = None,
    ) -> None:
        """See HomeTab."""
        state = await self.home.read(workspace_id, user_id)
        if state is None:
            return
        try:
            await client.views_publish(user_id=user_id, view=home_view(state, notice), hash=(view or {}).get("hash"))
        except SlackApiError as error:
            if error_code(error) in _NOT_TAKEN and state.workspace.default_channel_is_public:
                # The channel may have been made private since it was chosen, so that it cannot be shown to this user.
                hidden = replace(state.workspace, default_channel_is_public=None)
                await client.views_publish(user_id=user_id, view=home_view(replace(state, workspace=hidden), notice))
                return
            if error_code(error) != "hash_conflict":
                raise
            # They have been shown a newer Home in the meantime, and what we read may be older than that.
            await self.publish(client, workspace_id, user_id, notice)


def register(app: AsyncApp) -> None:
    app.event("app_home_opened")(show_home)
    app.action(CHOOSE_CHANNEL)(choose_channel)
    app.action(CHECK_CHANNEL)(check_channel)
    app.action(CHANNEL_GETS)(choose_what_the_channel_gets)
    app.action(TELL_DRIS)(choose_whether_dris_are_told)


async def show_home(event: dict[str, Any], client: AsyncWebClient, workspace_id: str, home_tab: HomeTab) -> None:
    if event.get("tab") == "home":  # the event comes for the messages tab as well
        await home_tab.publish(client, workspace_id, event["user"], view=event.get("view"))


async def choose_channel(dialog: Dialog, preferences: Preferences, home_tab: HomeTab) -> None:
    chosen = dialog.action["selected_conversation"]
    choose = partial(preferences.choose_default_channel, dialog.workspace_id, dialog.user_id, chosen)
    await change_setting(dialog, home_tab, choose)


async def check_channel(dialog: Dialog, preferences: Preferences, home_tab: HomeTab) -> None:
    check = partial(preferences.check_default_channel, dialog.workspace_id, dialog.user_id)
    await change_setting(dialog, home_tab, check)


async def choose_what_the_channel_gets(dialog: Dialog, preferences: Preferences, home_tab: HomeTab) -> None:
    gets = chosen_option(dialog)
    await change_setting(
        dialog, home_tab, partial(preferences.set_channel_gets, dialog.workspace_id, dialog.user_id, gets)
    )


async def choose_whether_dris_are_told(dialog: Dialog, preferences: Preferences, home_tab: HomeTab) -> None:
    tell = chosen_option(dialog) == "yes"
    await change_setting(
        dialog, home_tab, partial(preferences.set_tell_dris, dialog.workspace_id, dialog.user_id, tell)
    )


def chosen_option(dialog: Dialog) -> str:
    """The value of what was chosen in a select."""
    return str(dialog.action["selected_option"]["value"])


async def change_setting(dialog: Dialog, home_tab: HomeTab, change: Callable[[int], Awaitable[Answer]]) -> None:
    """Call *change* with the version that was seen, if this person may, and show in Home what came of it."""
    await dialog.ack()
    notice = (await change(seen_version(dialog.view))).text if await dialog.is_admin() else ADMINS_ONLY
    await home_tab.publish(dialog.client, dialog.workspace_id, dialog.user_id, notice, dialog.view)
