"""Admins make and roll the keys that senders of job changes prove themselves with, and read how to send."""

from __future__ import annotations

import re
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from listeners.app_home import publish
from listeners.intake_keys_view import (
    HOW_TO_SEND,
    KEY_TITLES,
    MAKE_KEY,
    how_to_send_view,
    key_view,
    no_right_view,
    wait_view,
)
from services.directory import Directory
from services.home import Home
from services.intake_keys import IntakeKeys


def register(app: AsyncApp) -> None:
    app.action(re.compile(f"^{MAKE_KEY}_({'|'.join(KEY_TITLES)})$"))(make_key)
    app.action(HOW_TO_SEND)(show_how_to_send)


async def make_key(
    ack: AsyncAck,
    action: dict[str, Any],
    body: dict[str, Any],
    client: AsyncWebClient,
    workspace_id: str,
    directory: Directory,
    intake_keys: IntakeKeys,
    home: Home,
) -> None:
    """The dialog opens before the key is made: Slack gives it three seconds, and an unseen key helps nobody."""
    await ack()
    kind, user_id = action["action_id"].removeprefix(f"{MAKE_KEY}_"), body["user"]["id"]
    title = KEY_TITLES[kind]
    opened = await client.views_open(trigger_id=body["trigger_id"], view=wait_view(title))
    view_id = opened["view"]["id"]
    if not await directory.is_admin(workspace_id, user_id):
        await client.views_update(view_id=view_id, view=no_right_view(title))
        return
    key = await intake_keys.make(workspace_id, kind, user_id)
    await client.views_update(view_id=view_id, view=key_view(kind, key, home.intake_url(workspace_id)))
    await publish(client, home, workspace_id, user_id, view=body["view"])


async def show_how_to_send(
    ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient, workspace_id: str, home: Home
) -> None:
    await ack()
    await client.views_open(trigger_id=body["trigger_id"], view=how_to_send_view(home.intake_url(workspace_id)))
