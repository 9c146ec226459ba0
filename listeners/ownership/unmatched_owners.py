"""Admins match owners to Slack members, and send them what they missed."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import partial

from slack_bolt.async_app import AsyncApp

from listeners.dialogs.blocks import View
from listeners.dialogs.dialog import Dialog
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
    UNMATCHED_TITLE,
    UnmatchedOwnersPage,
    block_of,
    read_aliases,
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
    app.view(MATCHING)(match)


async def show(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    await dialog.open(UNMATCHED_TITLE, partial(_page, dialog.workspace_id, ownership))


async def turn(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    action = dialog.action
    after = "" if action["action_id"].endswith("_start") else action["value"]
    await dialog.change(UNMATCHED_TITLE, partial(_page, dialog.workspace_id, ownership, after))


async def link(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    """A Slack member was chosen for an owner."""
    action, workspace_id = dialog.action, dialog.workspace_id

    async def do_link() -> str:
        page = await ownership.unmatched.page(workspace_id, shown_after(dialog.view))
        owner = next((row.owner for row in page if block_of(row.owner) == action["block_id"]), None)
        if owner is None:
            return NOT_THERE
        result = await ownership.unmatched.link(workspace_id, dialog.user_id, owner, action["selected_user"] or "")
        return f"{':white_check_mark:' if result.stored else ':no_entry:'} {result.text}"

    await _show_result(dialog, ownership, do_link)


async def unlink(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    async def do_unlink() -> str:
        unlinked = await ownership.unmatched.unlink(dialog.workspace_id, dialog.user_id, dialog.action["value"])
        return ":white_check_mark: Unlinked." if unlinked else NOT_THERE

    await _show_result(dialog, ownership, do_unlink)


async def send_missed(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    """Send an owner what they missed."""

    async def do_send() -> str:
        count = await ownership.unmatched.send_missed(dialog.workspace_id, dialog.user_id, dialog.action["value"])
        return f":white_check_mark: Sending them {_count(count)}." if count else "There is nothing left to send."

    await _show_result(dialog, ownership, do_send)


async def dismiss(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    async def do_dismiss() -> str:
        await ownership.unmatched.dismiss(dialog.workspace_id, dialog.user_id, dialog.action["value"])
        return "Dismissed what they missed."

    await _show_result(dialog, ownership, do_dismiss)


async def match(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    """Save how all owners are matched: another email field, and alias domains."""
    await dialog.run_submission(_match(dialog, ownership))


async def _match(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    if await dialog.refuse_unless_admin(UNMATCHED_TITLE):
        return
    aliases = read_aliases(dialog.value_of(ALIASES) or "")
    if isinstance(aliases, str):
        await dialog.show_errors({ALIASES: aliases})
        return
    email_field = (dialog.value_of(EMAIL_FIELD) or "").strip() or None
    slack_id_field = (dialog.value_of(SLACK_ID_FIELD) or "").strip() or None
    change = dialog.workspace_id, dialog.user_id, email_field, aliases, slack_id_field
    result = await ownership.unmatched.match_by(*change)
    if not result.stored:
        await dialog.show_errors({result.field or EMAIL_FIELD: result.text})
        return
    note = f":white_check_mark: {result.text} New job changes are matched this way."
    await dialog.show(await _page(dialog.workspace_id, ownership, shown_after(dialog.view), note))


async def _show_result(dialog: Dialog, ownership: OwnershipDialogs, change: Callable[[], Awaitable[str]]) -> None:
    """Make a change, and show the result above the updated page."""

    async def make_view() -> View:
        note = await change()
        await ownership.redraw_home(dialog)
        return await _page(dialog.workspace_id, ownership, shown_after(dialog.view), note)

    await dialog.change(UNMATCHED_TITLE, make_view)


async def _page(workspace_id: str, ownership: OwnershipDialogs, after: str = "", note: str | None = None) -> View:
    unmatched = ownership.unmatched
    owners, matching = await unmatched.page(workspace_id, after), await unmatched.matching(workspace_id)
    links = await ownership.unmatched.links(workspace_id)
    return unmatched_owners_view(UnmatchedOwnersPage(owners, links, matching, after, note))


def _count(job_changes: int) -> str:
    return "1 job change" if job_changes == 1 else f"{job_changes:,} job changes"
