"""What can be pressed in a message to those who look after the app: mending the default channel right there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond

from listeners.dialogs.blocks import ADMINS_ONLY
from services.home.preferences import Answer, Preferences
from services.messages.notice_text import CHECK_CHANNEL, CHOOSE_CHANNEL
from services.messages.notices import Notices
from services.slack.directory import Directory


def register(app: AsyncApp) -> None:
    app.action(CHOOSE_CHANNEL)(choose_channel)
    app.action(CHECK_CHANNEL)(check_channel)


async def choose_channel(
    ack: AsyncAck,
    action: dict[str, Any],
    body: dict[str, Any],
    respond: AsyncRespond,
    workspace_id: str,
    directory: Directory,
    preferences: Preferences,
    notices: Notices,
) -> None:
    await ack()
    actor, chosen = body["user"]["id"], action["selected_conversation"]
    choose = partial(preferences.choose_default_channel, workspace_id, actor, chosen, None)
    await _change(choose, actor, respond, workspace_id, directory, notices)


async def check_channel(
    ack: AsyncAck,
    body: dict[str, Any],
    respond: AsyncRespond,
    workspace_id: str,
    directory: Directory,
    preferences: Preferences,
    notices: Notices,
) -> None:
    await ack()
    actor = body["user"]["id"]
    check = partial(preferences.check_default_channel, workspace_id, actor, None)
    await _change(check, actor, respond, workspace_id, directory, notices)


async def _change(
    change: Callable[[], Awaitable[Answer]],
    actor: str,
    respond: AsyncRespond,
    workspace_id: str,
    directory: Directory,
    notices: Notices,
) -> None:
    """If this person may, as of now, whoever the message was sent to. Every message of it then shows it."""
    may = await directory.is_admin(workspace_id, actor)
    text = (await change()).text if may else ADMINS_ONLY
    await respond(text, replace_original=False)
    if may:
        await notices.show(workspace_id)
