"""Socket Mode, Slack's side: addresses for app tokens, envelopes over WebSockets, and what is done when they end.

https://docs.slack.dev/apis/events-api/using-socket-mode
"""

import asyncio
import json
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web

from sandbox.slack.state import Json
from sandbox.slack.web_api.calls import ApiError, Call
from sandbox.slack.world import World

PATH = "/link"
MOST_CONNECTIONS = 10


@dataclass
class Sockets:
    """The app's connections. `base_url` is that of the sandbox; `tokens` are app tokens and their scopes.

    `heard` are the envelopes that were acknowledged, `sent` all of them, the repeated ones too.
    """

    world: World
    base_url: Callable[[], str]
    tokens: dict[str, frozenset[str]] = field(default_factory=dict, repr=False)
    connections: list[web.WebSocketResponse] = field(default_factory=list)
    sent: list[Json] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    opened: int = 0
    _tickets: set[str] = field(default_factory=set, repr=False)
    _waiting: dict[str, "asyncio.Future[Json]"] = field(default_factory=dict, repr=False)
    _changed: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    def issue_token(self, scopes: tuple[str, ...] = ("connections:write",)) -> str:
        """An app-level token, as made under Basic Information."""
        token = f"xapp-1-{self.world.app.id}-{secrets.randbelow(10**12)}-{secrets.token_hex(16)}"
        self.tokens[token] = frozenset(scopes)
        return token

    def open(self, call: Call) -> Json:
        """https://docs.slack.dev/reference/methods/apps.connections.open"""
        if not call.bearer:
            raise ApiError("not_authed")
        if call.bearer not in self.tokens:
            raise ApiError("not_allowed_token_type" if call.bearer in self.world.tokens else "invalid_auth")
        if "connections:write" not in self.tokens[call.bearer]:
            raise ApiError("missing_scope", needed="connections:write", provided="")
        if not self.world.app.socket_mode_enabled:
            raise ApiError("forbidden_team")
        ticket = secrets.token_hex(16)
        self._tickets.add(ticket)
        url = self.base_url().replace("http", "ws", 1)
        return {"ok": True, "url": f"{url}{PATH}/?ticket={ticket}&app_id={self.world.app.id}"}

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """An address is good once."""
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            raise web.HTTPForbidden
        self._tickets.discard(ticket)
        link = web.WebSocketResponse()
        await link.prepare(request)
        if len(self.connections) >= MOST_CONNECTIONS:
            await link.send_json({"type": "disconnect", "reason": "too_many_websockets"})
            await link.close()
            return link
        self.connections.append(link)
        self.opened += 1
        await link.send_json(self._hello())
        self._changed.set()
        try:
            async for message in link:
                if message.type is WSMsgType.TEXT:
                    self._acknowledge(json.loads(message.data))
        finally:
            self._forget(link)
        return link

    async def send(self, kind: str, payload: Json, seconds: float, **retry: object) -> Json | None:
        """One envelope over one of the connections; what was answered, None: nothing in time.

        Waits for a connection where there is none. A connection that ends before the answer is as if nothing came.
        """
        envelope_id = secrets.token_hex(18)
        envelope = {"envelope_id": envelope_id, "type": kind, "payload": payload, **retry}
        envelope["accepts_response_payload"] = kind != "events_api"
        answer: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._waiting[envelope_id] = answer
        try:
            async with asyncio.timeout(seconds):
                await self._hand_over(envelope)
                return await answer
        except (TimeoutError, ConnectionError):
            return None
        finally:
            del self._waiting[envelope_id]

    async def wait_for_connection(self) -> None:
        """Return once there is a connection."""
        while not self.connections:
            self._changed.clear()
            await self._changed.wait()

    async def refresh_connections(self) -> None:
        """Ask the app for another connection, and close each that is open once it has come."""
        old, before = list(self.connections), self.opened
        for link in old:
            debug = {"host": "sandbox"}
            await link.send_json({"type": "disconnect", "reason": "refresh_requested", "debug_info": debug})
        while self.opened == before:
            self._changed.clear()
            await self._changed.wait()
        for link in old:
            await link.close()

    def drop_connections(self) -> None:
        """End every connection without a word."""
        for link in list(self.connections):
            if link._req is not None and link._req.transport is not None:  # noqa: SLF001 - aiohttp has no way to abort
                link._req.transport.abort()  # noqa: SLF001
            self._forget(link)

    async def close(self) -> None:
        for link in list(self.connections):
            with suppress(ConnectionError):
                await link.close()

    async def _hand_over(self, envelope: Json) -> None:
        await self.wait_for_connection()
        self.sent.append(envelope)
        # The newest: an app that was asked for another connection is about to leave the others.
        await self.connections[-1].send_json(envelope)

    def _acknowledge(self, said: Json) -> None:
        envelope_id = said.get("envelope_id")
        waiting = self._waiting.get(envelope_id) if isinstance(envelope_id, str) else None
        if waiting is not None and not waiting.done():
            self.acknowledged.append(str(envelope_id))
            waiting.set_result(said)

    def _forget(self, link: web.WebSocketResponse) -> None:
        if link in self.connections:
            self.connections.remove(link)

    def _hello(self) -> Json:
        return {
            "type": "hello",
            "num_connections": len(self.connections),
            "connection_info": {"app_id": self.world.app.id},
            "debug_info": {"host": "sandbox", "approximate_connection_time": 18060},
        }
