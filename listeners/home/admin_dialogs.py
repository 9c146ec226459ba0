"""The dialogs behind admins' Home: who is told most, channels of signals, and pace and retention."""

from __future__ import annotations

import re

from slack_bolt.async_app import AsyncApp

from domain.job_change.parts import Signal
from domain.workspace import Workspace
from listeners.dialogs.blocks import View, message_view
from listeners.dialogs.dialog import Dialog
from listeners.dialogs.home_tab import HomeTab, seen_version
from listeners.home.admin_dialogs_view import (
    BUSIEST_TITLE,
    NO_OWN,
    OWN,
    PACE,
    PACE_TITLE,
    PATIENCE,
    POSTS,
    RETENTION,
    SIGNAL_CHANNELS,
    SIGNALS_TITLE,
    busiest_view,
    chosen_pace,
    pace_view,
    signal_of,
    signals_view,
)
from listeners.home.admin_home_view import BUSIEST
from services.home.home import Home
from services.home.preferences import NOT_INSTALLED, Preferences
from services.home.signal_channels import SignalChannels
from store.database import Database
from store.slack import workspaces


def register(app: AsyncApp) -> None:
    app.action(BUSIEST)(show_busiest)
    app.action(SIGNAL_CHANNELS)(show_signals)
    app.action(re.compile(f"^({OWN}|{NO_OWN})({'|'.join(Signal)})$"))(choose_signal)
    app.action(PACE)(show_pace)
    app.view(PACE)(choose_pace)


async def show_busiest(dialog: Dialog, home: Home) -> None:
    async def make_view() -> View:
        state = await home.read(dialog.workspace_id, dialog.user_id)
        return busiest_view(state.overview.busiest if state and state.overview else ())

    await dialog.open(BUSIEST_TITLE, make_view)


async def show_signals(dialog: Dialog, home: Home) -> None:
    async def make_view() -> View:
        return await _signals(dialog, home)

    await dialog.open(SIGNALS_TITLE, make_view)


async def choose_signal(dialog: Dialog, home: Home, home_tab: HomeTab, signal_channels: SignalChannels) -> None:
    """A channel was picked, or (by the button) none of its own."""

    async def make_view() -> View:
        signal = signal_of(dialog.action["action_id"])
        channel_id = dialog.action.get("selected_conversation")
        seen = seen_version(dialog.view)
        done = await signal_channels.choose(dialog.workspace_id, dialog.user_id, signal, channel_id, seen)
        return await _signals(dialog, home, f"{':white_check_mark:' if done.stored else ':no_entry:'} {done.text}")

    await dialog.change(SIGNALS_TITLE, make_view)
    await home_tab.publish(dialog.client, dialog.workspace_id, dialog.user_id)


async def show_pace(dialog: Dialog, home: Home) -> None:
    async def make_view() -> View:
        return await _pace(dialog, home)

    await dialog.open(PACE_TITLE, make_view)


async def choose_pace(dialog: Dialog, home: Home, home_tab: HomeTab, preferences: Preferences) -> None:
    async def make_view() -> View:
        pace = chosen_pace({name: dialog.value_of(name) for name in (POSTS, PATIENCE, RETENTION)})
        seen = seen_version(dialog.view)
        done = await preferences.set_pace(dialog.workspace_id, dialog.user_id, pace, seen)
        return await _pace(dialog, home, f"{':white_check_mark:' if done.stored else ':no_entry:'} {done.text}")

    await dialog.answer(PACE_TITLE, make_view)
    await home_tab.publish(dialog.client, dialog.workspace_id, dialog.user_id)


async def _signals(dialog: Dialog, home: Home, note: str | None = None) -> View:
    workspace = await _workspace(dialog, home.database)
    return signals_view(workspace, home.now(), note) if workspace else message_view(SIGNALS_TITLE, NOT_INSTALLED)


async def _pace(dialog: Dialog, home: Home, note: str | None = None) -> View:
    workspace = await _workspace(dialog, home.database)
    return pace_view(workspace, home.retention_days, note) if workspace else message_view(PACE_TITLE, NOT_INSTALLED)


async def _workspace(dialog: Dialog, database: Database) -> Workspace | None:
    return await database.run(workspaces.find, dialog.workspace_id)
