"""conversations.* and users.conversations: channels, direct messages and their history."""

from sandbox.slack.shapes import channel_json, message_json
from sandbox.slack.state import Channel, Json, Message
from sandbox.slack.web_api.calls import ApiError, Call, invalid_arguments
from sandbox.slack.web_api.paging import page

_KINDS = {"public_channel": "channels", "private_channel": "groups", "im": "im", "mpim": "mpim"}


def list_all(call: Call) -> Json:
    """https://docs.slack.dev/reference/methods/conversations.list"""
    kinds = _kinds(call)
    team = call.team()
    channels = [call.world.channels[channel_id] for channel_id in team.channels]
    if "im" in kinds:
        channels += [c for c in call.world.channels.values() if c.is_im and team.id in call.world.teams_of(c)]
    return _list_page(call, [c for c in channels if c.kind in kinds and call.can_see(c)])


def list_mine(call: Call) -> Json:
    """https://docs.slack.dev/reference/methods/users.conversations of the bot or `user`."""
    kinds = _kinds(call)
    team = call.team()
    user = call.user().id if call.text("user") else call.bot.bot_user
    channels = [
        channel
        for channel in call.world.channels.values()
        if channel.team_id == team.id and channel.kind in kinds and user in channel.members and call.can_see(channel)
    ]
    return _list_page(call, channels)


def _kinds(call: Call) -> set[str]:
    types = (call.text("types") or "public_channel").split(",")
    kinds = {_KINDS.get(name.strip(), "") for name in types}
    if "" in kinds:
        raise ApiError("invalid_types")
    for kind in sorted(kinds):
        call.require_scope(f"{kind}:read")
    return kinds


def _list_page(call: Call, channels: list[Channel]) -> Json:
    shown, cursor = page(call, channels, default=100)
    # Slack removes archived channels after it has cut the page, so a page with a next cursor may be short or empty.
    # The documentation of `limit` says: "Fewer than the requested number of items may be returned, even if the end of
    # the list hasn't been reached."
    if call.flag("exclude_archived"):
        shown = [channel for channel in shown if not channel.is_archived]
    return {
        "ok": True,
        "channels": [channel_json(channel, call.bot.bot_user) for channel in shown],
        "response_metadata": {"next_cursor": cursor},
    }


def info(call: Call) -> Json:
    """https://docs.slack.dev/reference/methods/conversations.info"""
    channel = _readable(call, "read")
    return {"ok": True, "channel": channel_json(channel, call.bot.bot_user)}


def members(call: Call) -> Json:
    """https://docs.slack.dev/reference/methods/conversations.members"""
    channel = _readable(call, "read")
    shown, cursor = page(call, list(channel.members), default=100)
    return {"ok": True, "members": list(shown), "response_metadata": {"next_cursor": cursor}}


def join(call: Call) -> Json:
    """https://docs.slack.dev/reference/methods/conversations.join"""
    channel = call.channel()
    if channel.is_private or channel.is_im:
        raise ApiError("method_not_supported_for_channel_type")
    if channel.is_archived:
        raise ApiError("is_archived")
    channel.members[call.bot.bot_user] = None
    call.world.touch()
    return {"ok": True, "channel": channel_json(channel, call.bot.bot_user)}


def open_dm(call: Call) -> Json:
    """https://docs.slack.dev/reference/methods/conversations.open, for direct messages with one person."""
    if call.text("channel"):
        channel = call.channel()
        if not channel.is_im:
            raise ApiError("method_not_supported_for_channel_type")
    else:
        channel = _dm_with(call)
    shape = channel_json(channel, call.bot.bot_user) if call.flag("return_im") else {"id": channel.id}
    return {"ok": True, "channel": shape}


def _dm_with(call: Call) -> Channel:
    users = [user for user in call.text("users").split(",") if user]
    if not users:
        raise ApiError("users_list_not_supplied")
    if len(users) > 1:
        raise invalid_arguments("the sandbox opens direct messages with one person only")
    call.require_scope("im:write")
    user = call.world.users.get(users[0])
    if user is None or not call.can_see_user(user):
        raise ApiError("user_not_found")
    if user.bot_id:
        raise ApiError("cannot_dm_bot")
    if user.deleted:
        raise ApiError("user_disabled")
    return call.world.open_dm(call.bot, user)


def history(call: Call) -> Json:
    """https://docs.slack.dev/reference/methods/conversations.history: newest first."""
    channel = _readable(call, "history")
    if call.bot.bot_user not in channel.members:
        raise ApiError("not_in_channel")
    in_channel = [message for message in channel.messages.values() if message.thread_ts in (None, message.ts)]
    return _messages(call, [message for message in reversed(in_channel) if _matches(call, message)], default=100)


def replies(call: Call) -> Json:
    """https://docs.slack.dev/reference/methods/conversations.replies: the message itself, then its replies in order."""
    channel = _readable(call, "history")
    if call.bot.bot_user not in channel.members or call.text("ts") not in channel.messages:
        raise ApiError("thread_not_found")
    ts = call.text("ts")
    thread = [message for message in channel.messages.values() if ts in (message.ts, message.thread_ts)]
    return _messages(call, [message for message in thread if message.ts == ts or _matches(call, message)], default=999)


def _messages(call: Call, messages: list[Message], default: int) -> Json:
    size = 15 if call.world.app.has_short_history else 999
    shown, cursor = page(call, messages, default=min(default, size), clamp=size)
    with_metadata = call.flag("include_all_metadata")
    answer: Json = {
        "ok": True,
        "messages": [message_json(message, call.world.app, with_metadata=with_metadata) for message in shown],
        "has_more": bool(cursor),
        "pin_count": 0,
    }
    return answer | {"response_metadata": {"next_cursor": cursor}} if cursor else answer


def _matches(call: Call, message: Message) -> bool:
    ts = float(message.ts)
    oldest, latest = _bound(call, "oldest", "invalid_ts_oldest"), _bound(call, "latest", "invalid_ts_latest")
    if call.flag("inclusive"):
        return (oldest is None or ts >= oldest) and (latest is None or ts <= latest)
    return (oldest is None or ts > oldest) and (latest is None or ts < latest)


def _bound(call: Call, name: str, error: str) -> float | None:
    try:
        return float(call.text(name)) if call.text(name) else None
    except ValueError:
        raise ApiError(error) from None


def _readable(call: Call, verb: str) -> Channel:
    """The channel, if the token has the scope for its type. A hidden channel is `channel_not_found` in any case."""
    if not any(scope.endswith(f":{verb}") and scope.split(":")[0] in _KINDS.values() for scope in call.bot.scopes):
        call.require_scope(*(f"{kind}:{verb}" for kind in _KINDS.values()))
    channel = call.channel()
    call.require_scope(f"{channel.kind}:{verb}")
    return channel
