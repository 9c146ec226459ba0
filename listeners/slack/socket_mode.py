"""Slack's requests over Socket Mode: https://docs.slack.dev/apis/events-api/using-socket-mode"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from random import random
from typing import Any

import aiohttp
from slack_bolt.async_app import AsyncApp

from domain.errors import PermanentError, TransientError
from listeners.slack.requests import answer_of
from services.measures import UNMEASURED, Measures
from services.retry import backoff_ms
from services.slack.socket import SlackSocket

STEADY_SECONDS = 10.0
"""A connection that ends sooner counts as a failure, so that reconnecting backs off."""

CLOSE_TIMEOUT = aiohttp.ClientWSTimeout(ws_close=1.0)
PING_SECONDS = 20.0
"""Interval of our pings. A connection that does not answer one is closed."""

GRACE_SECONDS = 5.0
"""Time to answer pending requests when the process stops. Slack repeats requests that are not acknowledged."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SocketMode:
    """
    Keeps a WebSocket connection to Slack and answers its requests like `/slack/events` does.

    The SDK's client is not used: it has its own HTTP session, retries URLs that work only once, and closes a connection
    before the next one is open. Here the old connection is read until Slack closes it.
    """

    bolt: AsyncApp
    slack: SlackSocket
    http: aiohttp.ClientSession = field(repr=False)
    measures: Measures = UNMEASURED
    pause: Callable[[int], float] = lambda failures: backoff_ms(failures, random()) / 1_000  # noqa: S311
    """Returns the seconds to wait after a number of consecutive failures."""

    _addresses: list[str] = field(default_factory=list, init=False, repr=False)
    _connections: set[asyncio.Task[None]] = field(default_factory=set, init=False, repr=False)
    _answers: set[asyncio.Task[None]] = field(default_factory=set, init=False, repr=False)

    async def check(self) -> None:
        """Raise PermanentError if Slack refuses the token. An unreachable Slack is not an error: it may recover."""
        try:
            self._addresses.append(await self.slack.address())
        except TransientError as error:
            log.warning("Socket Mode: Slack is not responding, will retry: %s", error)

    async def run(self, stop: asyncio.Event) -> None:
        """Stay connected until `stop` is set. Then ignore new requests and finish the pending answers."""
        staying = asyncio.create_task(self._stay_connected(stop))
        await stop.wait()
        staying.cancel()
        if self._answers:
            await asyncio.wait(self._answers, timeout=GRACE_SECONDS)
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(staying, *self._connections, return_exceptions=True)

    async def _stay_connected(self, stop: asyncio.Event) -> None:
        clock, failures = asyncio.get_running_loop().time, 0
        while True:
            began, leaving = clock(), asyncio.Event()
            _keep(self._connections, asyncio.create_task(self._connect(leaving, stop)))
            await leaving.wait()
            failures = 0 if clock() - began > STEADY_SECONDS else failures + 1
            if failures:
                await asyncio.sleep(self.pause(failures))

    async def _connect(self, leaving: asyncio.Event, stop: asyncio.Event) -> None:
        """Open a connection and read it until it ends. `leaving` is set as soon as another connection is needed."""
        try:
            url = self._addresses.pop() if self._addresses else await self.slack.address()
            async with self.http.ws_connect(url, heartbeat=PING_SECONDS, timeout=CLOSE_TIMEOUT) as socket:
                async for message in socket:
                    try:
                        data = json.loads(message.data) if message.type is aiohttp.WSMsgType.TEXT else None
                    except (ValueError, RecursionError):
                        data = None
                    envelope = data if isinstance(data, dict) else {}
                    if envelope.get("type") == "disconnect":
                        log.info("Socket Mode: Slack requested a new connection (%s)", str(envelope.get("reason"))[:50])
                        leaving.set()
                    elif isinstance(envelope.get("envelope_id"), str) and not stop.is_set():
                        _keep(self._answers, asyncio.create_task(self._answer(socket, envelope)))
        except (PermanentError, TransientError) as error:
            log.warning("Socket Mode: %s", error)
            await asyncio.sleep(getattr(error, "retry_after", None) or 0)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            # The text of the error quotes the URL, which is a secret.
            log.warning("Socket Mode: could not connect to Slack (%s)", type(error).__name__)
        finally:
            leaving.set()

    async def _answer(self, socket: aiohttp.ClientWebSocketResponse, envelope: dict[str, Any]) -> None:
        payload = envelope.get("payload")
        body = payload if isinstance(payload, dict) else {}
        # The headers that a repeated event has when it is sent by HTTP.
        names = {"x-slack-retry-num": "retry_attempt", "x-slack-retry-reason": "retry_reason"}
        headers = {header: str(envelope[name]) for header, name in names.items() if envelope.get(name)}
        answer = await answer_of(self.bolt, body, self.measures, mode="socket_mode", headers=headers)
        if answer is None:
            self.measures.slack_refused(400)
        elif answer.status != 200:
            return  # as with HTTP, Slack repeats an event, and shows an error to a person
        acknowledgement: dict[str, Any] = {"envelope_id": envelope["envelope_id"]}
        if answer is not None and answer.body and envelope.get("accepts_response_payload"):
            is_json = answer.first_headers().get("content-type", "").startswith("application/json")
            acknowledgement["payload"] = json.loads(answer.body) if is_json else {"text": answer.body}
        try:
            await socket.send_json(acknowledgement)
        except (aiohttp.ClientError, OSError):
            log.info("Socket Mode: the connection ended before a request was answered; Slack will repeat it")


def _keep(tasks: set[asyncio.Task[None]], task: asyncio.Task[None]) -> None:
    tasks.add(task)
    task.add_done_callback(tasks.discard)
