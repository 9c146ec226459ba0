"""The routes of the page: sign in as anyone, read messages, use buttons and dialogs, type commands.

Serve it with the sandbox: `slack.serving(port, page.routes(slack))`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import urlencode

from aiohttp import web

from sandbox.slack.block_kit.inputs import Value, elements_in, state_of
from sandbox.slack.modals import Submission
from sandbox.slack.outgoing.app_client import Reply
from sandbox.slack.page.page_state import conversations, page_state, people
from sandbox.slack.state import Channel, Json, View
from sandbox.slack.user_actions import CommandReply
from sandbox.slack.world import World

STATIC = Path(__file__).with_name("static")
# Only the page's own scripts and styles run, even if a name contains markup.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' https: data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_NO_RESPONSE = {
    "http_timeout": "The app did not answer within three seconds.",
    "connection_failed": "The app is not running or cannot be reached.",
}


class Slack(Protocol):
    """The part of SlackSandbox that the page uses."""

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
    """The page at `/`, its scripts and requests, and the permalinks, which redirect to it."""
    page = Page(slack)
    return [
        web.get("/", page.show),
        web.get("/archives/{channel}/{message}", page.follow_permalink),
        web.get("/page/people", page.people),
        web.get("/page/state", page.state),
        web.post("/page/{action}", page.act),
        web.static("/static", STATIC),
    ]


@dataclass
class Page:
    """Serves the page. `last_read` is the newest `ts` seen, by user id and channel id, for the unread counts."""

    slack: Slack
    last_read: dict[tuple[str, str], str] = field(default_factory=dict)

    async def show(self, _request: web.Request) -> web.StreamResponse:
        return web.FileResponse(STATIC / "page.html", headers={"Content-Security-Policy": _POLICY})

    async def follow_permalink(self, request: web.Request) -> web.StreamResponse:
        """Redirect `/archives/C1/p1700000000000100`, the form of `chat.getPermalink`, to the page."""
        channel = self.slack.world.channels.get(request.match_info["channel"])
        digits = request.match_info["message"].removeprefix("p")
        if channel is None or not digits.isdecimal():
            raise web.HTTPNotFound(text="Message not found.")
        query = {"channel": channel.id, "ts": f"{digits[:-6]}.{digits[-6:]}"}
        reader = channel.im_user or self._reader(channel)
        if reader:
            query["user"] = reader
        raise web.HTTPFound(f"/?{urlencode(query)}")

    def _reader(self, channel: Channel) -> str | None:
        """The id of a person who can read the channel, preferably one who has signed in before."""
        users = [user for user in self.slack.world.users.values() if user.team_id == channel.team_id]
        active = [user for user in users if not (user.bot_id or user.deleted)]
        readers = [user for user in active if not channel.is_private or user.id in channel.members]
        signed_in = {user_id for user_id, _ in self.last_read}
        return next((user.id for user in sorted(readers, key=lambda user: user.id not in signed_in)), None)

    async def people(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response({"people": people(self.slack.world, self.last_read)})

    async def state(self, request: web.Request) -> web.StreamResponse:
        """What `user` sees with `channel` open; 204 if nothing has changed since `version`."""
        world, query = self.slack.world, request.query
        user = world.users.get(query.get("user", ""))
        if user is None or user.bot_id:
            raise web.HTTPNotFound(text="Person not found.")
        channel_id = query.get("channel")
        channel = next((channel for channel in conversations(world, user) if channel.id == channel_id), None)
        if query.get("version") == str(world.version):
            return web.Response(status=204)
        if channel and channel.messages:
            self.last_read[user.id, channel.id] = max(channel.messages)
        return web.json_response(page_state(world, user, channel, self.last_read))

    async def act(self, request: web.Request) -> web.StreamResponse:
        """Perform an action of a person. Requires JSON, which pages of other origins cannot send without CORS."""
        action = _ACTIONS.get(request.match_info["action"])
        if action is None or request.content_type != "application/json":
            raise web.HTTPNotFound
        try:
            result = await action(self.slack, await request.json())
        except (LookupError, RuntimeError) as error:
            result = {"problem": str(error.args[0])}
        except TimeoutError:
            result = {"problem": _NO_RESPONSE["http_timeout"]}
        return web.json_response(result)


async def _open_home(slack: Slack, details: Json) -> Json:
    await slack.open_home(details["user"], details.get("tab", "home"))
    return {}


async def _press(slack: Slack, details: Json) -> Json:
    return _result(await slack.press(details["user"], details["channel"], details["ts"], *_element(details)))


async def _act_in_home(slack: Slack, details: Json) -> Json:
    _store_values(slack.world.homes.get(details["user"]), details)
    return _result(await slack.act_in_home(details["user"], *_element(details)))


async def _act_in_modal(slack: Slack, details: Json) -> Json:
    _store_values(_top_modal(slack, details), details)
    return _result(await slack.act_in_modal(details["user"], *_element(details)))


async def _submit(slack: Slack, details: Json) -> Json:
    _store_values(_top_modal(slack, details), details)
    submission = await slack.submit_view(details["user"])
    trouble = "We had some trouble connecting. Try again?" if submission.problem else ""
    return {"errors": submission.errors, "problem": trouble and f"{trouble} ({submission.problem})"}


async def _close(slack: Slack, details: Json) -> Json:
    return _result(await slack.close_view(details["user"], clear=details.get("clear", False)))


async def _command(slack: Slack, details: Json) -> Json:
    command, _, text = details["text"].strip().partition(" ")
    response = await slack.command(details["user"], command, text.strip(), details.get("channel"))
    return _result(response.reply)


_ACTIONS: dict[str, Callable[[Slack, Json], Awaitable[Json]]] = {
    "open-home": _open_home,
    "press": _press,
    "act-in-home": _act_in_home,
    "act-in-modal": _act_in_modal,
    "submit": _submit,
    "close": _close,
    "command": _command,
}


def _element(details: Json) -> tuple[str, Value, str | None]:
    return details["action_id"], details.get("value"), details.get("block_id")


def _top_modal(slack: Slack, details: Json) -> View | None:
    return next(reversed(slack.world.modals.get(details["user"], [])), None)


def _store_values(view: View | None, details: Json) -> None:
    """Store the values entered so far: Slack sends them with the next action."""
    entered = details.get("entered", {})
    for block, element in elements_in(view.blocks if view else []):
        values = entered.get(block["block_id"], {})
        if view and element.get("action_id") in values:
            state = state_of(element, values[element["action_id"]])
            view.input_states[block["block_id"], element["action_id"]] = state


def _result(reply: Reply | None) -> Json:
    if reply is None or 200 <= reply.status < 300:
        return {}
    return {"problem": _NO_RESPONSE.get(reply.problem, f"The app answered with an error ({reply.status}).")}
