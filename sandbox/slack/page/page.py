"""The sandbox in a browser: be anyone in the workspace, read what the app sent, press, choose, fill in, type a command.

Add it to what the sandbox serves: `slack.serving(port, page.routes(slack))`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import urlencode

from aiohttp import web

from sandbox.slack.block_kit.inputs import Value, parts_of, state_of
from sandbox.slack.modals import Submission
from sandbox.slack.outgoing.app_client import Reply
from sandbox.slack.page.page_state import conversations, page, people
from sandbox.slack.state import Channel, Json, User, View
from sandbox.slack.user_actions import CommandReply
from sandbox.slack.world import World

STATIC = Path(__file__).with_name("static")
# Nothing but our own scripts and styles ever runs, whatever stands in a name.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' https: data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_NO_ANSWER = {
    "http_timeout": "The app did not answer within three seconds.",
    "connection_failed": "The app is not running, or cannot be reached.",
}


class Slack(Protocol):
    """What the page needs of the sandbox."""

    world: World

    async def open_home(self, user_id: str, tab: str = "home") -> int | None: ...

    async def press(
        self, user_id: str, channel: str, ts: str, action_id: str, value: Value = None, block_id: str | None = None
    ) -> Reply: ...

    async def act_in_home(
        self, user_id: str, action_id: str, value: Value = None, block_id: str | None = None
    ) -> Reply: ...

    async def act_in_modal(
        self, user_id: str, action_id: str, value: Value = None, block_id: str | None = None
    ) -> Reply: ...

    async def submit_view(self, user_id: str, values: dict[str, Value] | None = None) -> Submission: ...

    async def close_view(self, user_id: str, *, clear: bool = False) -> Reply | None: ...

    async def command(
        self, user_id: str, command: str, text: str = "", channel: str | None = None, *, wait: bool = True
    ) -> CommandReply: ...


def routes(slack: Slack) -> list[web.AbstractRouteDef]:
    """The page at `/`, what it loads, what it asks, and Slack's permalinks, which lead to it."""
    browser = Browser(slack)
    return [
        web.get("/", browser.show),
        web.get("/archives/{channel}/{message}", browser.follow_permalink),
        web.get("/page/people", browser.people),
        web.get("/page/state", browser.state),
        web.post("/page/{deed}", browser.do),
        web.static("/static", STATIC),
    ]


@dataclass
class Browser:
    """Serves the page. `read` is what each person has seen, for the unread counts."""

    slack: Slack
    read: dict[tuple[str, str], str] = field(default_factory=dict)

    async def show(self, _request: web.Request) -> web.StreamResponse:
        return web.FileResponse(STATIC / "page.html", headers={"Content-Security-Policy": _POLICY})

    async def follow_permalink(self, request: web.Request) -> web.StreamResponse:
        """`/archives/C1/p1700000000000100`, as `chat.getPermalink` tells it."""
        channel = self.slack.world.channels.get(request.match_info["channel"])
        digits = request.match_info["message"].removeprefix("p")
        if channel is None or not digits.isdecimal():
            raise web.HTTPNotFound(text="There is no such message.")
        where = {"channel": channel.id, "ts": f"{digits[:-6]}.{digits[-6:]}"}
        reader = channel.im_user or self._reader(channel)
        if reader:
            where["user"] = reader
        raise web.HTTPFound(f"/?{urlencode(where)}")

    def _reader(self, channel: Channel) -> str | None:
        """Somebody who can read it, if possible one who has read here before."""
        users = [user for user in self.slack.world.users.values() if user.team_id == channel.team_id]
        able = [user for user in users if not (user.bot_id or user.deleted)]
        able = [user for user in able if not channel.is_private or user.id in channel.members]
        seen = {user_id for user_id, _ in self.read}
        return next((user.id for user in sorted(able, key=lambda user: user.id not in seen)), None)

    async def people(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response({"people": people(self.slack.world, self.read)})

    async def state(self, request: web.Request) -> web.StreamResponse:
        """What `user` sees with `channel` open; 204 when nothing changed since `version`."""
        world, query = self.slack.world, request.query
        user = world.users.get(query.get("user", ""))
        if user is None or user.bot_id:
            raise web.HTTPNotFound(text="There is no such person.")
        channel = self._seen(user, query.get("channel"))
        if query.get("version") == str(world.version):
            return web.Response(status=204)
        if channel and channel.messages:
            self.read[user.id, channel.id] = max(channel.messages)
        return web.json_response(page(world, user, channel, self.read))

    async def do(self, request: web.Request) -> web.StreamResponse:
        """One deed of one person. JSON only, which no page of another origin can send unasked."""
        deed = _DEEDS.get(request.match_info["deed"])
        if deed is None or request.content_type != "application/json":
            raise web.HTTPNotFound
        try:
            answer = await deed(self.slack, await request.json())
        except (LookupError, RuntimeError) as refusal:
            answer = {"problem": str(refusal.args[0])}
        except TimeoutError:
            answer = {"problem": _NO_ANSWER["http_timeout"]}
        return web.json_response(answer)

    def _seen(self, user: User, channel_id: str | None) -> Channel | None:
        return next((place for place in conversations(self.slack.world, user) if place.id == channel_id), None)


async def _open_home(slack: Slack, asked: Json) -> Json:
    await slack.open_home(asked["user"], asked.get("tab", "home"))
    return {}


async def _press(slack: Slack, asked: Json) -> Json:
    return _answer(await slack.press(asked["user"], asked["channel"], asked["ts"], *_used(asked)))


async def _act_in_home(slack: Slack, asked: Json) -> Json:
    _type_in(slack.world.homes.get(asked["user"]), asked)
    return _answer(await slack.act_in_home(asked["user"], *_used(asked)))


async def _act_in_modal(slack: Slack, asked: Json) -> Json:
    _type_in(_topmost(slack, asked), asked)
    return _answer(await slack.act_in_modal(asked["user"], *_used(asked)))


async def _submit(slack: Slack, asked: Json) -> Json:
    _type_in(_topmost(slack, asked), asked)
    submission = await slack.submit_view(asked["user"])
    trouble = "We had some trouble connecting. Try again?" if submission.problem else ""
    return {"errors": submission.errors, "problem": trouble and f"{trouble} ({submission.problem})"}


async def _close(slack: Slack, asked: Json) -> Json:
    return _answer(await slack.close_view(asked["user"], clear=asked.get("clear", False)))


async def _command(slack: Slack, asked: Json) -> Json:
    command, _, text = asked["text"].strip().partition(" ")
    said = await slack.command(asked["user"], command, text.strip(), asked.get("channel"))
    return _answer(said.reply)


_DEEDS: dict[str, Callable[[Slack, Json], Awaitable[Json]]] = {
    "open-home": _open_home,
    "press": _press,
    "act-in-home": _act_in_home,
    "act-in-modal": _act_in_modal,
    "submit": _submit,
    "close": _close,
    "command": _command,
}


def _used(asked: Json) -> tuple[str, Value, str | None]:
    return asked["action_id"], asked.get("value"), asked.get("block_id")


def _topmost(slack: Slack, asked: Json) -> View | None:
    return next(reversed(slack.world.modals.get(asked["user"], [])), None)


def _type_in(view: View | None, asked: Json) -> None:
    """Keep what stands in the fields but was not sent yet: Slack tells it with whatever is done next."""
    entered = asked.get("entered", {})
    for block, element in parts_of(view.blocks if view else []):
        value = entered.get(block["block_id"], {})
        if view and element.get("action_id") in value:
            view.input_states[block["block_id"], element["action_id"]] = state_of(element, value[element["action_id"]])


def _answer(reply: Reply | None) -> Json:
    if reply is None or 200 <= reply.status < 300:
        return {}
    return {"problem": _NO_ANSWER.get(reply.problem, f"The app answered with an error ({reply.status}).")}
