"""Errors in Slack listeners: logged once and shown to the person who waits. Acknowledges what has no listener."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Any

import aiohttp
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from listeners.dialogs.dialog import DATABASE_AWAY
from services.slack.api import error_code
from store.database import DatabaseUnavailableError

log = logging.getLogger(__name__)

_ANYTHING = re.compile("")
_TOO_LATE = frozenset({"expired_trigger_id", "exchanged_trigger_id", "invalid_trigger_id"})
"""Slack allows three seconds to open a dialog. https://docs.slack.dev/reference/methods/views.open#errors"""


def register(app: AsyncApp) -> None:
    app.error(log_and_notify)
    app.event(_ANYTHING)(ignore_event)
    for listen in (app.action, app.view, app.view_closed, app.shortcut, app.command):
        listen(_ANYTHING)(acknowledge)
    app.options(_ANYTHING)(offer_no_options)


async def log_and_notify(
    error: Exception, body: dict[str, Any], context: AsyncBoltContext, client: AsyncWebClient
) -> None:
    """The payload is not logged: it contains personal data, and URLs that work like keys."""
    if not isinstance(error, DatabaseUnavailableError):  # which is logged once, when it begins
        log.error("%s of workspace %s failed", _name_of(body), context.team_id, exc_info=error)
    # Bolt checks every 10 ms whether we have acknowledged, and forgets it if a listener fails sooner. Then Slack would
    # wait for three seconds and show a warning sign. slack_bolt/listener/asyncio_runner.py
    await asyncio.sleep(0.05)
    text = error_text(error)
    try:
        if context.response_url and context.respond:
            await context.respond(text, replace_original=False)
        elif "trigger_id" in body and client.token and context.user_id:
            await client.chat_postMessage(channel=context.user_id, text=text)
    except (SlackApiError, aiohttp.ClientError, OSError, TimeoutError, ValueError) as failure:
        log.warning("the person could not be notified of the error: %s", type(failure).__name__)


def error_text(error: Exception) -> str:
    if isinstance(error, SlackApiError) and error_code(error) in _TOO_LATE:
        return "That took too long for Slack to open the dialog. Nothing was changed. Please press the button again."
    if isinstance(error, DatabaseUnavailableError):
        return DATABASE_AWAY
    return "Something went wrong. The error was logged; please try again in a minute."


async def acknowledge(ack: AsyncAck, body: dict[str, Any], context: AsyncBoltContext) -> None:
    """Answer interactions without a listener, such as a button of an older version: the person sees no error."""
    log.info("no listener for %s of workspace %s", _name_of(body), context.team_id)
    await ack()


async def offer_no_options(ack: AsyncAck, body: dict[str, Any], context: AsyncBoltContext) -> None:
    log.info("no listener for %s of workspace %s", _name_of(body), context.team_id)
    await ack(options=[])


async def ignore_event(body: dict[str, Any], context: AsyncBoltContext) -> None:
    """If we answered with an error, Slack would send the event again, and eventually stop sending events."""
    log.info("no listener for %s of workspace %s", _name_of(body), context.team_id)


def _name_of(body: dict[str, Any]) -> str:
    """The type of a payload and the name the app gave to it. It contains nothing that people entered."""
    actions = body.get("actions") or [{}]
    event, view = body.get("event") or {}, body.get("view") or {}
    name = event.get("type") or body.get("command") or actions[0].get("action_id") or view.get("callback_id")
    return " ".join(str(part)[:100] for part in (body.get("type") or "command", name) if part)
