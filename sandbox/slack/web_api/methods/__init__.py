"""The methods of the Web API, each with what Slack's reference says of it."""

from collections.abc import Callable
from dataclasses import dataclass

from sandbox.slack.state import Json
from sandbox.slack.web_api.calls import Call
from sandbox.slack.web_api.facts import FACTS, MethodFacts
from sandbox.slack.web_api.methods import auth, chat, conversations, directory, views


@dataclass(frozen=True)
class Method:
    """How the sandbox runs a method; what Slack's reference says of it is in `facts`.

    With `scope_by_channel` the scope depends on the type of channel, so that the method checks it by itself.
    """

    run: Callable[[Call], Json]
    facts: MethodFacts
    needs_token: bool = True
    scope_by_channel: bool = False

    @property
    def tier(self) -> int | str:
        return self.facts.tier

    @property
    def scopes(self) -> tuple[str, ...]:
        """The alternatives of which the token needs one."""
        return () if self.scope_by_channel else self.facts.scopes


# The pages of these two are not among the recorded ones.
_API_TEST, _USERS_CONVERSATIONS = MethodFacts("api.test", 4), MethodFacts("users.conversations", 3)

METHODS: dict[str, Method] = {
    "api.test": Method(auth.api_test, _API_TEST, needs_token=False),
    "auth.test": Method(auth.test, FACTS["auth.test"]),
    "auth.teams.list": Method(auth.list_teams, FACTS["auth.teams.list"]),
    "auth.revoke": Method(auth.revoke, FACTS["auth.revoke"]),
    "apps.uninstall": Method(auth.uninstall, FACTS["apps.uninstall"]),
    "oauth.v2.access": Method(auth.oauth_access, FACTS["oauth.v2.access"], needs_token=False),
    "chat.postMessage": Method(chat.post_message, FACTS["chat.postMessage"]),
    "chat.postEphemeral": Method(chat.post_ephemeral, FACTS["chat.postEphemeral"]),
    "chat.update": Method(chat.update, FACTS["chat.update"]),
    "chat.getPermalink": Method(chat.get_permalink, FACTS["chat.getPermalink"]),
    "conversations.list": Method(conversations.list_all, FACTS["conversations.list"], scope_by_channel=True),
    "conversations.info": Method(conversations.info, FACTS["conversations.info"], scope_by_channel=True),
    "conversations.members": Method(conversations.members, FACTS["conversations.members"], scope_by_channel=True),
    "conversations.open": Method(conversations.open_dm, FACTS["conversations.open"]),
    "conversations.join": Method(conversations.join, FACTS["conversations.join"]),
    "conversations.history": Method(conversations.history, FACTS["conversations.history"], scope_by_channel=True),
    "conversations.replies": Method(conversations.replies, FACTS["conversations.replies"], scope_by_channel=True),
    "users.conversations": Method(conversations.list_mine, _USERS_CONVERSATIONS, scope_by_channel=True),
    "users.info": Method(directory.info, FACTS["users.info"]),
    "users.list": Method(directory.list_all, FACTS["users.list"]),
    "users.lookupByEmail": Method(directory.lookup_by_email, FACTS["users.lookupByEmail"]),
    "usergroups.list": Method(directory.usergroups, FACTS["usergroups.list"]),
    "usergroups.users.list": Method(directory.usergroup_users, FACTS["usergroups.users.list"]),
    "team.info": Method(directory.team_info, FACTS["team.info"]),
    "bots.info": Method(directory.bot_info, FACTS["bots.info"]),
    "views.publish": Method(views.publish, FACTS["views.publish"]),
    "views.open": Method(views.open_modal, FACTS["views.open"]),
    "views.update": Method(views.update, FACTS["views.update"]),
    "views.push": Method(views.push, FACTS["views.push"]),
}
