"""Admins match owners to Slack members, and send them what they missed."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import wraps

from slack_bolt.async_app import AsyncApp

from domain.day_counts import counted
from listeners.dialogs.blocks import View
from listeners.dialogs.decorators import Listener, opens, submits, updates
from listeners.dialogs.dialog import Dialog
from listeners.dialogs.form import Entered, InvalidFormError
from listeners.ownership.dialogs import OwnershipDialogs
from listeners.ownership.rule_list_view import PEOPLE
from listeners.ownership.unmatched_owners_view import (
    ALIASES,
    DISMISS,
    EMAIL_FIELD,
    LINK,
    MATCHING,
    PEOPLE_FROM,
    SEND,
    SLACK_ID_FIELD,
    UNLINK,
    UnmatchedOwnersPage,
    block_of,
    shown_after,
    unmatched_owners_view,
)

NOT_THERE = ":no_entry: This owner is no longer on the list."


def register(app: AsyncApp) -> None:
    app.action(PEOPLE)(show)
    app.action(re.compile(f"^{PEOPLE_FROM}_"))(turn)
    app.action(LINK)(link)
    app.action(UNLINK)(unlink)
    app.action(SEND)(send_missed)
    app.action(DISMISS)(dismiss)
    app.view(MATCHING.callback_id)(match)


def _shows_result(change: Callable[[Dialog, OwnershipDialogs], Awaitable[str]]) -> Listener:
    """A listener that makes a change, and shows the text that it returns above the updated page."""

    @updates(MATCHING.title)
    @wraps(change)
    async def make_view(dialog: Dialog, ownership: OwnershipDialogs) -> View:
        note = await change(dialog, ownership)
        await dialog.publish_home()
        return await _page(dialog.workspace_id, ownership, shown_after(dialog.view), note)

    return make_view


@opens(MATCHING.title)
async def show(dialog: Dialog, ownership: OwnershipDialogs) -> View:
    return await _page(dialog.workspace_id, ownership)


@updates(MATCHING.title)
async def turn(dialog: Dialog, ownership: OwnershipDialogs) -> View:
    after = "" if dialog.action["action_id"].endswith("_start") else dialog.action["value"]
    return await _page(dialog.workspace_id, ownership, after)


@_shows_result
async def link(dialog: Dialog, ownership: OwnershipDialogs) -> str:
    """A Slack member was chosen for an owner."""
    action, workspace_id = dialog.action, dialog.workspace_id
    page = await ownership.unmatched.page(workspace_id, shown_after(dialog.view))
    owner = next((row.owner for row in page if block_of(row.owner) == action["block_id"]), None)
    if owner is None:
        return NOT_THERE
    result = await ownership.unmatched.link(workspace_id, dialog.user_id, owner, action["selected_user"] or "")
    return f"{':white_check_mark:' if result.stored else ':no_entry:'} {result.text}"


@_shows_result
async def unlink(dialog: Dialog, ownership: OwnershipDialogs) -> str:
    unlinked = await ownership.unmatched.unlink(dialog.workspace_id, dialog.user_id, dialog.action["value"])
    return ":white_check_mark: Unlinked." if unlinked else NOT_THERE


@_shows_result
async def send_missed(dialog: Dialog, ownership: OwnershipDialogs) -> str:
    """Send an owner what they missed."""
    count = await ownership.unmatched.send_missed(dialog.workspace_id, dialog.user_id, dialog.action["value"])
    sending = f":white_check_mark: Sending them {counted(count, 'job change')}."
    return sending if count else "There is nothing left to send."


@_shows_result
async def dismiss(dialog: Dialog, ownership: OwnershipDialogs) -> str:
    await ownership.unmatched.dismiss(dialog.workspace_id, dialog.user_id, dialog.action["value"])
    return "Dismissed what they missed."


@submits(MATCHING)
async def match(dialog: Dialog, entered: Entered, ownership: OwnershipDialogs) -> View:
    """Save how all owners are matched: another email field, and alias domains."""
    email_field, slack_id_field = entered[EMAIL_FIELD] or None, entered[SLACK_ID_FIELD] or None
    change = dialog.workspace_id, dialog.user_id, email_field, entered[ALIASES], slack_id_field
    result = await ownership.unmatched.match_by(*change)
    if not result.stored:
        raise InvalidFormError({result.field or EMAIL_FIELD.name: result.text})
    note = f":white_check_mark: {result.text} New job changes are matched this way."
    return await _page(dialog.workspace_id, ownership, shown_after(dialog.view), note)


async def _page(workspace_id: str, ownership: OwnershipDialogs, after: str = "", note: str | None = None) -> View:
    unmatched = ownership.unmatched
    owners, matching = await unmatched.page(workspace_id, after), await unmatched.matching(workspace_id)
    links = await ownership.unmatched.links(workspace_id)
    return unmatched_owners_view(UnmatchedOwnersPage(owners, links, matching, after, note))
