"""AppClient: sends the app signed requests and events, over HTTP or Socket Mode."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from urllib.parse import urlencode

import aiohttp

from sandbox.slack.outgoing.socket import Sockets
from sandbox.slack.state import Json, Token
from sandbox.slack.web_api.calls import AppEvent
from sandbox.slack.world import World

# The scope that an event requires: "Required scopes" on each page under https://docs.slack.dev/reference/events
EVENT_SCOPES = {"team_join": "users:read", "user_change": "users:read"}
PREFIX_SCOPES = {"channel_": "channels:read", "group_": "groups:read"}


@dataclass(slots=True)
class Reply:
    """The app's response. `status` 0 means no response in time; `problem` then says why."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    problem: str = ""

    @property
    def json(self) -> Json:
        """The JSON object in the body; empty if there is none."""
        try:
            value = json.loads(self.body or b"{}")
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


@dataclass
class AppClient:
    """Sends over `sockets` in Socket Mode, otherwise over HTTP to `app_url`.

    `signing_clock` returns the seconds since the epoch that signatures contain. `timeout` is in seconds.
    `retry_delays` are the seconds before each retry of an event that was not accepted. `replies` records the type and
    HTTP status of each event.
    """

    world: World
    sockets: Sockets
    app_url: str | None
    signing_clock: Callable[[], float]
    timeout: float = 3.0
    retry_delays: tuple[float, ...] = ()
    replies: list[tuple[str, int]] = field(default_factory=list)
    _session: aiohttp.ClientSession | None = None
    _pending: set[asyncio.Task[int]] = field(default_factory=set)

    async def post(self, body: str, content_type: str, extra: dict[str, str] | None = None) -> Reply:
        """Send a signed request: https://docs.slack.dev/authentication/verifying-requests-from-slack"""
        if self.app_url is None:
            raise RuntimeError("the address of the app is unknown: set app_url")
        timestamp = str(int(self.signing_clock()))
        mac = hmac.new(self.world.app.signing_secret.encode(), f"v0:{timestamp}:{body}".encode(), hashlib.sha256)
        headers = {
            "Content-Type": content_type,
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": f"v0={mac.hexdigest()}",
            **(extra or {}),
        }
        url = self.app_url.rstrip("/") + "/slack/events"
        timeout = aiohttp.ClientTimeout(total=self.timeout)
        self._session = self._session or aiohttp.ClientSession()
        try:
            async with self._session.post(url, data=body.encode(), headers=headers, timeout=timeout) as response:
                return Reply(response.status, await response.read(), dict(response.headers))
        except TimeoutError:
            return Reply(0, problem="http_timeout")
        except aiohttp.ClientError:
            return Reply(0, problem="connection_failed")

    @property
    def has_destination(self) -> bool:
        """Whether there is an app to send to."""
        return self.app_url is not None or self.world.app.socket_mode_enabled

    async def interact(self, payload: Json) -> Reply:
        """Send an interaction, a form whose `payload` is JSON."""
        if self.world.app.socket_mode_enabled:
            return await self._send_by_socket("interactive", payload)
        return await self.post(urlencode({"payload": json.dumps(payload)}), "application/x-www-form-urlencoded")

    async def form(self, fields: dict[str, str]) -> Reply:
        """Send a slash command."""
        if self.world.app.socket_mode_enabled:
            return await self._send_by_socket("slash_commands", dict(fields))
        return await self.post(urlencode(fields), "application/x-www-form-urlencoded")

    async def event(self, token: Token, team_id: str, event: Json, event_id: str, extra: dict[str, str]) -> Reply:
        """Send an event in its envelope: https://docs.slack.dev/apis/events-api/#callback-field"""
        team = self.world.teams[team_id]
        envelope = {
            "token": self.world.app.verification_token,
            "team_id": team_id,
            "context_team_id": team_id,
            "context_enterprise_id": team.enterprise_id,
            "api_app_id": self.world.app.id,
            "event": {**event, "event_ts": event.get("event_ts") or self.world.new_ts()},
            "type": "event_callback",
            "event_id": event_id,
            "event_time": int(self.world.now()),
            "authorizations": [
                {
                    "enterprise_id": team.enterprise_id,
                    "team_id": token.team_id,
                    "user_id": token.bot_user,
                    "is_bot": True,
                    "is_enterprise_install": token.is_enterprise_install,
                }
            ],
            "is_ext_shared_channel": False,
            "event_context": f"4-{event_id}",
        }
        if team.enterprise_id:
            envelope["enterprise_id"] = team.enterprise_id
        reply = await self.send_event(envelope, extra)
        self.replies.append((event["type"], reply.status))
        return reply

    async def send_event(self, envelope: Json, extra: dict[str, str]) -> Reply:
        if self.world.app.socket_mode_enabled:
            return await self._send_by_socket("events_api", envelope, extra)
        return await self.post(json.dumps(envelope), "application/json", extra)

    async def _send_by_socket(self, kind: str, payload: Json, extra: dict[str, str] | None = None) -> Reply:
        retry: Json = {}
        if extra:
            retry = {"retry_attempt": int(extra["X-Slack-Retry-Num"]), "retry_reason": extra["X-Slack-Retry-Reason"]}
        acknowledgement = await self.sockets.send(kind, payload, self.timeout, **retry)
        if acknowledgement is None:
            return Reply(0, problem="timeout")
        response = acknowledgement.get("payload")
        return Reply(200, json.dumps(response).encode() if response else b"", {"Content-Type": "application/json"})

    async def deliver(self, token: Token, team_id: str, event: Json) -> int:
        """Send an event, with retries if it is not accepted, and return the last HTTP status.

        https://docs.slack.dev/apis/events-api/#retries
        """
        event_id = self.world.new_id("Ev")
        reply = await self.event(token, team_id, event, event_id, {})
        for number, seconds in enumerate(self.retry_delays, 1):
            if 200 <= reply.status < 300 or reply.headers.get("X-Slack-No-Retry") == "1":
                break
            await asyncio.sleep(seconds)
            extra = {"X-Slack-Retry-Num": str(number), "X-Slack-Retry-Reason": reply.problem or "http_error"}
            reply = await self.event(token, team_id, event, event_id, extra)
        return reply.status

    def send_events(self, events: Iterable[AppEvent]) -> None:
        """Send events in the background, so that the call that caused them is answered first."""
        for event in events:
            if not self.has_destination or not self.subscribed(event.token, event.event["type"]):
                continue
            task = asyncio.create_task(self.deliver(event.token, event.team_id, event.event))
            self._pending.add(task)
            task.add_done_callback(self._pending.discard)

    def subscribed(self, token: Token, kind: str) -> bool:
        """Whether the app subscribed to this event and has its scope."""
        if self.world.app.events is not None and kind not in self.world.app.events:
            return False
        scope = EVENT_SCOPES.get(kind) or next(
            (scope for prefix, scope in PREFIX_SCOPES.items() if kind.startswith(prefix)), None
        )
        return scope is None or scope in token.scopes

    async def wait_for_events(self) -> None:
        """Wait until every pending event is answered."""
        while self._pending:
            await asyncio.wait(self._pending)

    async def close(self) -> None:
        await self.wait_for_events()
        if self._session is not None:
            await self._session.close()
            self._session = None
