"""Slack's side of Socket Mode: connections, envelopes and their acknowledgements.

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
MAX_CONNECTIONS = 10


@dataclass
class Sockets:
    """The app's connections. `base_url` returns that of the sandbox; `tokens` maps app-level tokens to their scopes.

    `sent` holds all envelopes, including retries, `acknowledged` the ids of those that the app acknowledged. `opened`
    counts the connections.
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
        """Create an app-level token."""
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
        """Accept a WebSocket; each URL is valid for one connection."""
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            raise web.HTTPForbidden
        self._tickets.discard(ticket)
        websocket = web.WebSocketResponse()
        await websocket.prepare(request)
        if len(self.connections) >= MAX_CONNECTIONS:
            await websocket.send_json({"type": "disconnect", "reason": "too_many_websockets"})
            await websocket.close()
            return websocket
        self.connections.append(websocket)
        self.opened += 1
        await websocket.send_json(self._hello())
        self._changed.set()
        try:
            async for message in websocket:
                if message.type is WSMsgType.TEXT:
                    self._acknowledge(json.loads(message.data))
        finally:
            self._remove(websocket)
        return websocket

    async def send(self, kind: str, payload: Json, seconds: float, **retry: object) -> Json | None:
        """Send an envelope and return its acknowledgement; None if there is none within `seconds`.

        Waits for a connection if there is none.
        """
        envelope_id = secrets.token_hex(18)
        envelope = {"envelope_id": envelope_id, "type": kind, "payload": payload, **retry}
        envelope["accepts_response_payload"] = kind != "events_api"
        acknowledgement: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._waiting[envelope_id] = acknowledgement
        try:
            async with asyncio.timeout(seconds):
                await self.wait_for_connection()
                self.sent.append(envelope)
                # The newest one: after a refresh request the app is about to close the others.
                await self.connections[-1].send_json(envelope)
                return await acknowledgement
        except (TimeoutError, ConnectionError):
            return None
        finally:
            del self._waiting[envelope_id]

    async def wait_for_connection(self) -> None:
        """Wait until the app has a connection."""
        while not self.connections:
            self._changed.clear()
            await self._changed.wait()

    async def refresh_connections(self) -> None:
        """Ask the app to reconnect, and close the old connections after it has done so."""
        old_connections, opened_before = list(self.connections), self.opened
        for websocket in old_connections:
            debug = {"host": "sandbox"}
            await websocket.send_json({"type": "disconnect", "reason": "refresh_requested", "debug_info": debug})
        while self.opened == opened_before:
            self._changed.clear()
            await self._changed.wait()
        for websocket in old_connections:
            await websocket.close()

    def drop_connections(self) -> None:
        """Abort every connection without a close frame."""
        for websocket in list(self.connections):
            if websocket._req is not None and websocket._req.transport is not None:  # noqa: SLF001 - aiohttp has no way to abort
                websocket._req.transport.abort()  # noqa: SLF001
            self._remove(websocket)

    async def close(self) -> None:
        for websocket in list(self.connections):
            with suppress(ConnectionError):
                await websocket.close()

    def _acknowledge(self, acknowledgement: Json) -> None:
        envelope_id = acknowledgement.get("envelope_id")
        waiting = self._waiting.get(envelope_id) if isinstance(envelope_id, str) else None
        if waiting is not None and not waiting.done():
            self.acknowledged.append(str(envelope_id))
            waiting.set_result(acknowledgement)

    def _remove(self, websocket: web.WebSocketResponse) -> None:
        if websocket in self.connections:
            self.connections.remove(websocket)

    def _hello(self) -> Json:
        return {
            "type": "hello",
            "num_connections": len(self.connections),
            "connection_info": {"app_id": self.world.app.id},
            "debug_info": {"host": "sandbox", "approximate_connection_time": 18060},
        }
