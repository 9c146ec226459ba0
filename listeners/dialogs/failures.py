"""What went wrong while hearing Slack: logged once, and told to the person who was waiting; and what nobody heard."""

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
"""A dialog can be opened for three seconds. https://docs.slack.dev/reference/methods/views.open#errors"""


def register(app: AsyncApp) -> None:
    app.error(log_and_tell)
    app.event(_ANYTHING)(ignore_event)
    for hear in (app.action, app.view, app.view_closed, app.shortcut, app.command):
        hear(_ANYTHING)(acknowledge)
    app.options(_ANYTHING)(offer_nothing)


async def log_and_tell(
    error: Exception, body: dict[str, Any], context: AsyncBoltContext, client: AsyncWebClient
) -> None:
    """Without the payload in the log: it holds people's data, and addresses that work like keys."""
    log.error("%s of workspace %s failed", _what(body), context.team_id, exc_info=error)
    # Bolt looks every 10 ms whether we have acknowledged, and forgets that we have when a listener fails sooner:
    # Slack would wait for three seconds and show a warning sign. slack_bolt/listener/asyncio_runner.py
    await asyncio.sleep(0.05)
    text = what_happened(error)
    try:
        if context.response_url and context.respond:
            await context.respond(text, replace_original=False)
        elif "trigger_id" in body and client.token and context.user_id:
            await client.chat_postMessage(channel=context.user_id, text=text)
    except (SlackApiError, aiohttp.ClientError, OSError, TimeoutError, ValueError) as failure:
        log.warning("nobody could be told of it: %s", type(failure).__name__)


def what_happened(error: Exception) -> str:
    """What the person who waited reads."""
    if isinstance(error, SlackApiError) and error_code(error) in _TOO_LATE:
        return (
            "That took too long for Slack to open the dialog, and nothing was changed. Please press the button again."
        )
    if isinstance(error, DatabaseUnavailableError):
        return DATABASE_AWAY
    return "Sorry, that did not work. It has been logged; please try again in a minute."


async def acknowledge(ack: AsyncAck, body: dict[str, Any], context: AsyncBoltContext) -> None:
    """Something we have no listener for, perhaps from a message of an older version: no error for who pressed it."""
    log.info("nobody listens to %s of workspace %s", _what(body), context.team_id)
    await ack()


async def offer_nothing(ack: AsyncAck, body: dict[str, Any], context: AsyncBoltContext) -> None:
    log.info("nobody listens to %s of workspace %s", _what(body), context.team_id)
    await ack(options=[])


async def ignore_event(body: dict[str, Any], context: AsyncBoltContext) -> None:
    """An answer other than 200 makes Slack repeat it, and stop sending events where that happens often."""
    log.info("nobody listens to %s of workspace %s", _what(body), context.team_id)


def _what(body: dict[str, Any]) -> str:
    """What was heard, by the names that apps give: no values, which people enter."""
    actions = body.get("actions") or [{}]
    event, view = body.get("event") or {}, body.get("view") or {}
    named = event.get("type") or body.get("command") or actions[0].get("action_id") or view.get("callback_id")
    return " ".join(str(part)[:100] for part in (body.get("type") or "command", named) if part)
