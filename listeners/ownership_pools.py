"""Admins change what stands beside the ownership rules: pools, mapping tables, segments, who is never told."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from listeners.blocks import View
from listeners.ownership_dialogs import Body, OwnershipDialogs, entered, put
from listeners.ownership_entries import HOW_TO_TEST, read_test
from listeners.ownership_names import fault_text, said
from listeners.ownership_pools_view import (
    CAP,
    CUSTOMER,
    DELETE_NAMED,
    EDIT_NAMED,
    EXCLUDED,
    EXCLUDED_OTHERS,
    MAPPING_TITLE,
    MEMBERS,
    MORE_TITLE,
    NAME,
    NEW_NAMED,
    OTHERS,
    POOL_TITLE,
    SAVE_MAPPING,
    SAVE_POOL,
    SAVE_SETTINGS,
    STICKY,
    TABLE,
    TARGET,
    Faults,
    acted_on,
    mapping_view,
    more_view,
    named_faults,
    pool_view,
    read_members,
    read_table,
    settings_faults,
)
from listeners.ownership_view import MORE
from listeners.salesforce_view import said_view
from services.ownership.rule_faults import InvalidRulesError
from services.ownership.rules import RuleSet
from services.ownership_beside import MAPPINGS, POOLS, with_named, with_settings, without_named

Change = Callable[[RuleSet], RuleSet]


def register(app: AsyncApp) -> None:
    app.action(MORE)(show)
    app.view(SAVE_SETTINGS)(save_settings)
    app.action(re.compile(f"^{NEW_NAMED}_"))(new)
    app.action(re.compile(f"^{EDIT_NAMED}_"))(choose)
    app.view(SAVE_POOL)(save_pool)
    app.view(SAVE_MAPPING)(save_mapping)


async def show(
    ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient, workspace_id: str, ownership: OwnershipDialogs
) -> None:
    await ack()

    async def making() -> View:
        return more_view(await ownership.rulebook.read(workspace_id))

    await ownership.open(client, body, workspace_id, MORE_TITLE, making)


async def save_settings(
    ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient, workspace_id: str, ownership: OwnershipDialogs
) -> None:
    view = body["view"]
    tests = {name: read_test(entered(view, name) or "") for name in (CUSTOMER, TARGET)}
    if faults := {name: f"Please {HOW_TO_TEST}." for name, test in tests.items() if test is None}:
        await ack(response_action="errors", errors=faults)
        return
    excluded = [*(entered(view, EXCLUDED) or []), *(entered(view, EXCLUDED_OTHERS) or "").split()]
    cap = entered(view, CAP)
    guards = {"excluded": excluded} | ({"daily_cap": int(cap)} if cap else {})

    def change(rules: RuleSet) -> RuleSet:
        return with_settings(rules, tests, guards)

    await _save(ack, body, client, workspace_id, ownership, change, "changed segments and guards", settings_faults)


async def new(
    ack: AsyncAck,
    action: dict[str, Any],
    body: dict[str, Any],
    client: AsyncWebClient,
    workspace_id: str,
    ownership: OwnershipDialogs,
) -> None:
    await ack()
    await _open(client, body, workspace_id, ownership, action["value"], None)


async def choose(
    ack: AsyncAck,
    action: dict[str, Any],
    body: dict[str, Any],
    client: AsyncWebClient,
    workspace_id: str,
    ownership: OwnershipDialogs,
) -> None:
    """Out of the menu beside a pool or a mapping."""
    await ack()
    kind = action["action_id"].removeprefix(f"{EDIT_NAMED}_")
    step, _, name = action["selected_option"]["value"].partition(":")
    if step != DELETE_NAMED:
        await _open(client, body, workspace_id, ownership, kind, name)
        return
    seen, _ = acted_on(body["view"])

    async def making() -> View:
        book = await ownership.rulebook.read(workspace_id)
        try:
            changed = without_named(book.shown, kind, name)
        except InvalidRulesError as error:
            faults = "".join(f"\n• {fault_text(fault)}" for fault in error.faults[:8])
            return more_view(book, f":no_entry: Nothing was deleted, rules still name it:{faults}")
        kept = await ownership.editing.set(workspace_id, body["user"]["id"], seen, changed, f"deleted “{name}”")
        await ownership.redraw_list(client, body, workspace_id)
        return more_view(await ownership.rulebook.read(workspace_id), said(kept))

    await ownership.update(client, body, workspace_id, MORE_TITLE, making)


async def save_pool(
    ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient, workspace_id: str, ownership: OwnershipDialogs
) -> None:
    view = body["view"]
    members = read_members(entered(view, MEMBERS) or [], entered(view, OTHERS) or "")
    if isinstance(members, str):
        await ack(response_action="errors", errors={OTHERS: members})
        return
    value = {"members": members, "sticky": bool(entered(view, STICKY))}
    await _save_named(ack, body, client, workspace_id, ownership, POOLS, value, OTHERS)


async def save_mapping(
    ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient, workspace_id: str, ownership: OwnershipDialogs
) -> None:
    table = read_table(entered(body["view"], TABLE) or "")
    if isinstance(table, str):
        await ack(response_action="errors", errors={TABLE: table})
        return
    await _save_named(ack, body, client, workspace_id, ownership, MAPPINGS, table, TABLE)


async def _save_named(
    ack: AsyncAck,
    body: Body,
    client: AsyncWebClient,
    workspace_id: str,
    ownership: OwnershipDialogs,
    kind: str,
    value: object,
    field: str,
) -> None:
    _, old = acted_on(body["view"])
    name = str(entered(body["view"], NAME) or "").strip()

    def change(rules: RuleSet) -> RuleSet:
        return with_named(rules, kind, old, name, value)

    what = f"{'changed' if old else 'added'} the {'pool' if kind == POOLS else 'mapping'} “{name}”"
    await _save(
        ack,
        body,
        client,
        workspace_id,
        ownership,
        change,
        what,
        lambda faults: named_faults(faults, f"{kind}.{name}", field),
    )


async def _save(
    ack: AsyncAck,
    body: Body,
    client: AsyncWebClient,
    workspace_id: str,
    ownership: OwnershipDialogs,
    change: Change,
    what: str,
    told: Callable[[Any], Faults],
) -> None:
    """Into the draft, and close; or every fault at its field."""
    view = body["view"]
    if not await ownership.may(workspace_id, body):
        await ack(response_action="update", view=said_view(MORE_TITLE))
        return
    seen, _ = acted_on(view)
    book = await ownership.rulebook.read(workspace_id)
    try:
        changed = change(book.shown)
    except InvalidRulesError as error:
        await ack(response_action="errors", errors=told(error.faults))
        return
    kept = await ownership.editing.set(workspace_id, body["user"]["id"], seen, changed, what)
    if not kept.stored:
        first = CUSTOMER if view["callback_id"] == SAVE_SETTINGS else NAME
        await ack(response_action="errors", errors={first: kept.text})
        return
    await ack()
    await ownership.redraw_list(client, body, workspace_id, said(kept))
    below = view.get("previous_view_id")
    if below and below != view.get("root_view_id"):
        await put(client, below, more_view(await ownership.rulebook.read(workspace_id), said(kept)))


async def _open(
    client: AsyncWebClient, body: Body, workspace_id: str, ownership: OwnershipDialogs, kind: str, name: str | None
) -> None:
    async def making() -> View:
        book = await ownership.rulebook.read(workspace_id)
        return pool_view(book, name) if kind == POOLS else mapping_view(book, name)

    await ownership.open(client, body, workspace_id, POOL_TITLE if kind == POOLS else MAPPING_TITLE, making)
