"""What a person sees on the page, as JSON: people, conversations, messages, Home and the open modal. Pure."""

from collections.abc import Mapping

from sandbox.slack.shapes import message_json, view_json
from sandbox.slack.state import Channel, Json, User
from sandbox.slack.world import World

MAX_PEOPLE = 300
MAX_MESSAGES = 200

LastRead = Mapping[tuple[str, str], str]
"""The newest `ts` a person has seen in a conversation, by user id and channel id."""


def people(world: World, last_read: LastRead, team_id: str | None = None) -> list[Json]:
    """The people to sign in as, in `team_id` or in all workspaces, those with unread messages first."""
    dms = {channel.im_user: channel for channel in world.channels.values() if channel.is_im}
    rows = [
        {
            "id": user.id,
            "name": user.real_name,
            "title": user.title,
            "role": _role(user),
            "deleted": user.deleted,
            "team": world.teams[user.team_id].name,
            "unread": _unread(dms.get(user.id), user, last_read),
        }
        for user in world.users.values()
        if not user.bot_id and team_id in (None, user.team_id)
    ]
    return sorted(rows, key=lambda person: (person["unread"] == 0, person["deleted"]))[:MAX_PEOPLE]


def page_state(world: World, user: User, channel: Channel | None, last_read: LastRead) -> Json:
    """Everything on this person's page. `channel` is the open conversation; None on Home."""
    team, app, token = world.teams[user.team_id], world.app, world.active_token(user.team_id)
    home, stack = world.homes.get(user.id), world.modals.get(user.id, [])
    return {
        "version": world.version,
        "team": team.name,
        "me": user.id,
        "tz": user.tz,
        "people": people(world, last_read, team.id),
        "app": {
            "name": app.name,
            "bot": token.bot_user if token else None,
            "home": app.home_tab_enabled,
            "messages": app.messages_tab_enabled,
            "commands": sorted(app.commands or ()),
        },
        "channels": [_channel_json(conversation, user, last_read) for conversation in conversations(world, user)],
        "open": channel.id if channel else None,
        "messages": _messages(world, user, channel) if channel else [],
        "home": view_json(home, app) if home else None,
        "modal": view_json(stack[-1], app) if stack else None,
        "modals": len(stack),
    }


def conversations(world: World, user: User) -> list[Channel]:
    """The channels this person can see, by name, followed by the direct message with the app."""
    token = world.active_token(user.team_id)
    bot = token.bot_user if token else None
    visible = [
        channel
        for channel in world.channels.values()
        if channel.team_id == user.team_id and _can_read(user, channel, bot)
    ]
    return sorted(visible, key=lambda channel: (channel.is_im, channel.name))


def _can_read(user: User, channel: Channel, bot: str | None) -> bool:
    if channel.is_im:
        return channel.im_user == user.id and bot in channel.members
    return user.id in channel.members or not (channel.is_private or user.is_restricted or user.is_ultra_restricted)


def _messages(world: World, user: User, channel: Channel) -> list[Json]:
    private = [m for m in world.ephemerals if m.channel_id == channel.id and m.ephemeral_to == user.id]
    messages = sorted([*channel.messages.values(), *private], key=lambda message: message.ts)
    return [
        message_json(message, world.app, with_metadata=False) | {"only_you": message.ephemeral_to is not None}
        for message in messages[-MAX_MESSAGES:]
    ]


def _channel_json(channel: Channel, user: User, last_read: LastRead) -> Json:
    return {
        "id": channel.id,
        "name": channel.name,
        "kind": "im" if channel.is_im else "private" if channel.is_private else "public",
        "shared": channel.is_ext_shared,
        "archived": channel.is_archived,
        "unread": _unread(channel, user, last_read),
    }


def _unread(channel: Channel | None, user: User, last_read: LastRead) -> int:
    if channel is None:
        return 0
    newest_read = last_read.get((user.id, channel.id), "")
    return sum(ts > newest_read for ts in channel.messages)


def _role(user: User) -> str:
    roles = {
        "deactivated": user.deleted,
        "guest": user.is_restricted or user.is_ultra_restricted,
        "external": user.is_stranger,
        "owner": user.is_owner or user.is_primary_owner,
        "admin": user.is_admin,
    }
    return next((name for name, has_role in roles.items() if has_role), "")
