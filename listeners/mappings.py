"""An admin says how the rows of a sender are read, and tries it on one."""

from __future__ import annotations

import json
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from listeners.blocks import View
from listeners.mappings_view import (
    DEFINITION,
    EDIT,
    NEW,
    PREVIEW,
    REMOVE,
    ROW,
    SAVE,
    SOURCE,
    TITLE,
    as_json,
    mapping_view,
    mappings_view,
)
from listeners.salesforce_view import MAPPINGS, said_view, wait_view
from services.directory import Directory
from services.faults import Fault, InvalidJobChangeError
from services.home import Home
from services.mappings import RowMapping
from services.mrkdwn import escape
from services.own_mappings import OwnMappings, checked_source, told


def register(app: AsyncApp) -> None:
    app.action(MAPPINGS)(show)
    app.action(EDIT)(edit)
    app.action(REMOVE)(remove)
    app.action(PREVIEW)(preview)
    app.view(SAVE)(save)


async def show(
    ack: AsyncAck,
    body: dict[str, Any],
    client: AsyncWebClient,
    workspace_id: str,
    directory: Directory,
    own_mappings: OwnMappings,
    home: Home,
) -> None:
    await ack()
    opened = await client.views_open(trigger_id=body["trigger_id"], view=wait_view(TITLE))
    view = said_view(TITLE)
    if await directory.is_admin(workspace_id, body["user"]["id"]):
        view = mappings_view(await own_mappings.all_of(workspace_id), home.intake_url(workspace_id))
    await client.views_update(view_id=opened["view"]["id"], view=view)


async def edit(
    ack: AsyncAck,
    action: dict[str, Any],
    body: dict[str, Any],
    client: AsyncWebClient,
    workspace_id: str,
    directory: Directory,
    own_mappings: OwnMappings,
) -> None:
    """One that there is, or a new one that begins with an example."""
    await ack()
    view = said_view(TITLE)
    if await directory.is_admin(workspace_id, body["user"]["id"]):
        source = "" if action["value"] == NEW else action["value"]
        known = (await own_mappings.all_of(workspace_id)).get(source)
        view = mapping_view(source, as_json(known) if known else "")
    await client.views_update(view_id=body["view"]["id"], view=view)


async def remove(
    ack: AsyncAck,
    action: dict[str, Any],
    body: dict[str, Any],
    client: AsyncWebClient,
    workspace_id: str,
    directory: Directory,
    own_mappings: OwnMappings,
    home: Home,
) -> None:
    await ack()
    user_id, view = body["user"]["id"], said_view(TITLE)
    if await directory.is_admin(workspace_id, user_id):
        await own_mappings.remove(workspace_id, user_id, action["value"])
        view = mappings_view(await own_mappings.all_of(workspace_id), home.intake_url(workspace_id), "Removed.")
    await client.views_update(view_id=body["view"]["id"], view=view)


async def preview(ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient) -> None:
    """What the row would be told as, or what is wrong with mapping or row. Nothing is stored, so anybody may."""
    await ack()
    shown = body["view"]
    source, typed, row = _typed(shown)
    await client.views_update(view_id=shown["id"], view=_tried(source, typed, row))


async def save(
    ack: AsyncAck,
    body: dict[str, Any],
    workspace_id: str,
    directory: Directory,
    own_mappings: OwnMappings,
    home: Home,
) -> None:
    """A mistake is said beside the field it is in."""
    source, typed, _ = _typed(body["view"])
    user_id = body["user"]["id"]
    try:
        name = checked_source(source)
    except InvalidJobChangeError as error:
        await ack(response_action="errors", errors={SOURCE: str(error)})
        return
    try:
        definition = _decoded(typed, "the mapping")
        RowMapping.parse(definition)
    except InvalidJobChangeError as error:
        await ack(response_action="errors", errors={DEFINITION: str(error)[:300]})
        return
    if not await directory.is_admin(workspace_id, user_id):
        await ack(response_action="update", view=said_view(TITLE))
        return
    await own_mappings.save(workspace_id, user_id, name, definition)
    known = await own_mappings.all_of(workspace_id)
    note = f":white_check_mark: Saved. {escape(name, 100)} is read like this from now on."
    await ack(response_action="update", view=mappings_view(known, home.intake_url(workspace_id), note))


def _tried(source: str, typed: str, row: str) -> View:
    try:
        text = told(_decoded(typed, "the mapping"), _decoded(row, "the row"), source)
    except InvalidJobChangeError as error:
        return mapping_view(source, typed, row, f":no_entry: Refused: {escape(str(error), 800)}")
    return mapping_view(source, typed, row, f"*As it would be told*\n{text}")


def _typed(view: dict[str, Any]) -> tuple[str, str, str]:
    values = view["state"]["values"]
    source, typed, row = ((values[name][name].get("value") or "").strip() for name in (SOURCE, DEFINITION, ROW))
    return source, typed, row


def _decoded(typed: str, what: str) -> Any:
    """Raises InvalidJobChangeError."""
    try:
        return json.loads(typed)
    except ValueError as error:
        raise InvalidJobChangeError([Fault(what, f"is not JSON: {error}")]) from None
