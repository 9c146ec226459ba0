"""A stand-in for Slack behind `AsyncWebClient`: channels, messages, people, and answers that fail as Slack's do."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from services.slack.api import NO_CHANNEL
from tests.simulation.loop import RUNNING
from tests.simulation.profile import AMBIGUOUS, Window

if TYPE_CHECKING:
    from tests.simulation.process import Replica
    from tests.simulation.simulation import Simulation

CALL_SECONDS = 10.0
"""The app's own limit for a call, see services/operations/vendor_calls.py."""

LATEST_SECONDS = 40.0
"""How long after its call a message may be performed at the latest."""

Answer = asyncio.Future[AsyncSlackResponse]

ERRORS = {
    "refused": partial(aiohttp.ConnectionTimeoutError, "no connection"),
    "connection lost after": aiohttp.ServerDisconnectedError,
    "garbage": partial(ValueError, "no JSON"),
}
"""What the SDK's client raises, by fate."""

ANSWERS: dict[str, tuple[int, dict[str, Any]]] = {
    "failed before": (503, {}),
    "failed after": (500, {}),
    "error code after": (200, {"ok": False, "error": "internal_error"}),
    "no place": (200, {"ok": True}),
}
SILENCE = {"no answer", "no answer, not performed", "performed late"}
AFTER = {"failed after", "error code after", "no place", "connection lost after", "garbage", "no answer"}
"""Fates in which Slack performs the call and its caller does not learn that."""

WORKSPACE = "T0ACME"
WRITES = {"chat.postMessage", "chat.update"}
SERIAL = re.compile(r"Serial (\d{4})")
ADMIN, CHANNEL = "U0ADMIN", "C0DEFAULT"
LAYOUT_REFUSED = {"ok": False, "error": "invalid_blocks"}


@dataclass(eq=False)
class Call:
    """A call of a replica. Times are in seconds on the loop's clock; None means not (yet)."""

    method: str
    arguments: dict[str, Any]
    caller: Replica
    started_at: float
    fate: str
    performed_at: float | None = None
    answered_at: float | None = None
    """When its caller got an answer, or gave up waiting for it."""
    looked_at: float | None = None
    """For a message: when its caller last looked into the conversation before this call."""
    can_look: bool = False
    """For a message: whether its caller could look into the conversation."""
    queue: str = ""
    """For a message: the table whose row says that it is sent: lanes, notices or reminders."""

    @property
    def post_id(self) -> str | None:
        metadata = self.arguments.get("metadata") or {}
        return metadata.get("event_payload", {}).get("post_id")

    @property
    def is_ambiguous(self) -> bool:
        """Whether its caller got an answer that leaves open whether it was performed."""
        return self.answered_at is not None and self.fate in AMBIGUOUS


@dataclass(eq=False)
class Message:
    """A message at Slack, as it was last updated."""

    channel: str
    ts: str
    text: str
    blocks: Any
    call: Call
    updates: int = 0

    @property
    def post_id(self) -> str | None:
        return self.call.post_id

    @property
    def serials(self) -> list[int]:
        """The job changes that it shows, in order."""
        shown = json.dumps(self.call.arguments.get("blocks")) + self.call.arguments["text"]
        return list(dict.fromkeys(int(serial) for serial in SERIAL.findall(shown)))


@dataclass
class SimulatedSlack:
    """Everything that happened at Slack. Nothing is ever deleted."""

    simulation: Simulation
    messages: list[Message] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    waits: dict[str, tuple[float, float, Replica]] = field(default_factory=dict)
    """By method: from when to when it must not be called, and who knows that."""
    looks: list[tuple[Replica, str, float]] = field(default_factory=list)

    async def api_call(
        self, method: str, *, headers: object, data: dict[str, Any] | None = None, json: dict[str, Any] | None = None
    ) -> AsyncSlackResponse:
        """Takes what the SDK's client takes."""
        assert headers
        caller = RUNNING.get()
        assert caller is not None
        simulation, loop = self.simulation, self.simulation.loop
        profile = simulation.profile
        fates = profile.write_fates if method in WRITES else profile.read_fates
        call = Call(method, json or data or {}, caller, loop.now, simulation.fate(fates, profile.slack_down))
        simulation.watch_call(call)
        self.calls.append(call)
        simulation.note(caller.name, method, call.arguments.get("channel", ""), call.post_id or "", call.fate)
        answer: Answer = loop.create_future()
        self._later(self._arrive, call, answer)
        simulation.may_disturb(caller)
        try:
            return await answer
        finally:
            call.answered_at = loop.now

    def _arrive(self, call: Call, answer: Answer) -> None:
        if call.fate == "down":
            call.fate = self.simulation.chance.choice(("refused", "failed before", "failed after", "no answer"))
        if call.fate in AFTER:
            self._perform(call)
        if call.fate in ERRORS:
            self._later(_fail, answer, ERRORS[call.fate])
        elif call.fate in ANSWERS:
            self._later(_resolve, answer, *ANSWERS[call.fate])
        elif call.fate == "asked to wait":
            self._later(self._ask_to_wait, call, answer, self.simulation.chance.choice((1, 5, 30, 90)))
        elif call.fate in SILENCE:
            self._say_nothing(call, answer)
        elif call.fate == "slow":
            longest = call.started_at + CALL_SECONDS - 1 - self.simulation.loop.now
            self.simulation.loop.outside(
                self.simulation.chance.uniform(0, longest), self._perform_and_answer, call, answer
            )
        else:
            self._perform_and_answer(call, answer)

    def _say_nothing(self, call: Call, answer: Answer) -> None:
        give_up = call.started_at + CALL_SECONDS - self.simulation.loop.now
        self.simulation.loop.outside(give_up, _fail, answer, TimeoutError)
        if call.fate == "performed late":
            later = self.simulation.chance.uniform(0, LATEST_SECONDS - CALL_SECONDS)
            self.simulation.loop.outside(give_up + later, self._perform, call)

    def _later(self, callback: Callable[..., None], *args: object) -> None:
        self.simulation.loop.outside(self._latency(), callback, *args)

    def _latency(self) -> float:
        return self.simulation.chance.uniform(0, self.simulation.profile.slack_latency)

    def _perform_and_answer(self, call: Call, answer: Answer) -> None:
        self._later(_resolve, answer, 200, self._perform(call))

    def _ask_to_wait(self, call: Call, answer: Answer, seconds: float) -> None:
        now = self.simulation.loop.now
        begin, end, _ = self.waits.get(call.method, (now, 0.0, call.caller))
        if end < now + seconds:
            self.waits[call.method] = (begin if end > now else now, now + seconds, call.caller)
        _resolve(answer, 429, {"ok": False, "error": "ratelimited"}, {"Retry-After": str(seconds)})

    def _perform(self, call: Call) -> dict[str, Any]:
        call.performed_at = self.simulation.loop.now
        body = self._performed(call)
        self.simulation.may_disturb(call.caller)
        return body

    def _performed(self, call: Call) -> dict[str, Any]:
        methods = {
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "conversations.history": self._history,
            "conversations.replies": self._history,
            "users.lookupByEmail": lambda call: self._person(call.arguments["email"].partition("@")[0]),
            "conversations.info": lambda _: {"ok": True, "channel": {"id": CHANNEL, "name": "wins"}},
            "users.info": lambda call: self._person(call.arguments["user"].lower()[2:]),
            "users.list": lambda _call: {"ok": True, "members": [self._user(name) for name in self._names()]},
            "chat.getPermalink": lambda call: {"ok": True, "permalink": f"/archives/{call.arguments['message_ts']}"},
            "auth.test": lambda _call: {"ok": True, "team_id": WORKSPACE, "team": "Acme", "user_id": "U0BOT"},
        }
        # conversations.list needs im:read, for which the app does not ask.
        refused = {"ok": False, "error": "missing_scope", "needed": "im:read"}
        return methods[call.method](call) if call.method in methods else refused

    def _post(self, call: Call) -> dict[str, Any]:
        channel, simulation = call.arguments["channel"], self.simulation
        if problem := self._problem(channel):
            return {"ok": False, "error": problem}
        blocks = call.arguments.get("blocks")
        if simulation.profile.refuses_layout and blocks and "Serial 0000" in json.dumps(blocks):
            return LAYOUT_REFUSED
        if channel.startswith("U"):
            channel = f"D{channel[1:]}"
        message = Message(channel, self._next_ts(), call.arguments["text"], blocks, call)
        self.messages.append(message)
        simulation.note("slack", "message", channel, message.ts, call.post_id or "", message.serials)
        if channel == f"D{ADMIN[1:]}":
            simulation.admin_is_notified()
        return {"ok": True, "channel": channel, "ts": message.ts}

    def _update(self, call: Call) -> dict[str, Any]:
        arguments = call.arguments
        message = next(
            (each for each in self.messages if (each.channel, each.ts) == (arguments["channel"], arguments["ts"])), None
        )
        if message is None:
            return {"ok": False, "error": "message_not_found"}
        if problem := self._problem(message.channel):
            return {"ok": False, "error": problem}
        if self.simulation.profile.refuses_layout and "Serial 0000" in json.dumps(arguments.get("blocks")):
            return LAYOUT_REFUSED
        message.text, message.blocks = arguments["text"], arguments.get("blocks")
        message.updates += 1
        return {"ok": True, "channel": message.channel, "ts": message.ts}

    def _problem(self, channel: str) -> str | None:
        now, profile = self.simulation.loop.now, self.simulation.profile
        if channel == NO_CHANNEL:
            return "channel_not_found"
        if channel == CHANNEL and self.archived.covers(now):
            return "is_archived"
        if channel in {"U0OWNER0", "D0OWNER0"} and profile.deactivated_at is not None and now >= profile.deactivated_at:
            return "user_disabled"
        return None

    @property
    def archived(self) -> Window:
        return self.simulation.profile.channel_archived

    def _next_ts(self) -> str:
        return f"{self.simulation.true_time() + len(self.messages) / 1_000_000:.6f}"

    def _history(self, call: Call) -> dict[str, Any]:
        if not self.simulation.profile.reads_history:
            return {"ok": False, "error": "missing_scope", "needed": "im:history"}
        channel, oldest = call.arguments["channel"], float(call.arguments["oldest"])
        self.looks.append((call.caller, channel, self.simulation.loop.now))
        messages = [
            {"ts": message.ts, "text": message.text, "metadata": message.call.arguments.get("metadata")}
            for message in reversed(self.messages)
            if message.channel == channel
            and float(message.ts) >= oldest
            and message.call.arguments.get("thread_ts") == call.arguments.get("ts")
        ]
        return {"ok": True, "messages": messages}

    def _names(self) -> list[str]:
        return ["admin", "manager", *(f"owner{number}" for number in range(self.simulation.profile.owners))]

    def _person(self, name: str) -> dict[str, Any]:
        return (
            {"ok": True, "user": self._user(name)}
            if name in self._names()
            else {"ok": False, "error": "user_not_found"}
        )

    def _user(self, name: str) -> dict[str, Any]:
        is_deleted = name == "owner0" and self._problem("U0OWNER0") is not None
        return {
            "id": f"U0{name.upper()}",
            "team_id": WORKSPACE,
            "deleted": is_deleted,
            "is_admin": name == "admin",
            "tz": "Europe/Oslo",
            "profile": {"real_name": name, "email": f"{name}@acme.example"},
        }


def _fail(answer: Answer, error: Callable[[], Exception]) -> None:
    if not answer.done():
        answer.set_exception(error())


def _resolve(answer: Answer, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
    response = AsyncSlackResponse(
        client=None, http_verb="POST", api_url="", req_args={}, data=body, headers=headers or {}, status_code=status
    )
    if not answer.done():
        try:
            answer.set_result(response.validate())
        except SlackApiError as error:
            answer.set_exception(error)
