"""The picker and the button in notices to admins that fix the default channel right there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond

from listeners.dialogs.blocks import ADMINS_ONLY
from services.home.preferences import ChangeResult, Preferences
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
    actor, channel_id = body["user"]["id"], action["selected_conversation"]
    change = partial(preferences.choose_default_channel, workspace_id, actor, channel_id, None)
    await _change(change, actor, respond, workspace_id, directory, notices)


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
    change = partial(preferences.check_default_channel, workspace_id, actor, None)
    await _change(change, actor, respond, workspace_id, directory, notices)


async def _change(
    change: Callable[[], Awaitable[ChangeResult]],
    actor: str,
    respond: AsyncRespond,
    workspace_id: str,
    directory: Directory,
    notices: Notices,
) -> None:
    """Only admins may do this, even if others got the notice too. Then every copy of the notice shows the result."""
    is_admin = await directory.is_admin(workspace_id, actor)
    text = (await change()).text if is_admin else ADMINS_ONLY
    await respond(text, replace_original=False)
    if is_admin:
        await notices.show(workspace_id)
