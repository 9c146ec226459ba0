"""response_urls, where the app may respond to a command or interaction: five times within half an hour."""

import asyncio
import json
import secrets
from dataclasses import dataclass, field

from aiohttp import web

from sandbox.slack.block_kit.blocks import check_message
from sandbox.slack.block_kit.parts import with_ids
from sandbox.slack.state import Channel, Json, Message, Token, User
from sandbox.slack.world import World

# https://docs.slack.dev/interactivity/handling-user-interaction#message_responses
MAX_USES = 5
LIFETIME = 30 * 60  # seconds


@dataclass
class ResponseUrl:
    """The URL's user and channel, and the `message` that was used, if any.

    `posts` are the messages sent to it. `answered` is set on the first valid one.
    """

    token: Token
    channel: Channel
    user: User
    created_at: float
    message: Message | None
    uses: int = 0
    posts: list[Message] = field(default_factory=list)
    answered: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class ResponseUrls:
    """Creates response_urls and serves them under /response/."""

    world: World
    by_secret: dict[str, ResponseUrl] = field(default_factory=dict, repr=False)

    def add(self, token: Token, channel: Channel, user: User, message: Message | None = None) -> str:
        """Create a response_url and return its path."""
        secret = secrets.token_urlsafe(24)
        self.by_secret[secret] = ResponseUrl(token, channel, user, self.world.now(), message)
        return f"/response/{user.team_id}/{secret}"

    def at(self, path: str) -> ResponseUrl:
        return self.by_secret[path.rpartition("/")[2]]

    async def handle(self, request: web.Request) -> web.Response:
        response_url = self.by_secret.get(request.match_info["secret"])
        if response_url is None or self.world.now() - response_url.created_at > LIFETIME:
            return web.json_response({"ok": False, "error": "expired_url"}, status=404)
        if response_url.uses >= MAX_USES:
            return web.json_response({"ok": False, "error": "used_url"}, status=404)
        try:
            body = json.loads(await request.read())
        except ValueError:
            return web.json_response({"ok": False, "error": "invalid_payload"}, status=400)
        error = self.post(response_url, body)
        if error:
            return web.json_response({"ok": False, "error": error}, status=400)
        response_url.uses += 1
        response_url.answered.set()
        return web.json_response({"ok": True})

    def post(self, response_url: ResponseUrl, body: Json) -> str | None:
        """Post a message, or replace or delete the original one. Returns Slack's error; None means success."""
        blocks = body.get("blocks")
        if blocks is not None and check_message(blocks):
            return "invalid_blocks"
        original = response_url.message
        if body.get("delete_original") and original is not None:
            if original in self.world.ephemerals:
                self.world.ephemerals.remove(original)
            self.world.channels[original.channel_id].messages.pop(original.ts, None)
        elif not body.get("text") and not blocks:
            return "no_text"
        elif body.get("replace_original") and original is not None:
            original.text = str(body.get("text", ""))
            original.blocks = None if blocks is None else with_ids(blocks)
            response_url.posts.append(original)
        else:
            response_url.posts.append(self._new_message(response_url, body))
        self.world.touch()
        return None

    def _new_message(self, response_url: ResponseUrl, body: Json) -> Message:
        in_channel = body.get("response_type") == "in_channel"
        blocks = body.get("blocks")
        message = Message(
            ts=self.world.new_ts(),
            channel_id=response_url.channel.id,
            team_id=response_url.channel.team_id,
            user=response_url.token.bot_user,
            bot_id=response_url.token.bot_id,
            text=str(body.get("text", "")),
            blocks=None if blocks is None else with_ids(blocks),
            ephemeral_to=None if in_channel else response_url.user.id,
            arguments=body,
        )
        if in_channel:
            response_url.channel.messages[message.ts] = message
        else:
            self.world.ephemerals.append(message)
        return message
