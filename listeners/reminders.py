"""Reminders, chosen in Home by an admin."""

from __future__ import annotations

from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from listeners.app_home import change_setting
from listeners.reminders_view import REMINDER_ESCALATION_CHOSEN, REMINDER_HOURS_CHOSEN
from services.home import Home
from services.preferences import Preferences


def register(app: AsyncApp) -> None:
    app.action(REMINDER_HOURS_CHOSEN)(choose_hours)
    app.action(REMINDER_ESCALATION_CHOSEN)(choose_escalation)


async def choose_hours(
    ack: AsyncAck,
    action: dict[str, Any],
    body: dict[str, Any],
    client: AsyncWebClient,
    workspace_id: str,
    preferences: Preferences,
    home: Home,
) -> None:
    await ack()
    hours = int(action["selected_option"]["value"])
    choose = partial(preferences.set_reminder_hours, workspace_id, body["user"]["id"], hours)
    await change_setting(choose, body, client, workspace_id, home)


async def choose_escalation(
    ack: AsyncAck,
    action: dict[str, Any],
    body: dict[str, Any],
    client: AsyncWebClient,
    workspace_id: str,
    preferences: Preferences,
    home: Home,
) -> None:
    await ack()
    escalation = action["selected_option"]["value"]
    choose = partial(preferences.set_reminder_escalation, workspace_id, body["user"]["id"], escalation)
    await change_setting(choose, body, client, workspace_id, home)
