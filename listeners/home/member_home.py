"""What members press and save in their part of Home."""

from __future__ import annotations

from collections.abc import Callable

from slack_bolt.async_app import AsyncApp

from listeners.dialogs.blocks import View
from listeners.dialogs.dialog import Dialog
from listeners.dialogs.home_tab import HomeTab
from listeners.home.member_dialogs_view import (
    NEWER,
    OLDER,
    REPORT_NOT_ME,
    SAVE_ABSENCE,
    SAVE_HOURS,
    SAVE_MUTES,
    UNDO_NOT_ME,
    absence_view,
    chosen_options,
    chosen_owner,
    entered_absence,
    entered_hours,
    hours_view,
    mutes_view,
    not_me_view,
    offered_options,
    recent_deliveries_view,
)
from listeners.home.member_home_view import CHANGE_HOURS, CHANGE_MUTES, END_ABSENCE, NOT_ME, SET_ABSENCE, SHOW_RECENT
from services.home.home_state import MemberHome
from services.home.member_home import MemberHomes
from services.home.member_preferences import MemberPreferences, hours_errors

LOADING_TITLE = "For you"

_VIEWS: dict[str, Callable[[MemberHome], View]] = {
    CHANGE_HOURS: hours_view,
    CHANGE_MUTES: mutes_view,
    SET_ABSENCE: absence_view,
    NOT_ME: not_me_view,
}


def register(app: AsyncApp) -> None:
    for action_id in _VIEWS:
        app.action(action_id)(open_dialog)
    app.action(SHOW_RECENT)(show_recent_deliveries)
    app.action(OLDER)(turn_page)
    app.action(NEWER)(turn_page)
    app.action(END_ABSENCE)(end_absence)
    app.action(UNDO_NOT_ME)(undo_not_me)
    app.view(SAVE_HOURS)(save_hours)
    app.view(SAVE_MUTES)(save_mutes)
    app.view(SAVE_ABSENCE)(save_absence)
    app.view(REPORT_NOT_ME)(report_not_me)


async def open_dialog(dialog: Dialog, member_homes: MemberHomes) -> None:
    await dialog.ack()
    action_id = dialog.action["action_id"]
    # Salesforce owners are matched by the address in Slack. Everything else is in the database, so it opens at once.
    read = member_homes.read if action_id == NOT_ME else member_homes.stored
    member, waiting = await dialog.wait_for(LOADING_TITLE, read(dialog.workspace_id, dialog.user_id))
    view = _VIEWS[action_id](member)
    if waiting:
        await dialog.update_view(waiting, view)
    else:
        await dialog.open_view(view)


async def show_recent_deliveries(dialog: Dialog, member_homes: MemberHomes) -> None:
    await dialog.ack()
    page = await member_homes.recent_deliveries(dialog.workspace_id, dialog.user_id)
    await dialog.open_view(recent_deliveries_view(page, dialog.user_id))


async def turn_page(dialog: Dialog, member_homes: MemberHomes) -> None:
    await dialog.ack()
    page = await member_homes.recent_deliveries(dialog.workspace_id, dialog.user_id, int(dialog.action["value"]))
    await dialog.update_view(dialog.view["id"], recent_deliveries_view(page, dialog.user_id))


async def end_absence(dialog: Dialog, member_preferences: MemberPreferences, home_tab: HomeTab) -> None:
    await dialog.ack()
    await member_preferences.end_absence(dialog.workspace_id, dialog.user_id)
    await _publish_home(dialog, home_tab, "Welcome back. You get your job changes again.")


async def undo_not_me(dialog: Dialog, member_preferences: MemberPreferences, home_tab: HomeTab) -> None:
    await dialog.ack()
    await member_preferences.undo_not_me(dialog.workspace_id, dialog.user_id, dialog.action["value"])
    member = await member_preferences.homes.read(dialog.workspace_id, dialog.user_id)
    await dialog.update_view(dialog.view["id"], not_me_view(member))
    await _publish_home(dialog, home_tab)


async def save_hours(dialog: Dialog, member_preferences: MemberPreferences, home_tab: HomeTab) -> None:
    hours = entered_hours(dialog.view)
    if errors := hours_errors(hours):
        await dialog.show_errors(errors)
        return

    async def save() -> None:
        await member_preferences.save_hours(dialog.workspace_id, dialog.user_id, hours)
        await _close(dialog, home_tab, "Saved. Your notification settings apply from now on.")

    await dialog.run_submission(save())


async def save_mutes(dialog: Dialog, member_preferences: MemberPreferences, home_tab: HomeTab) -> None:
    async def save() -> None:
        chosen, offered = chosen_options(dialog.view), offered_options(dialog.view)
        await member_preferences.save_mutes(dialog.workspace_id, dialog.user_id, chosen, offered)
        await _close(dialog, home_tab, "Saved. This applies to new job changes.")

    await dialog.run_submission(save())


async def save_absence(dialog: Dialog, member_preferences: MemberPreferences, home_tab: HomeTab) -> None:
    async def save() -> None:
        absence = entered_absence(dialog.view)
        if errors := await member_preferences.set_absence(dialog.workspace_id, dialog.user_id, *absence):
            await dialog.show_errors(errors)
        else:
            await _close(dialog, home_tab, "Saved. Enjoy your time off.")

    await dialog.run_submission(save())


async def report_not_me(dialog: Dialog, member_preferences: MemberPreferences, home_tab: HomeTab) -> None:
    await dialog.ack()
    if await member_preferences.report_not_me(dialog.workspace_id, dialog.user_id, chosen_owner(dialog.view)):
        text = "Saved. You no longer get this owner's job changes, and your admins have been notified."
        await _publish_home(dialog, home_tab, text)


async def _close(dialog: Dialog, home_tab: HomeTab, notice: str) -> None:
    await dialog.close()
    await _publish_home(dialog, home_tab, notice)


async def _publish_home(dialog: Dialog, home_tab: HomeTab, notice: str | None = None) -> None:
    await home_tab.publish(dialog.client, dialog.workspace_id, dialog.user_id, notice)
