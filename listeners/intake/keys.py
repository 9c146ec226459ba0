"""Admins create, rotate and revoke the keys that senders of job changes use, and read how to send."""

from __future__ import annotations

import re

from slack_bolt.async_app import AsyncApp

from listeners.dialogs.blocks import ADMINS_ONLY, View
from listeners.dialogs.dialog import Dialog
from listeners.intake.keys_view import (
    HOW_TO_SEND,
    KEY_NAMES,
    KEY_TITLES,
    MAKE_KEY,
    REVOKE_KEYS,
    how_to_send_view,
    key_view,
)
from services.home.home import Home
from services.intake.keys import IntakeKeys


def register(app: AsyncApp) -> None:
    app.action(re.compile(f"^{MAKE_KEY}_({'|'.join(KEY_TITLES)})$"))(make_key)
    app.action(re.compile(f"^{REVOKE_KEYS}_({'|'.join(KEY_TITLES)})$"))(revoke_keys)
    app.action(HOW_TO_SEND)(show_how_to_send)


async def make_key(dialog: Dialog, intake_keys: IntakeKeys, home: Home) -> None:
    """Open the dialog before the key is created: a key that cannot be shown is not created."""
    kind = dialog.action["action_id"].removeprefix(f"{MAKE_KEY}_")

    async def make_view() -> View:
        is_rotated = await intake_keys.has_shared(dialog.workspace_id, kind)
        key = await intake_keys.make(dialog.workspace_id, kind, dialog.user_id)
        return key_view(kind, key, home.intake_url(dialog.workspace_id), is_rotated=is_rotated)

    await dialog.open(KEY_TITLES[kind], make_view)
    await dialog.publish_home()


async def revoke_keys(dialog: Dialog, intake_keys: IntakeKeys) -> None:
    """End all keys of a kind, also those that were rotated."""
    await dialog.ack()
    kind, notice = dialog.action["action_id"].removeprefix(f"{REVOKE_KEYS}_"), ADMINS_ONLY
    if await dialog.is_admin():
        await intake_keys.revoke_kind(dialog.workspace_id, kind, dialog.user_id)
        notice = f":white_check_mark: Revoked. Requests with the old {KEY_NAMES[kind]} are refused."
    await dialog.publish_home(notice, f"{MAKE_KEY}_{kind}")


async def show_how_to_send(dialog: Dialog, home: Home) -> None:
    await dialog.ack()
    await dialog.push(how_to_send_view(home.intake_url(dialog.workspace_id)))
