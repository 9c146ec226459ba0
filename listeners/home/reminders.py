"""Reminders, chosen in Home by an admin."""

from __future__ import annotations

from functools import partial

from slack_bolt.async_app import AsyncApp

from listeners.dialogs.dialog import Dialog
from listeners.dialogs.home_tab import HomeTab
from listeners.home.app_home import change_setting, chosen_option
from listeners.home.reminders_view import REMINDER_ESCALATION_CHOSEN, REMINDER_HOURS_CHOSEN
from services.home.preferences import Preferences


def register(app: AsyncApp) -> None:
    app.action(REMINDER_HOURS_CHOSEN)(choose_hours)
    app.action(REMINDER_ESCALATION_CHOSEN)(choose_escalation)


async def choose_hours(dialog: Dialog, preferences: Preferences, home_tab: HomeTab) -> None:
    hours = int(chosen_option(dialog))
    choose = partial(preferences.set_reminder_hours, dialog.workspace_id, dialog.user_id, hours)
    await change_setting(dialog, home_tab, choose)


async def choose_escalation(dialog: Dialog, preferences: Preferences, home_tab: HomeTab) -> None:
    escalation = chosen_option(dialog)
    choose = partial(preferences.set_reminder_escalation, dialog.workspace_id, dialog.user_id, escalation)
    await change_setting(dialog, home_tab, choose)
