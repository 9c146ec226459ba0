"""Errors in Slack listeners: logged, and shown to the person who waits. Acknowledges what has no listener."""

from __future__ import annotations

import asyncio
import logging
import re
import traceback
from dataclasses import dataclass
from typing import Any

import aiohttp
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from listeners.dialogs.dialog import DATABASE_AWAY
from services.journal import Repetitions
from services.slack.api import error_code
from store.database import DatabaseUnavailableError

log = logging.getLogger(__name__)

_ANYTHING = re.compile("")
_TOO_LATE = frozenset({"expired_trigger_id", "exchanged_trigger_id", "invalid_trigger_id"})
"""Slack allows three seconds to open a dialog. https://docs.slack.dev/reference/methods/views.open#errors"""

_UNREADABLE = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
"""Python's errors in a listener that does not find in a payload what the app has put there."""


def register(app: AsyncApp, repetitions: Repetitions) -> None:
    app.error(Failures(repetitions).log_and_notify)
    app.event(_ANYTHING)(ignore_event)
    for listen in (app.action, app.view, app.view_closed, app.shortcut, app.command):
        listen(_ANYTHING)(acknowledge)
    app.options(_ANYTHING)(offer_no_options)


@dataclass(frozen=True)
class Failures:
    """Handles the errors of listeners."""

    repetitions: Repetitions

    async def log_and_notify(
        self, error: Exception, body: dict[str, Any], context: AsyncBoltContext, client: AsyncWebClient
    ) -> BoltResponse | None:
        """Answers 400 instead of 500 if the listener could not read the payload and has not acknowledged it."""
        self._log(error, body, context.team_id)
        # Bolt checks every 10 ms whether we have acknowledged, and forgets it if a listener fails sooner. Then Slack
        # would wait for three seconds and show a warning sign. slack_bolt/listener/asyncio_runner.py
        await asyncio.sleep(0.05)
        text = error_text(error)
        try:
            if context.response_url and context.respond:
                await context.respond(text, replace_original=False)
            elif "trigger_id" in body and client.token and context.user_id:
                await client.chat_postMessage(channel=context.user_id, text=text)
        except (SlackApiError, aiohttp.ClientError, OSError, TimeoutError, ValueError) as failure:
            if count := self.repetitions.count((type(failure), "notify")):
                name, times = type(failure).__name__, _times(count)
                log.warning("the person could not be notified of the error: %s%s", name, times)
        is_unanswered = context.ack.response is None
        return BoltResponse(status=400) if is_unanswered and isinstance(error, _UNREADABLE) else None

    def _log(self, error: Exception, body: dict[str, Any], team_id: str | None) -> None:
        """
        Log the stack trace, once a minute for each place in the code: a client could send what fails in a loop.

        The payload is not logged: it contains personal data, and URLs that work like keys.
        """
        if isinstance(error, DatabaseUnavailableError):  # which is logged once, when it begins
            return
        frames = traceback.extract_tb(error.__traceback__, limit=-1)
        place = (frames[0].filename, frames[0].lineno) if frames else None
        if count := self.repetitions.count((type(error), place)):
            log.error("%s of workspace %s failed%s", _name_of(body), team_id, _times(count), exc_info=error)


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


def _times(count: int) -> str:
    return f" ({count} times since the last such line)" if count > 1 else ""


def _name_of(body: dict[str, Any]) -> str:
    """The type of a payload and the name the app gave to it. It contains nothing that people entered."""
    actions = body.get("actions") or [{}]
    event, view = body.get("event") or {}, body.get("view") or {}
    name = event.get("type") or body.get("command") or actions[0].get("action_id") or view.get("callback_id")
    return " ".join(str(part)[:100] for part in (body.get("type") or "command", name) if part)
