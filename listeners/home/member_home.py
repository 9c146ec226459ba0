"""Somebody looks at what is theirs in My Home, or changes how they are told."""

from __future__ import annotations

from collections.abc import Callable

from slack_bolt.async_app import AsyncApp

from listeners.dialogs.blocks import View
from listeners.dialogs.dialog import Dialog
from listeners.dialogs.home_tab import HomeTab
from listeners.home.member_dialogs import (
    ADMIT,
    LIMITS_TITLE,
    NEWER,
    OLDER,
    SAVE_AWAY,
    SAVE_LIMITS,
    SAVE_MUTES,
    SAVE_NOT_ME,
    SAVE_READING,
    away_view,
    chosen_in,
    days_in,
    delegate_in,
    hours_in,
    lately_view,
    limits_view,
    mutes_view,
    not_me_view,
    offered_in,
    owner_in,
    reading_view,
)
from listeners.home.member_home_view import AWAY, BACK, LATELY, LIMITS, MUTES, NOT_ME, READING
from services.home.home_state import MemberHome
from services.home.member_home import MyHome, hours_faults
from services.home.required_notifications import MutingLimits

MINE_TITLE = "For you"


def register(app: AsyncApp) -> None:
    for name in (READING, MUTES, AWAY, NOT_ME):
        app.action(name)(open_dialog)
    app.action(LATELY)(show_lately)
    app.action(OLDER)(turn_page)
    app.action(NEWER)(turn_page)
    app.action(BACK)(come_back)
    app.action(ADMIT)(admit)
    app.action(LIMITS)(open_limits)
    app.view(SAVE_READING)(save_reading)
    app.view(SAVE_MUTES)(save_mutes)
    app.view(SAVE_AWAY)(save_away)
    app.view(SAVE_NOT_ME)(save_not_me)
    app.view(SAVE_LIMITS)(save_limits)


async def open_dialog(dialog: Dialog, my_home: MyHome) -> None:
    await dialog.ack()
    name = dialog.action["action_id"]
    # Who they are in Salesforce depends on their address in Slack; all else we know ourselves, at once.
    read = my_home.read if name == NOT_ME else my_home.stored
    mine, waiting = await dialog.wait_for(MINE_TITLE, read(dialog.workspace_id, dialog.user_id))
    views: dict[str, Callable[[MemberHome], View]] = {READING: reading_view, MUTES: mutes_view, AWAY: away_view}
    view = views.get(name, not_me_view)(mine)
    if waiting:
        await dialog.update_view(waiting, view)
    else:
        await dialog.open_view(view)


async def show_lately(dialog: Dialog, my_home: MyHome) -> None:
    await dialog.ack()
    page = await my_home.lately(dialog.workspace_id, dialog.user_id)
    await dialog.client.views_open(trigger_id=dialog.body["trigger_id"], view=lately_view(page, dialog.user_id))


async def turn_page(dialog: Dialog, my_home: MyHome) -> None:
    await dialog.ack()
    page = await my_home.lately(dialog.workspace_id, dialog.user_id, int(dialog.action["value"]))
    await dialog.update_view(dialog.view["id"], lately_view(page, dialog.user_id))


async def come_back(dialog: Dialog, my_home: MyHome, home_tab: HomeTab) -> None:
    await dialog.ack()
    await my_home.come_back(dialog.workspace_id, dialog.user_id)
    await _show(dialog, home_tab, "Welcome back: you get your job changes again.")


async def admit(dialog: Dialog, my_home: MyHome, home_tab: HomeTab) -> None:
    await dialog.ack()
    await my_home.admit(dialog.workspace_id, dialog.user_id, dialog.action["value"])
    await dialog.update_view(dialog.view["id"], not_me_view(await my_home.read(dialog.workspace_id, dialog.user_id)))
    await _show(dialog, home_tab)


async def save_reading(dialog: Dialog, my_home: MyHome, home_tab: HomeTab) -> None:
    hours = hours_in(dialog.view)
    if faults := hours_faults(hours):
        await dialog.show_errors(faults)
        return

    async def doing() -> None:
        await my_home.prefer(dialog.workspace_id, dialog.user_id, hours)
        await _saved(dialog, home_tab, "Saved. You will be told this way from now on.")

    await dialog.run_submission(doing())


async def save_mutes(dialog: Dialog, my_home: MyHome, home_tab: HomeTab) -> None:
    async def doing() -> None:
        await my_home.mute(dialog.workspace_id, dialog.user_id, chosen_in(dialog.view), offered_in(dialog.view))
        await _saved(dialog, home_tab, "Saved. This holds for job changes from now on.")

    await dialog.run_submission(doing())


async def save_away(dialog: Dialog, my_home: MyHome, home_tab: HomeTab) -> None:
    async def doing() -> None:
        away = (*days_in(dialog.view), delegate_in(dialog.view))
        if faults := await my_home.leave(dialog.workspace_id, dialog.user_id, *away):
            await dialog.show_errors(faults)
        else:
            await _saved(dialog, home_tab, "Saved. Enjoy your time off.")

    await dialog.run_submission(doing())


async def save_not_me(dialog: Dialog, my_home: MyHome, home_tab: HomeTab) -> None:
    await dialog.ack()
    if await my_home.deny(dialog.workspace_id, dialog.user_id, owner_in(dialog.view)):
        await _show(dialog, home_tab, "Saved. You no longer get that owner's job changes, and your admins know.")


async def open_limits(dialog: Dialog, muting_limits: MutingLimits) -> None:
    async def make_view() -> View:
        return limits_view(await muting_limits.read(dialog.workspace_id))

    await dialog.open(LIMITS_TITLE, make_view)


async def save_limits(dialog: Dialog, muting_limits: MutingLimits, home_tab: HomeTab) -> None:
    async def doing() -> None:
        if await dialog.refuse_unless_admin(LIMITS_TITLE):
            return
        await muting_limits.choose(dialog.workspace_id, dialog.user_id, chosen_in(dialog.view))
        await _saved(dialog, home_tab, "Saved. Nobody can mute these from now on.")

    await dialog.run_submission(doing())


async def _saved(dialog: Dialog, home_tab: HomeTab, said: str) -> None:
    await dialog.close()
    await _show(dialog, home_tab, said)


async def _show(dialog: Dialog, home_tab: HomeTab, said: str | None = None) -> None:
    """Their Home, as it stands now."""
    await home_tab.publish(dialog.client, dialog.workspace_id, dialog.user_id, said)
