"""The methods of the Web API, each with its rate-limit tier and required scopes."""

from collections.abc import Callable
from dataclasses import dataclass

from sandbox.slack.state import Json
from sandbox.slack.web_api.calls import Call
from sandbox.slack.web_api.methods import auth, chat, conversations, directory, views


@dataclass(frozen=True)
class Method:
    """`scopes` lists alternatives. It is empty for methods that need no scope, or that check it by type of channel."""

    run: Callable[[Call], Json]
    tier: int | str
    scopes: tuple[str, ...] = ()
    needs_token: bool = True


# Tiers and scopes: the "Facts" of each page under https://docs.slack.dev/reference/methods
METHODS: dict[str, Method] = {
    "api.test": Method(auth.api_test, 4, needs_token=False),
    "auth.test": Method(auth.test, "special"),
    "auth.revoke": Method(auth.revoke, 3),
    "apps.uninstall": Method(auth.uninstall, 1),
    "oauth.v2.access": Method(auth.oauth_access, "special", needs_token=False),
    "chat.postMessage": Method(chat.post_message, "special", ("chat:write",)),
    "chat.postEphemeral": Method(chat.post_ephemeral, 4, ("chat:write",)),
    "chat.update": Method(chat.update, 3, ("chat:write",)),
    "chat.getPermalink": Method(chat.get_permalink, "special"),
    "conversations.list": Method(conversations.list_all, 2),
    "conversations.info": Method(conversations.info, 3),
    "conversations.members": Method(conversations.members, 4),
    "conversations.open": Method(
        conversations.open_dm, 3, ("im:write", "mpim:write", "groups:write", "channels:manage")
    ),
    "conversations.join": Method(conversations.join, 3, ("channels:join",)),
    "conversations.history": Method(conversations.history, 3),
    "users.conversations": Method(conversations.list_mine, 3),
    "users.info": Method(directory.info, 4, ("users:read",)),
    "users.list": Method(directory.list_all, 2, ("users:read",)),
    "users.lookupByEmail": Method(directory.lookup_by_email, 3, ("users:read.email",)),
    "usergroups.list": Method(directory.usergroups, 2, ("usergroups:read",)),
    "usergroups.users.list": Method(directory.usergroup_users, 2, ("usergroups:read",)),
    "team.info": Method(directory.team_info, 3, ("team:read",)),
    "bots.info": Method(directory.bot_info, 3, ("users:read",)),
    "views.publish": Method(views.publish, 4),
    "views.open": Method(views.open_modal, 4),
    "views.update": Method(views.update, 4),
    "views.push": Method(views.push, 4),
}
