"""Slack's requests by WebSocket, for those whom Slack cannot reach: https://docs.slack.dev/apis/events-api/using-socket-mode"""

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
from slack_bolt.response import BoltResponse

from domain.errors import PermanentError, TransientError
from listeners.slack.requests import answer_of
from services.retry import backoff_ms
from services.slack.socket import SlackSocket

STEADY_SECONDS = 10.0
"""A connection that ends sooner is a failure, or we would ask for the next one again and again."""

GOODBYE = aiohttp.ClientWSTimeout(ws_close=1.0)
SILENCE_SECONDS = 20.0
"""Between two pings of ours; a connection that does not answer one is given up."""

GRACE_SECONDS = 5.0
"""For what was heard before we were asked to stop. Slack repeats what nobody acknowledged."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SocketMode:
    """
    Keeps one connection to Slack, and answers what comes over it as `/slack/events` does.

    Not the SDK's client: that keeps a session of its own, tries an address that is good once again and again, and says
    goodbye before the next connection stands. Here the old one is heard until Slack closes it.
    """

    bolt: AsyncApp
    slack: SlackSocket
    http: aiohttp.ClientSession = field(repr=False)
    pause: Callable[[int], float] = lambda failures: backoff_ms(failures, random()) / 1_000  # noqa: S311
    """Seconds to wait after so many failures in a row."""

    _addresses: list[str] = field(default_factory=list, init=False, repr=False)
    _meetings: set[asyncio.Task[None]] = field(default_factory=set, init=False, repr=False)
    _answers: set[asyncio.Task[None]] = field(default_factory=set, init=False, repr=False)

    async def check(self) -> None:
        """Raises PermanentError if Slack does not take the token. That Slack cannot be reached just now passes."""
        try:
            self._addresses.append(await self.slack.address())
        except TransientError as error:
            log.warning("Socket Mode waits for Slack: %s", error)

    async def run(self, stop: asyncio.Event) -> None:
        """Stay connected until *stop* is set; then hear nothing new, and finish the answers."""
        staying = asyncio.create_task(self._stay_connected(stop))
        await stop.wait()
        staying.cancel()
        if self._answers:
            await asyncio.wait(self._answers, timeout=GRACE_SECONDS)
        for meeting in self._meetings:
            meeting.cancel()
        await asyncio.gather(staying, *self._meetings, return_exceptions=True)

    async def _stay_connected(self, stop: asyncio.Event) -> None:
        clock, failures = asyncio.get_running_loop().time, 0
        while True:
            began, leaving = clock(), asyncio.Event()
            _keep(self._meetings, asyncio.create_task(self._meet(leaving, stop)))
            await leaving.wait()
            failures = 0 if clock() - began > STEADY_SECONDS else failures + 1
            if failures:
                await asyncio.sleep(self.pause(failures))

    async def _meet(self, leaving: asyncio.Event, stop: asyncio.Event) -> None:
        """One connection, to its end; *leaving* is set as soon as another one is needed."""
        try:
            url = self._addresses.pop() if self._addresses else await self.slack.address()
            async with self.http.ws_connect(url, heartbeat=SILENCE_SECONDS, timeout=GOODBYE) as link:
                async for message in link:
                    self._hear(link, _object(message), leaving, stop)
        except (PermanentError, TransientError) as error:
            log.warning("Socket Mode: %s", error)
            await asyncio.sleep(getattr(error, "retry_after", None) or 0)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            # Its text quotes the address, which lets in whoever knows it.
            log.warning("Socket Mode: no connection to Slack (%s)", type(error).__name__)
        finally:
            leaving.set()

    def _hear(
        self, link: aiohttp.ClientWebSocketResponse, said: dict[str, Any], leaving: asyncio.Event, stop: asyncio.Event
    ) -> None:
        if said.get("type") == "disconnect":
            log.info("Socket Mode: Slack asks for another connection (%s)", str(said.get("reason"))[:50])
            leaving.set()
        elif isinstance(said.get("envelope_id"), str) and not stop.is_set():
            _keep(self._answers, asyncio.create_task(self._answer(link, said)))

    async def _answer(self, link: aiohttp.ClientWebSocketResponse, envelope: dict[str, Any]) -> None:
        payload = envelope.get("payload")
        body = payload if isinstance(payload, dict) else {}
        answer = await answer_of(self.bolt, body, mode="socket_mode", headers=_retry_headers(envelope))
        if answer is not None and answer.status != 200:
            return  # as with HTTP: Slack repeats an event, and tells a person that it did not work
        said: dict[str, Any] = {"envelope_id": envelope["envelope_id"]}
        if answer is not None and answer.body and envelope.get("accepts_response_payload"):
            said["payload"] = _payload(answer)
        try:
            await link.send_json(said)
        except (aiohttp.ClientError, OSError):
            log.info("Socket Mode: the connection ended before an answer; Slack repeats what it was to")


def _keep(tasks: set[asyncio.Task[None]], task: asyncio.Task[None]) -> None:
    tasks.add(task)
    task.add_done_callback(tasks.discard)


def _object(message: aiohttp.WSMessage) -> dict[str, Any]:
    """Empty for what is none that Slack sends."""
    try:
        said = json.loads(message.data) if message.type is aiohttp.WSMsgType.TEXT else None
    except (ValueError, RecursionError):
        said = None
    return said if isinstance(said, dict) else {}


def _retry_headers(envelope: dict[str, Any]) -> dict[str, str]:
    """By the names that a repeated event carries when it comes by HTTP."""
    told = {"x-slack-retry-num": "retry_attempt", "x-slack-retry-reason": "retry_reason"}
    return {header: str(envelope[name]) for header, name in told.items() if envelope.get(name)}


def _payload(answer: BoltResponse) -> object:
    if answer.first_headers().get("content-type", "").startswith("application/json"):
        return json.loads(answer.body)
    return {"text": answer.body}
