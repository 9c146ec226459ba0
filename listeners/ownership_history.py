"""Admins read who changed the ownership rules and when, and roll back to an earlier version."""

from __future__ import annotations

import re
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from listeners.blocks import View
from listeners.ownership_dialogs import OwnershipDialogs
from listeners.ownership_history_view import HISTORY_TITLE, ROLL_BACK, history_view, seen_version
from listeners.ownership_names import said
from listeners.ownership_view import HISTORY


def register(app: AsyncApp) -> None:
    app.action(HISTORY)(show)
    app.action(re.compile(f"^{ROLL_BACK}_"))(roll_back)


async def show(
    ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient, workspace_id: str, ownership: OwnershipDialogs
) -> None:
    await ack()

    async def making() -> View:
        return await _history_view(workspace_id, ownership)

    await ownership.open(client, body, workspace_id, HISTORY_TITLE, making)


async def roll_back(
    ack: AsyncAck,
    action: dict[str, Any],
    body: dict[str, Any],
    client: AsyncWebClient,
    workspace_id: str,
    ownership: OwnershipDialogs,
) -> None:
    await ack()
    version, seen = int(action["value"]), seen_version(body["view"])

    async def making() -> View:
        kept = await ownership.rulebook.roll_back(workspace_id, body["user"]["id"], version, seen)
        await ownership.redraw_list(client, body, workspace_id)
        return await _history_view(workspace_id, ownership, said(kept))

    await ownership.update(client, body, workspace_id, HISTORY_TITLE, making)


async def _history_view(workspace_id: str, ownership: OwnershipDialogs, note: str | None = None) -> View:
    book = ownership.rulebook
    return history_view(await book.versions(workspace_id), await book.history(workspace_id), note)
