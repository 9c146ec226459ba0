"""Admins say who unmatched owners are in Slack, and have them told what they missed."""

from __future__ import annotations

import re
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from listeners.blocks import View
from listeners.ownership_dialogs import OwnershipDialogs, entered
from listeners.ownership_people_view import (
    ALIASES,
    EMAIL_FIELD,
    FORGET,
    LINK,
    MATCHING,
    PEOPLE_FROM,
    PEOPLE_TITLE,
    TELL,
    UNLINK,
    People,
    block_of,
    people_view,
    read_aliases,
    shown_after,
)
from listeners.ownership_view import PEOPLE
from listeners.salesforce_view import said_view

NOT_THERE = ":no_entry: This owner is not on the list any more."


def register(app: AsyncApp) -> None:
    app.action(PEOPLE)(show)
    app.action(re.compile(f"^{PEOPLE_FROM}_"))(turn)
    app.action(LINK)(link)
    app.action(UNLINK)(unlink)
    app.action(TELL)(tell)
    app.action(FORGET)(forget)
    app.view(MATCHING)(match)


async def show(
    ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient, workspace_id: str, ownership: OwnershipDialogs
) -> None:
    await ack()

    async def making() -> View:
        return await _page(workspace_id, ownership)

    await ownership.open(client, body, workspace_id, PEOPLE_TITLE, making)


async def turn(
    ack: AsyncAck,
    action: dict[str, Any],
    body: dict[str, Any],
    client: AsyncWebClient,
    workspace_id: str,
    ownership: OwnershipDialogs,
) -> None:
    await ack()
    after = "" if action["action_id"].endswith("_start") else action["value"]

    async def making() -> View:
        return await _page(workspace_id, ownership, after)

    await ownership.update(client, body, workspace_id, PEOPLE_TITLE, making)


async def link(
    ack: AsyncAck,
    action: dict[str, Any],
    body: dict[str, Any],
    client: AsyncWebClient,
    workspace_id: str,
    ownership: OwnershipDialogs,
) -> None:
    """Somebody was picked beside an owner."""
    await ack()
    after = shown_after(body["view"])

    async def making() -> View:
        listed = await ownership.unmatched.page(workspace_id, after)
        owner = next((each.owner for each in listed if block_of(each.owner) == action["block_id"]), None)
        if owner is None:
            return await _page(workspace_id, ownership, after, NOT_THERE)
        user_id = action["selected_user"] or ""
        done = await ownership.unmatched.link(workspace_id, body["user"]["id"], owner, user_id)
        note = f"{':white_check_mark:' if done.stored else ':no_entry:'} {done.text}"
        return await _page(workspace_id, ownership, after, note)

    await ownership.update(client, body, workspace_id, PEOPLE_TITLE, making)


async def unlink(
    ack: AsyncAck,
    action: dict[str, Any],
    body: dict[str, Any],
    client: AsyncWebClient,
    workspace_id: str,
    ownership: OwnershipDialogs,
) -> None:
    await ack()

    async def making() -> View:
        done = await ownership.unmatched.unlink(workspace_id, body["user"]["id"], action["value"])
        note = ":white_check_mark: The link is gone." if done else NOT_THERE
        return await _page(workspace_id, ownership, shown_after(body["view"]), note)

    await ownership.update(client, body, workspace_id, PEOPLE_TITLE, making)


async def tell(
    ack: AsyncAck,
    action: dict[str, Any],
    body: dict[str, Any],
    client: AsyncWebClient,
    workspace_id: str,
    ownership: OwnershipDialogs,
) -> None:
    """What an owner missed is told to the Slack user they are linked with."""
    await ack()

    async def making() -> View:
        told = await ownership.unmatched.tell_after_all(workspace_id, action["value"])
        note = f":white_check_mark: {_count(told)} on the way to them." if told else "There is nothing left to tell."
        return await _page(workspace_id, ownership, shown_after(body["view"]), note)

    await ownership.update(client, body, workspace_id, PEOPLE_TITLE, making)


async def forget(
    ack: AsyncAck,
    action: dict[str, Any],
    body: dict[str, Any],
    client: AsyncWebClient,
    workspace_id: str,
    ownership: OwnershipDialogs,
) -> None:
    await ack()

    async def making() -> View:
        await ownership.unmatched.forget(workspace_id, action["value"])
        note = "What they missed is not offered any more."
        return await _page(workspace_id, ownership, shown_after(body["view"]), note)

    await ownership.update(client, body, workspace_id, PEOPLE_TITLE, making)


async def match(ack: AsyncAck, body: dict[str, Any], workspace_id: str, ownership: OwnershipDialogs) -> None:
    """For all owners: another e-mail field, domains that mean the same."""
    view = body["view"]
    if not await ownership.may(workspace_id, body):
        await ack(response_action="update", view=said_view(PEOPLE_TITLE))
        return
    aliases = read_aliases(entered(view, ALIASES) or "")
    if isinstance(aliases, str):
        await ack(response_action="errors", errors={ALIASES: aliases})
        return
    email_field = (entered(view, EMAIL_FIELD) or "").strip() or None
    done = await ownership.unmatched.match_by(workspace_id, body["user"]["id"], email_field, aliases)
    if not done.stored:
        wrong = ALIASES if done.text.startswith("Not a domain") else EMAIL_FIELD
        await ack(response_action="errors", errors={wrong: done.text})
        return
    note = f":white_check_mark: {done.text} Job changes from now on are matched so."
    await ack(response_action="update", view=await _page(workspace_id, ownership, shown_after(view), note))


async def _page(workspace_id: str, ownership: OwnershipDialogs, after: str = "", note: str | None = None) -> View:
    unmatched = ownership.unmatched
    listed, how = await unmatched.page(workspace_id, after), await unmatched.how_matched(workspace_id)
    links = await ownership.pages.links(workspace_id)
    return people_view(People(listed, links, how, after, note))


def _count(told: int) -> str:
    return "1 job change is" if told == 1 else f"{told:,} job changes are"
