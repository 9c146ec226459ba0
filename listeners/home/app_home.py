"""Home opened, and the settings changed in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from listeners.dialogs.blocks import NO_RIGHT
from listeners.dialogs.dialog import Dialog
from listeners.home.admin_home_view import CHANNEL_GETS, TELL_DRIS
from listeners.home.app_home_view import home_view, seen_version
from listeners.home.health_view import CHECK_CHANNEL, CHOOSE_CHANNEL
from services.home.home import Home
from services.home.preferences import Answer, Preferences
from services.slack.api import error_code

_NOT_TAKEN = frozenset({"invalid_arguments", "invalid_blocks"})
"""What Slack says of a view that it does not take."""


def register(app: AsyncApp) -> None:
    app.event("app_home_opened")(show_home)
    app.action(CHOOSE_CHANNEL)(choose_channel)
    app.action(CHECK_CHANNEL)(check_channel)
    app.action(CHANNEL_GETS)(choose_what_the_channel_gets)
    app.action(TELL_DRIS)(choose_whether_dris_are_told)


async def show_home(event: dict[str, Any], client: AsyncWebClient, workspace_id: str, home: Home) -> None:
    if event.get("tab") == "home":  # the event comes for the messages tab as well
        await publish(client, home, workspace_id, event["user"], view=event.get("view"))


async def choose_channel(dialog: Dialog, preferences: Preferences, home: Home) -> None:
    chosen = dialog.action["selected_conversation"]
    choose = partial(preferences.choose_default_channel, dialog.workspace_id, dialog.user_id, chosen)
    await change_setting(dialog, home, choose)


async def check_channel(dialog: Dialog, preferences: Preferences, home: Home) -> None:
    check = partial(preferences.check_default_channel, dialog.workspace_id, dialog.user_id)
    await change_setting(dialog, home, check)


async def choose_what_the_channel_gets(dialog: Dialog, preferences: Preferences, home: Home) -> None:
    gets = chosen_option(dialog)
    await change_setting(dialog, home, partial(preferences.set_channel_gets, dialog.workspace_id, dialog.user_id, gets))


async def choose_whether_dris_are_told(dialog: Dialog, preferences: Preferences, home: Home) -> None:
    tell = chosen_option(dialog) == "yes"
    await change_setting(dialog, home, partial(preferences.set_tell_dris, dialog.workspace_id, dialog.user_id, tell))


def chosen_option(dialog: Dialog) -> str:
    """The value of what was chosen in a select."""
    return str(dialog.action["selected_option"]["value"])


async def change_setting(dialog: Dialog, home: Home, change: Callable[[int], Awaitable[Answer]]) -> None:
    """Call *change* with the version that was seen, if this person may, and show in Home what came of it."""
    await dialog.ack()
    notice = (await change(seen_version(dialog.view))).text if await dialog.may() else NO_RIGHT
    await publish(dialog.client, home, dialog.workspace_id, dialog.user_id, notice, dialog.view)


async def publish(
    client: AsyncWebClient,
    home: Home,
    workspace_id: str,
    user_id: str,
    notice: str | None = None,
    view: dict[str, Any] | None = None,
) -> None:
    """
    Show somebody their Home as things stand. *view*: the one they see, None if there is none or it is not known.

    https://docs.slack.dev/reference/methods/views.publish
    """
    state = await home.read(workspace_id, user_id)
    if state is None:
        return
    try:
        await client.views_publish(user_id=user_id, view=home_view(state, notice), hash=(view or {}).get("hash"))
    except SlackApiError as error:
        if error_code(error) in _NOT_TAKEN and state.workspace.default_channel_is_public:
            # Perhaps the channel was made private since it was chosen, and cannot be shown to them.
            hidden = replace(state.workspace, default_channel_is_public=None)
            await client.views_publish(user_id=user_id, view=home_view(replace(state, workspace=hidden), notice))
            return
        if error_code(error) != "hash_conflict":
            raise
        # They have been shown a newer one since: what we have read may be older than that.
        await publish(client, home, workspace_id, user_id, notice)
