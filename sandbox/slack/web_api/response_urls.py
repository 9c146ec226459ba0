"""response_urls: where the app may answer a command or an interaction, five times in half an hour."""

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
USES = 5
LIVES = 30 * 60  # seconds


@dataclass
class ResponseUrl:
    """One such address: for whom it answers, and to which message. `answered` is set with the first good answer."""

    token: Token
    channel: Channel
    user: User
    at: float
    message: Message | None
    uses: int = 0
    posts: list[Message] = field(default_factory=list)
    answered: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class ResponseUrls:
    """Makes response_urls and serves them under /response/."""

    world: World
    open: dict[str, ResponseUrl] = field(default_factory=dict, repr=False)

    def add(self, token: Token, channel: Channel, user: User, message: Message | None = None) -> str:
        """The path of a new one."""
        secret = secrets.token_urlsafe(24)
        self.open[secret] = ResponseUrl(token, channel, user, self.world.now(), message)
        return f"/response/{user.team_id}/{secret}"

    def behind(self, path: str) -> ResponseUrl:
        return self.open[path.rpartition("/")[2]]

    async def handle(self, request: web.Request) -> web.Response:
        place = self.open.get(request.match_info["secret"])
        if place is None or self.world.now() - place.at > LIVES:
            return web.json_response({"ok": False, "error": "expired_url"}, status=404)
        if place.uses >= USES:
            return web.json_response({"ok": False, "error": "used_url"}, status=404)
        try:
            body = json.loads(await request.read())
        except ValueError:
            return web.json_response({"ok": False, "error": "invalid_payload"}, status=400)
        problem = self.say(place, body)
        if problem:
            return web.json_response({"ok": False, "error": problem}, status=400)
        place.uses += 1
        place.answered.set()
        return web.json_response({"ok": True})

    def say(self, place: ResponseUrl, body: Json) -> str | None:
        """Do what an answer says: a message only this person sees, one for all, or a change of the first one.

        Returns the error when it is not acceptable.
        """
        blocks = body.get("blocks")
        if blocks is not None and check_message(blocks):
            return "invalid_blocks"
        original = place.message
        if body.get("delete_original") and original is not None:
            self._forget(original)
        elif not body.get("text") and not blocks:
            return "no_text"
        elif body.get("replace_original") and original is not None:
            original.text, original.blocks = str(body.get("text", "")), _kept(blocks)
            place.posts.append(original)
        else:
            place.posts.append(self._post(place, body))
        self.world.touch()
        return None

    def _post(self, place: ResponseUrl, body: Json) -> Message:
        everyone = body.get("response_type") == "in_channel"
        message = Message(
            ts=self.world.new_ts(),
            channel_id=place.channel.id,
            team_id=place.channel.team_id,
            user=place.token.bot_user,
            bot_id=place.token.bot_id,
            text=str(body.get("text", "")),
            blocks=_kept(body.get("blocks")),
            ephemeral_to=None if everyone else place.user.id,
            arguments=body,
        )
        if everyone:
            place.channel.messages[message.ts] = message
        else:
            self.world.ephemerals.append(message)
        return message

    def _forget(self, message: Message) -> None:
        if message in self.world.ephemerals:
            self.world.ephemerals.remove(message)
        self.world.channels[message.channel_id].messages.pop(message.ts, None)


def _kept(blocks: list[Json] | None) -> list[Json] | None:
    return None if blocks is None else with_ids(blocks)
