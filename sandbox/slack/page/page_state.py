"""What one person sees in the browser, as JSON: people, conversations, messages, Home, the modal. Pure."""

from collections.abc import Iterable, Mapping

from sandbox.slack.block_kit.inputs import values_of
from sandbox.slack.shapes import message_json, view_json
from sandbox.slack.state import Channel, Json, Message, User, View
from sandbox.slack.world import World

MOST_PEOPLE = 300
MOST_MESSAGES = 200

Read = Mapping[tuple[str, str], str]
"""The newest `ts` that a person has seen in a conversation."""


def people(world: World, read: Read, team_id: str | None = None) -> list[Json]:
    """Everybody one can be, in `team_id` or anywhere, those with unread messages from the app first."""
    dms = {channel.im_user: channel for channel in world.channels.values() if channel.is_im}
    shown = [
        {
            "id": user.id,
            "name": user.real_name,
            "title": user.title,
            "role": _role(user),
            "deleted": user.deleted,
            "team": world.teams[user.team_id].name,
            "unread": _unread(dms.get(user.id), user, read),
        }
        for user in world.users.values()
        if not user.bot_id and team_id in (None, user.team_id)
    ]
    return sorted(shown, key=lambda person: (person["unread"] == 0, person["deleted"]))[:MOST_PEOPLE]


def page(world: World, user: User, channel: Channel | None, read: Read) -> Json:
    """All that this person's page shows; `channel` is the open conversation, None on Home."""
    team, app, token = world.teams[user.team_id], world.app, world.active_token(user.team_id)
    stack = world.modals.get(user.id, [])
    return {
        "version": world.version,
        "team": team.name,
        "me": user.id,
        "people": people(world, read, team.id),
        "app": {
            "name": app.name,
            "bot": token.bot_user if token else None,
            "home": app.home_tab_enabled,
            "messages": app.messages_tab_enabled,
            "commands": sorted(app.commands or ()),
        },
        "channels": [_channel(place, user, read) for place in conversations(world, user)],
        "open": channel.id if channel else None,
        "messages": [_message(world, message) for message in _messages(world, user, channel)] if channel else [],
        "home": _view(world, world.homes.get(user.id)),
        "modal": _view(world, stack[-1] if stack else None),
        "modals": len(stack),
    }


def conversations(world: World, user: User) -> list[Channel]:
    """The channels this person can see, by name, and last the app's direct message if there is one."""
    token = world.active_token(user.team_id)
    bot = token.bot_user if token else None
    seen = [
        channel for channel in world.channels.values() if channel.team_id == user.team_id and _reads(user, channel, bot)
    ]
    return sorted(seen, key=lambda channel: (channel.is_im, channel.name))


def _reads(user: User, channel: Channel, bot: str | None) -> bool:
    if channel.is_im:
        return channel.im_user == user.id and bot in channel.members
    return user.id in channel.members or not (channel.is_private or user.is_restricted or user.is_ultra_restricted)


def _messages(world: World, user: User, channel: Channel) -> list[Message]:
    private = [m for m in world.ephemerals if m.channel_id == channel.id and m.ephemeral_to == user.id]
    return sorted([*channel.messages.values(), *private], key=lambda message: message.ts)[-MOST_MESSAGES:]


def _message(world: World, message: Message) -> Json:
    shape = message_json(message, world.app, with_metadata=False)
    return shape | {"only_you": message.ephemeral_to is not None}


def _channel(channel: Channel, user: User, read: Read) -> Json:
    return {
        "id": channel.id,
        "name": channel.name,
        "kind": "im" if channel.is_im else "private" if channel.is_private else "public",
        "shared": channel.is_ext_shared,
        "archived": channel.is_archived,
        "unread": _unread(channel, user, read),
    }


def _unread(channel: Channel | None, user: User, read: Read) -> int:
    return _newer(channel.messages, read.get((user.id, channel.id), "")) if channel else 0


def _newer(timestamps: Iterable[str], seen: str) -> int:
    return sum(ts > seen for ts in timestamps)


def _view(world: World, view: View | None) -> Json | None:
    return view_json(view, world.app, values_of(view.blocks, view.input_states)) if view else None


def _role(user: User) -> str:
    roles = {
        "deactivated": user.deleted,
        "guest": user.is_restricted or user.is_ultra_restricted,
        "external": user.is_stranger,
        "owner": user.is_owner or user.is_primary_owner,
        "admin": user.is_admin,
    }
    return next((name for name, holds in roles.items() if holds), "")
