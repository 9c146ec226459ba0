"""What members press and save in their part of Home."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from slack_bolt.async_app import AsyncApp

from listeners.dialogs.blocks import ASSIGNED_FILTER, View
from listeners.dialogs.decorators import submits
from listeners.dialogs.dialog import Dialog
from listeners.dialogs.form import Entered, InvalidFormError
from listeners.home.assigned_view import NEWER, OLDER, page_data, page_of
from listeners.home.member_dialogs_view import (
    ABSENCE_FORM,
    DELEGATE,
    FIRST,
    HOURS_FORM,
    LAST,
    MUTES_FORM,
    NOT_ME_FORM,
    OWNER,
    UNDO_NOT_ME,
    absence_view,
    chosen_options,
    entered_hours,
    hours_view,
    mutes_view,
    not_me_view,
    offered_options,
)
from listeners.home.member_home_view import CHANGE_HOURS, CHANGE_MUTES, END_ABSENCE, NOT_ME, SET_ABSENCE
from services.home.home_state import Assigned, AssignedPage, MemberHome
from services.home.member_home import MemberHomes
from services.home.member_preferences import MemberPreferences, hours_errors

LOADING_TITLE = "Your preferences"

_VIEWS: dict[str, Callable[[MemberHome], View]] = {
    CHANGE_HOURS: hours_view,
    CHANGE_MUTES: mutes_view,
    SET_ABSENCE: absence_view,
    NOT_ME: not_me_view,
}


def register(app: AsyncApp) -> None:
    for action_id in _VIEWS:
        app.action(action_id)(open_dialog)
    app.action(ASSIGNED_FILTER)(filter_assigned)
    app.action(OLDER)(turn_page)
    app.action(NEWER)(turn_page)
    app.action(END_ABSENCE)(end_absence)
    app.action(UNDO_NOT_ME)(undo_not_me)
    app.view(HOURS_FORM.callback_id)(save_hours)
    app.view(MUTES_FORM.callback_id)(save_mutes)
    app.view(ABSENCE_FORM.callback_id)(save_absence)
    app.view(NOT_ME_FORM.callback_id)(report_not_me)


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
        await dialog.push(view)


async def filter_assigned(dialog: Dialog) -> None:
    await dialog.ack()
    await _show_page(dialog, AssignedPage(dialog.action["selected_option"]["value"]))


async def turn_page(dialog: Dialog) -> None:
    await dialog.ack()
    await _show_page(dialog, replace(page_of(dialog.view), skip=int(dialog.action["value"])))


async def _show_page(dialog: Dialog, page: AssignedPage) -> None:
    shown = dialog.view | {"private_metadata": json.dumps(page_data(Assigned(page)))}
    await dialog.home_tab.publish(dialog.client, dialog.workspace_id, dialog.user_id, view=shown)


async def end_absence(dialog: Dialog, member_preferences: MemberPreferences) -> None:
    await dialog.ack()
    await member_preferences.end_absence(dialog.workspace_id, dialog.user_id)
    await dialog.publish_home(":white_check_mark: Welcome back. You get your job changes again.", SET_ABSENCE)


async def undo_not_me(dialog: Dialog, member_preferences: MemberPreferences) -> None:
    await dialog.ack()
    await member_preferences.undo_not_me(dialog.workspace_id, dialog.user_id, dialog.action["value"])
    member = await member_preferences.homes.read(dialog.workspace_id, dialog.user_id)
    await dialog.update_view(dialog.view["id"], not_me_view(member))
    await dialog.publish_home()


@submits(HOURS_FORM, shown_beside=CHANGE_HOURS)
async def save_hours(dialog: Dialog, entered: Entered, member_preferences: MemberPreferences) -> str:
    hours = entered_hours(entered)
    if errors := hours_errors(hours):
        raise InvalidFormError(errors)
    user = (await dialog.person()).user
    await member_preferences.save_hours(dialog.workspace_id, dialog.user_id, hours, user.tz if user else None)
    return ":white_check_mark: Saved. Your notification settings apply from now on."


@submits(MUTES_FORM, shown_beside=CHANGE_MUTES)
async def save_mutes(dialog: Dialog, entered: Entered, member_preferences: MemberPreferences) -> str:
    chosen, offered = chosen_options(entered), offered_options(dialog.view)
    await member_preferences.save_mutes(dialog.workspace_id, dialog.user_id, chosen, offered)
    return ":white_check_mark: Saved. This applies to new job changes."


@submits(ABSENCE_FORM, shown_beside=SET_ABSENCE)
async def save_absence(dialog: Dialog, entered: Entered, member_preferences: MemberPreferences) -> str:
    days = entered[FIRST], entered[LAST]
    delegate = entered[DELEGATE] or None
    if errors := await member_preferences.set_absence(dialog.workspace_id, dialog.user_id, *days, delegate):
        raise InvalidFormError(errors)
    return ":white_check_mark: Saved. Enjoy your time off."


@submits(NOT_ME_FORM, shown_beside=NOT_ME)
async def report_not_me(dialog: Dialog, entered: Entered, member_preferences: MemberPreferences) -> str:
    reported = await member_preferences.report_not_me(dialog.workspace_id, dialog.user_id, entered[OWNER])
    text = ":white_check_mark: Saved. You no longer get this owner's job changes, and your admins have been notified."
    return text if reported else ""
