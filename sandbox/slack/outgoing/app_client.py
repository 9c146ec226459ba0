"""What Slack sends the app: signed requests, and events in their envelope."""

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

# The scope an event needs, "Required scopes" of each page under https://docs.slack.dev/reference/events
EVENT_SCOPES = {"team_join": "users:read", "user_change": "users:read"}
KIND_SCOPES = {"channel_": "channels:read", "group_": "groups:read"}


@dataclass(slots=True)
class Reply:
    """What the app answered. `status` 0: no answer, or none in time; `problem` then says which."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    problem: str = ""

    @property
    def json(self) -> Json:
        """The body as an object; empty when it is none."""
        try:
            value = json.loads(self.body or b"{}")
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


@dataclass
class AppClient:
    """The way to the app: over its `sockets` in Socket Mode, else by HTTP, below `app_url`.

    `signing_clock` answers with the seconds that signatures carry, which the app holds against its own clock;
    `retry_delays` are the seconds before each further try of a refused event.
    """

    world: World
    sockets: Sockets
    app_url: str | None
    signing_clock: Callable[[], float]
    timeout: float = 3.0
    retry_delays: tuple[float, ...] = ()
    replies: list[tuple[str, int]] = field(default_factory=list)
    _session: aiohttp.ClientSession | None = None
    _under_way: set[asyncio.Task[int]] = field(default_factory=set)

    async def post(self, body: str, content_type: str, extra: dict[str, str] | None = None) -> Reply:
        """A request signed as https://docs.slack.dev/authentication/verifying-requests-from-slack says."""
        if self.app_url is None:
            raise RuntimeError("the sandbox does not know where the app is: set app_url")
        moment = str(int(self.signing_clock()))
        mac = hmac.new(self.world.app.signing_secret.encode(), f"v0:{moment}:{body}".encode(), hashlib.sha256)
        headers = {
            "Content-Type": content_type,
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "X-Slack-Request-Timestamp": moment,
            "X-Slack-Signature": f"v0={mac.hexdigest()}",
            **(extra or {}),
        }
        url = self.app_url.rstrip("/") + "/slack/events"
        timeout = aiohttp.ClientTimeout(total=self.timeout)
        try:
            async with self._open().post(url, data=body.encode(), headers=headers, timeout=timeout) as response:
                return Reply(response.status, await response.read(), dict(response.headers))
        except TimeoutError:
            return Reply(0, problem="http_timeout")
        except aiohttp.ClientError:
            return Reply(0, problem="connection_failed")

    @property
    def has_destination(self) -> bool:
        """Whether anybody could hear what is sent."""
        return self.app_url is not None or self.world.app.socket_mode_enabled

    async def interact(self, payload: Json) -> Reply:
        """An interaction: a form with one field of JSON."""
        if self.world.app.socket_mode_enabled:
            return await self._by_socket("interactive", payload)
        return await self.post(urlencode({"payload": json.dumps(payload)}), "application/x-www-form-urlencoded")

    async def form(self, fields: dict[str, str]) -> Reply:
        """A slash command."""
        if self.world.app.socket_mode_enabled:
            return await self._by_socket("slash_commands", dict(fields))
        return await self.post(urlencode(fields), "application/x-www-form-urlencoded")

    async def event(self, token: Token, team_id: str, event: Json, event_id: str, extra: dict[str, str]) -> Reply:
        """https://docs.slack.dev/apis/events-api/#callback-field: the envelope around every event."""
        team, moment = self.world.teams[team_id], self.world.now()
        envelope = {
            "token": self.world.app.verification_token,
            "team_id": team_id,
            "context_team_id": team_id,
            "context_enterprise_id": team.enterprise_id,
            "api_app_id": self.world.app.id,
            "event": {**event, "event_ts": event.get("event_ts") or self.world.new_ts()},
            "type": "event_callback",
            "event_id": event_id,
            "event_time": int(moment),
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
        if self.world.app.socket_mode_enabled:
            reply = await self._by_socket("events_api", envelope, extra)
        else:
            reply = await self.post(json.dumps(envelope), "application/json", extra)
        self.replies.append((event["type"], reply.status))
        return reply

    async def _by_socket(self, kind: str, payload: Json, extra: dict[str, str] | None = None) -> Reply:
        retry: Json = {}
        if extra:
            retry = {"retry_attempt": int(extra["X-Slack-Retry-Num"]), "retry_reason": extra["X-Slack-Retry-Reason"]}
        answer = await self.sockets.send(kind, payload, self.timeout, **retry)
        if answer is None:
            return Reply(0, problem="timeout")
        said = answer.get("payload")
        return Reply(200, json.dumps(said).encode() if said else b"", {"Content-Type": "application/json"})

    async def deliver(self, token: Token, team_id: str, event: Json) -> int:
        """Send an event, and again as Slack would when it is refused; the last status.

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
        """Deliver events in the background: what caused them is answered first."""
        for event in events:
            if not self.has_destination or not self.subscribed(event.token, event.event["type"]):
                continue
            task = asyncio.create_task(self.deliver(event.token, event.team_id, event.event))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    def subscribed(self, token: Token, kind: str) -> bool:
        """Whether the app asked for this event and may have it."""
        if self.world.app.events is not None and kind not in self.world.app.events:
            return False
        scope = EVENT_SCOPES.get(kind) or next((s for p, s in KIND_SCOPES.items() if kind.startswith(p)), None)
        return scope is None or scope in token.scopes

    async def wait_for_events(self) -> None:
        """Return once every event under way is answered."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    async def close(self) -> None:
        await self.wait_for_events()
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        return self._session
