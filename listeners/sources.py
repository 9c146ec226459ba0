"""An admin chooses where job changes are found in Salesforce, sees what would be told, and starts it."""

from __future__ import annotations

import json
from collections.abc import Awaitable
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from listeners.blocks import View
from listeners.salesforce_view import SOURCES, said_view, wait_view
from listeners.sources_view import (
    BEGIN,
    CHOOSE,
    DEFINITION,
    GO_ON,
    PAUSE,
    PREVIEW,
    REMOVE,
    START,
    TITLE,
    as_json,
    source_view,
    sources_view,
)
from services.directory import Directory
from services.errors import PermanentError, TransientError
from services.faults import Fault, InvalidJobChangeError
from services.mrkdwn import escape
from services.salesforce_presets import Proposal
from services.salesforce_source import SalesforceSource
from services.source_query import SourceQuery
from store.salesforce_sources import ACTIVE, PAUSED

_STATES = {PAUSE: PAUSED, GO_ON: ACTIVE, REMOVE: None}


def register(app: AsyncApp) -> None:
    app.action(SOURCES)(show)
    app.action(CHOOSE)(choose)
    app.action(PREVIEW)(preview)
    app.view(START)(start)
    for action_id in _STATES:
        app.action(action_id)(change)


async def show(
    ack: AsyncAck,
    body: dict[str, Any],
    client: AsyncWebClient,
    workspace_id: str,
    directory: Directory,
    salesforce_source: SalesforceSource,
) -> None:
    """The dialog opens before Salesforce is asked: Slack gives it three seconds."""
    await ack()
    opened = await client.views_open(trigger_id=body["trigger_id"], view=wait_view(TITLE))
    view = said_view(TITLE)
    if await directory.is_admin(workspace_id, body["user"]["id"]):
        view = await _told(_sources_view(salesforce_source, workspace_id))
    await client.views_update(view_id=opened["view"]["id"], view=view)


async def choose(
    ack: AsyncAck,
    action: dict[str, Any],
    body: dict[str, Any],
    client: AsyncWebClient,
    workspace_id: str,
    directory: Directory,
    salesforce_source: SalesforceSource,
) -> None:
    """A place to look: proposed from the org's describe, with the last records as they would be told."""
    await ack()
    view_id, name = body["view"]["id"], action["selected_option"]["value"]
    if not await directory.is_admin(workspace_id, body["user"]["id"]):
        await client.views_update(view_id=view_id, view=said_view(TITLE))
        return
    await client.views_update(view_id=view_id, view=wait_view(TITLE))
    await client.views_update(view_id=view_id, view=await _told(_proposed(salesforce_source, workspace_id, name)))


async def preview(
    ack: AsyncAck,
    body: dict[str, Any],
    client: AsyncWebClient,
    workspace_id: str,
    directory: Directory,
    salesforce_source: SalesforceSource,
) -> None:
    """The same place with what was typed; what is wrong with it is said above it."""
    await ack()
    shown = body["view"]
    proposal, typed, begin = _typed(shown)
    view = said_view(TITLE)
    if await directory.is_admin(workspace_id, body["user"]["id"]):
        view = await _previewed(salesforce_source, workspace_id, proposal, typed, begin)
    await client.views_update(view_id=shown["id"], view=view)


async def start(
    ack: AsyncAck,
    body: dict[str, Any],
    client: AsyncWebClient,
    workspace_id: str,
    directory: Directory,
    salesforce_source: SalesforceSource,
) -> None:
    shown, user_id = body["view"], body["user"]["id"]
    proposal, typed, begin = _typed(shown)
    try:
        definition = _decoded(typed)
        SourceQuery.parse(proposal.sobject, definition)
    except InvalidJobChangeError as error:
        await ack(response_action="errors", errors={DEFINITION: str(error)[:300]})
        return
    await ack(response_action="update", view=wait_view(TITLE))
    view = said_view(TITLE)
    if await directory.is_admin(workspace_id, user_id):
        chosen = Proposal(proposal.name, proposal.sobject, proposal.label, definition)
        view = await _told(_started(salesforce_source, workspace_id, user_id, chosen, begin))
    await client.views_update(view_id=shown["id"], view=view)


async def change(
    ack: AsyncAck,
    action: dict[str, Any],
    body: dict[str, Any],
    client: AsyncWebClient,
    workspace_id: str,
    directory: Directory,
    salesforce_source: SalesforceSource,
) -> None:
    """Pause, go on, or remove."""
    await ack()
    user_id, view = body["user"]["id"], said_view(TITLE)
    if await directory.is_admin(workspace_id, user_id):
        state = _STATES[action["action_id"]]
        await salesforce_source.set_state(workspace_id, user_id, action["value"], state)
        view = await _told(_sources_view(salesforce_source, workspace_id))
    await client.views_update(view_id=body["view"]["id"], view=view)


async def _sources_view(service: SalesforceSource, workspace_id: str, note: str | None = None) -> View:
    return sources_view(await service.all_of(workspace_id), await service.candidates(workspace_id), note)


async def _proposed(service: SalesforceSource, workspace_id: str, name: str) -> View:
    proposal = await service.propose(workspace_id, name)
    if proposal is None:
        return said_view(TITLE, "Salesforce does not show us this object any more.")
    return await _previewed(service, workspace_id, proposal, as_json(proposal.definition), "now")


async def _previewed(service: SalesforceSource, workspace_id: str, proposal: Proposal, typed: str, begin: str) -> View:
    days = int(begin) if begin.isdigit() else None
    try:
        seen = await service.preview(workspace_id, proposal.sobject, _decoded(typed), days)
    except (InvalidJobChangeError, PermanentError, TransientError) as error:
        return source_view(proposal, typed, begin, note=f":no_entry: {escape(str(error), 500)}")
    return source_view(proposal, typed, begin, seen)


async def _started(service: SalesforceSource, workspace_id: str, user_id: str, chosen: Proposal, begin: str) -> View:
    await service.start(workspace_id, user_id, chosen, int(begin) if begin.isdigit() else None)
    note = f":white_check_mark: Started: {escape(chosen.label, 80)} is looked at every minute."
    return await _sources_view(service, workspace_id, note)


async def _told(making: Awaitable[View]) -> View:
    """The view; or, when Salesforce does not let us make it, what is in the way."""
    try:
        return await making
    except PermanentError as error:
        return said_view(TITLE, f":warning: {escape(str(error), 500)}.")
    except TransientError as error:
        return said_view(TITLE, f":warning: {escape(str(error), 500)}. Nothing was changed, try again in a minute.")


def _typed(view: dict[str, Any]) -> tuple[Proposal, str, str]:
    """Which place a dialog is about, the JSON in it, and when to start."""
    kept, values = json.loads(view["private_metadata"]), view["state"]["values"]
    typed = values[DEFINITION][DEFINITION].get("value") or ""
    begin = values[BEGIN][BEGIN]["selected_option"]["value"]
    return Proposal(kept["name"], kept["sobject"], kept["label"], {}), typed, begin


def _decoded(typed: str) -> Any:
    """Raises InvalidJobChangeError."""
    try:
        return json.loads(typed)
    except ValueError as error:
        raise InvalidJobChangeError([Fault("the mapping", f"is not JSON: {error}")]) from None
