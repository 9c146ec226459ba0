"""The dialogs behind the admins' Home: statistics, channels by signal, required notifications, limits and data."""

from __future__ import annotations

import re

from slack_bolt.async_app import AsyncApp

from domain.job_change.parts import Signal
from listeners.dialogs.blocks import View, message_view
from listeners.dialogs.decorators import opens, submits, updates
from listeners.dialogs.dialog import Dialog
from listeners.dialogs.form import Entered
from listeners.dialogs.home_tab import seen_version
from listeners.home.admin_dialogs_view import (
    CHANGE_LIMITS,
    CHANGE_SIGNAL_CHANNELS,
    LIMITS,
    PICK_CHANNEL,
    SIGNALS_TITLE,
    STATISTICS_TITLE,
    USE_DEFAULT_CHANNEL,
    chosen_limits,
    limits_view,
    signal_channels_view,
    statistics_view,
)
from listeners.home.admin_home_view import CHANGE_REQUIRED, SHOW_STATISTICS
from listeners.home.member_dialogs_view import (
    REQUIRED_FORM,
    chosen_options,
    required_notifications_view,
)
from services.home.home import Home
from services.home.preferences import NOT_INSTALLED, Preferences
from services.home.signal_channels import SignalChannels


def register(app: AsyncApp) -> None:
    app.action(SHOW_STATISTICS)(show_statistics)
    app.action(CHANGE_SIGNAL_CHANNELS)(show_signal_channels)
    app.action(re.compile(f"^({PICK_CHANNEL}|{USE_DEFAULT_CHANNEL})({'|'.join(Signal)})$"))(save_signal_channel)
    app.action(CHANGE_REQUIRED)(show_required_notifications)
    app.view(REQUIRED_FORM.callback_id)(save_required_notifications)
    app.action(CHANGE_LIMITS)(show_limits)
    app.view(CHANGE_LIMITS)(save_limits)


@opens(STATISTICS_TITLE)
async def show_statistics(dialog: Dialog, home: Home) -> View:
    return statistics_view(await home.statistics(dialog.workspace_id))


@opens(SIGNALS_TITLE)
async def show_signal_channels(dialog: Dialog, home: Home) -> View:
    return await _signal_channels(dialog, home)


@updates(SIGNALS_TITLE, publishes_home=True)
async def save_signal_channel(dialog: Dialog, home: Home, signal_channels: SignalChannels) -> View:
    """A channel was picked, or the button that goes back to the default channel was pressed."""
    signal = Signal(dialog.action["action_id"].removeprefix(PICK_CHANNEL).removeprefix(USE_DEFAULT_CHANNEL))
    channel_id = dialog.action.get("selected_conversation")
    seen = seen_version(dialog.view)
    result = await signal_channels.choose(dialog.workspace_id, dialog.user_id, signal, channel_id, seen)
    return await _signal_channels(dialog, home, result.note)


@opens(REQUIRED_FORM.title)
async def show_required_notifications(dialog: Dialog, preferences: Preferences) -> View:
    return required_notifications_view(await preferences.required_notifications(dialog.workspace_id))


@submits(REQUIRED_FORM, shown_beside=CHANGE_REQUIRED)
async def save_required_notifications(dialog: Dialog, entered: Entered, preferences: Preferences) -> str:
    await preferences.set_required_notifications(dialog.workspace_id, dialog.user_id, chosen_options(entered))
    return ":white_check_mark: Saved. These job changes can no longer be muted."


@opens(LIMITS.title)
async def show_limits(dialog: Dialog, home: Home) -> View:
    return await _limits(dialog, home)


async def save_limits(dialog: Dialog, home: Home, preferences: Preferences) -> None:
    async def save(entered: Entered) -> View:
        seen = seen_version(dialog.view)
        change = preferences.change(dialog.workspace_id, dialog.user_id, chosen_limits(entered), seen)
        return await _limits(dialog, home, (await home.database.run(change)).note)

    await dialog.submit(LIMITS, save)
    await dialog.publish_home()


async def _signal_channels(dialog: Dialog, home: Home, note: str | None = None) -> View:
    workspace = await home.workspace(dialog.workspace_id)
    if workspace is None:
        return message_view(SIGNALS_TITLE, NOT_INSTALLED)
    return signal_channels_view(workspace, home.now(), note)


async def _limits(dialog: Dialog, home: Home, note: str | None = None) -> View:
    workspace = await home.workspace(dialog.workspace_id)
    if workspace is None:
        return message_view(LIMITS.title, NOT_INSTALLED)
    return limits_view(workspace, home.retention_days, note)
