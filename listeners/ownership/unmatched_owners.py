"""Admins say who unmatched owners are in Slack, and have them told what they missed."""

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

NOT_THERE = ":no_entry: This owner is not on the list any more."


def register(app: AsyncApp) -> None:
    app.action(PEOPLE)(show)
    app.action(re.compile(f"^{PEOPLE_FROM}_"))(turn)
    app.action(LINK)(link)
    app.action(UNLINK)(unlink)
    app.action(TELL)(tell)
    app.action(FORGET)(forget)
    app.view(MATCHING)(match)


async def show(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    await dialog.open(PEOPLE_TITLE, partial(_page, dialog.workspace_id, ownership))


async def turn(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    action = dialog.action
    after = "" if action["action_id"].endswith("_start") else action["value"]
    await dialog.change(PEOPLE_TITLE, partial(_page, dialog.workspace_id, ownership, after))


async def link(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    """Somebody was picked beside an owner."""
    action, workspace_id = dialog.action, dialog.workspace_id

    async def linked() -> str:
        listed = await ownership.unmatched.page(workspace_id, shown_after(dialog.view))
        owner = next((each.owner for each in listed if block_of(each.owner) == action["block_id"]), None)
        if owner is None:
            return NOT_THERE
        done = await ownership.unmatched.link(workspace_id, dialog.user_id, owner, action["selected_user"] or "")
        return f"{':white_check_mark:' if done.stored else ':no_entry:'} {done.text}"

    await _done(dialog, ownership, linked)


async def unlink(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    async def unlinked() -> str:
        done = await ownership.unmatched.unlink(dialog.workspace_id, dialog.user_id, dialog.action["value"])
        return ":white_check_mark: The link is gone." if done else NOT_THERE

    await _done(dialog, ownership, unlinked)


async def tell(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    """What an owner missed is told to the Slack user they are linked with."""

    async def told() -> str:
        count = await ownership.unmatched.tell_after_all(dialog.workspace_id, dialog.user_id, dialog.action["value"])
        return f":white_check_mark: {_count(count)} on the way to them." if count else "There is nothing left to tell."

    await _done(dialog, ownership, told)


async def forget(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    async def forgotten() -> str:
        await ownership.unmatched.forget(dialog.workspace_id, dialog.user_id, dialog.action["value"])
        return "What they missed is not offered any more."

    await _done(dialog, ownership, forgotten)


async def match(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    """For all owners: another e-mail field, domains that mean the same."""
    await dialog.run_submission(_match(dialog, ownership))


async def _match(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    if await dialog.refuse_unless_admin(PEOPLE_TITLE):
        return
    aliases = read_aliases(dialog.value_of(ALIASES) or "")
    if isinstance(aliases, str):
        await dialog.show_errors({ALIASES: aliases})
        return
    email_field = (dialog.value_of(EMAIL_FIELD) or "").strip() or None
    done = await ownership.unmatched.match_by(dialog.workspace_id, dialog.user_id, email_field, aliases)
    if not done.stored:
        await dialog.show_errors({ALIASES if done.text.startswith("Not a domain") else EMAIL_FIELD: done.text})
        return
    note = f":white_check_mark: {done.text} Job changes from now on are matched so."
    await dialog.show(await _page(dialog.workspace_id, ownership, shown_after(dialog.view), note))


async def _done(dialog: Dialog, ownership: OwnershipDialogs, doing: Callable[[], Awaitable[str]]) -> None:
    """Do it, and show what came of it above the same page as it stands then."""

    async def make_view() -> View:
        note = await doing()
        await ownership.redraw_home(dialog)
        return await _page(dialog.workspace_id, ownership, shown_after(dialog.view), note)

    await dialog.change(PEOPLE_TITLE, make_view)


async def _page(workspace_id: str, ownership: OwnershipDialogs, after: str = "", note: str | None = None) -> View:
    unmatched = ownership.unmatched
    listed, how = await unmatched.page(workspace_id, after), await unmatched.how_matched(workspace_id)
    links = await ownership.pages.links(workspace_id)
    return people_view(People(listed, links, how, after, note))


def _count(told: int) -> str:
    return "1 job change is" if told == 1 else f"{told:,} job changes are"
