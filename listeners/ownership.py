"""Admins see the ownership rules, put them in order, switch them off, delete, publish and discard them."""

from __future__ import annotations

import re
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from listeners import ownership_history, ownership_people, ownership_pools, ownership_rule, ownership_simulate
from listeners.blocks import View
from listeners.ownership_dialogs import OwnershipDialogs
from listeners.ownership_names import said
from listeners.ownership_rule import edit_rule
from listeners.ownership_view import DISCARD, EDIT, OPEN, PUBLISH, RULE_MENU, TITLE, TURN, Listed


def register(app: AsyncApp) -> None:
    app.action(OPEN)(show)
    app.action(re.compile(f"^{TURN}_"))(turn)
    app.action(RULE_MENU)(choose)
    app.action(PUBLISH)(publish)
    app.action(DISCARD)(discard)
    for part in (ownership_rule, ownership_pools, ownership_history, ownership_simulate, ownership_people):
        part.register(app)


async def show(
    ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient, workspace_id: str, ownership: OwnershipDialogs
) -> None:
    await ack()

    async def making() -> View:
        return await ownership.list_view(workspace_id)

    await ownership.open(client, body, workspace_id, TITLE, making)


async def turn(
    ack: AsyncAck,
    action: dict[str, Any],
    body: dict[str, Any],
    client: AsyncWebClient,
    workspace_id: str,
    ownership: OwnershipDialogs,
) -> None:
    """To another page of the list."""
    await ack()

    async def making() -> View:
        return await ownership.list_view(workspace_id, int(action["value"]))

    await ownership.update(client, body, workspace_id, TITLE, making)


async def choose(
    ack: AsyncAck,
    action: dict[str, Any],
    body: dict[str, Any],
    client: AsyncWebClient,
    workspace_id: str,
    ownership: OwnershipDialogs,
) -> None:
    """Out of the menu beside a rule: what it does, and to which."""
    await ack()
    step, _, number = action["selected_option"]["value"].partition(":")
    if step == EDIT:
        await edit_rule(client, body, workspace_id, ownership, int(number))
        return
    listed = Listed.of(body["view"])

    async def making() -> View:
        kept = await ownership.editing.step(workspace_id, body["user"]["id"], listed.seen, step, int(number))
        return await ownership.list_view(workspace_id, listed.page, said(kept))

    await ownership.update(client, body, workspace_id, TITLE, making)


async def publish(
    ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient, workspace_id: str, ownership: OwnershipDialogs
) -> None:
    await ack()
    listed = Listed.of(body["view"])

    async def making() -> View:
        kept = await ownership.editing.publish(workspace_id, body["user"]["id"], listed.seen)
        return await ownership.list_view(workspace_id, listed.page, said(kept))

    await ownership.update(client, body, workspace_id, TITLE, making)


async def discard(
    ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient, workspace_id: str, ownership: OwnershipDialogs
) -> None:
    await ack()
    listed = Listed.of(body["view"])

    async def making() -> View:
        kept = await ownership.editing.discard(workspace_id, body["user"]["id"], listed.seen)
        return await ownership.list_view(workspace_id, 0, said(kept))

    await ownership.update(client, body, workspace_id, TITLE, making)
