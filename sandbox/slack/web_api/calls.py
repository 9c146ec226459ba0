"""Call: the arguments of a Web API call, what its token may access, and the errors it can end with."""

import json
from dataclasses import dataclass, field
from typing import Any

from sandbox.slack.state import Channel, Json, Team, Token, User
from sandbox.slack.web_api.limits import Limits
from sandbox.slack.world import World


class ApiError(Exception):
    """Ends a call with `"ok": false`. `extra` are further fields of the response; `retry_after` makes it a 429."""

    def __init__(self, error: str, *, retry_after: int | None = None, **extra: object) -> None:
        super().__init__(error)
        self.error = error
        self.retry_after = retry_after
        self.extra = extra


def invalid_arguments(*messages: str) -> ApiError:
    """https://docs.slack.dev/apis/web-api/#responses"""
    return ApiError("invalid_arguments", response_metadata={"messages": [f"[ERROR] {message}" for message in messages]})


@dataclass(slots=True)
class CallRecord:
    """A recorded call, for tests.

    `arguments` has no tokens or secrets. `at` is in seconds. `status` is 0 if the connection was dropped.
    """

    method: str
    team_id: str | None
    arguments: Json
    at: float
    status: int
    error: str | None


@dataclass(slots=True)
class AppEvent:
    """An event to send to the app; `token` is the installation it is for."""

    token: Token
    team_id: str
    event: Json


@dataclass(slots=True)
class Call:
    """A call in progress. `token` is None only for methods that need none.

    `basic` is the user and password of HTTP Basic. `bearer` is the bearer credential, valid or not.
    """

    world: World
    limits: Limits
    arguments: Json
    token: Token | None = None
    basic: tuple[str, str] | None = None
    bearer: str = field(default="", repr=False)
    events: list[AppEvent] = field(default_factory=list)

    @property
    def bot(self) -> Token:
        if self.token is None:
            raise ApiError("not_authed")
        return self.token

    def text(self, name: str) -> str:
        """The argument as text; empty if it is missing."""
        value = self.arguments.get(name)
        return "" if value is None else str(value)

    def required(self, name: str) -> str:
        value = self.text(name)
        if not value:
            raise invalid_arguments(f"missing required field: {name}")
        return value

    def flag(self, name: str) -> bool:
        return self.arguments.get(name) in (True, 1, "1", "true", "True")

    def json(self, name: str, error: str) -> Any:
        """An argument that is JSON or a form field with JSON. `error` is Slack's error for invalid JSON."""
        value = self.arguments.get(name)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value) if value else None
        except ValueError:
            raise ApiError(error) from None

    def require_scope(self, *scopes: str) -> None:
        """Raise `missing_scope` unless one of these scopes is granted."""
        if not self.bot.scopes.intersection(scopes):
            raise ApiError("missing_scope", needed=",".join(scopes), provided=",".join(sorted(self.bot.scopes)))

    def team(self) -> Team:
        """The token's workspace. Calls with an org-wide token must name it in `team_id`.

        `team_access_not_granted` is the answer for a workspace to which the app was not added:
        https://github.com/slackapi/bolt-js/issues/998
        """
        if self.bot.team_id:
            return self.world.teams[self.bot.team_id]
        if not self.text("team_id"):
            raise ApiError("missing_argument")
        if self.text("team_id") not in self.bot.added_to:
            raise ApiError("team_access_not_granted")
        return self.world.teams[self.text("team_id")]

    def can_access_team(self, team_id: str) -> bool:
        """Whether this is the token's workspace, or one of its organization to which the app was added."""
        return team_id == self.bot.team_id or team_id in self.bot.added_to

    def can_see_user(self, user: User) -> bool:
        """Whether the token's workspaces have this member, or share a channel with them (Slack Connect)."""
        return any(map(self.can_access_team, user.teams)) or any(
            user.id in channel.members and channel.is_ext_shared and self.can_access_team(channel.team_id)
            for channel in self.world.channels.values()
        )

    def user(self, name: str = "user") -> User:
        user = self.world.users.get(self.required(name))
        if user is None or not self.can_see_user(user):
            raise ApiError("user_not_found")
        return user

    def channel(self, name: str = "channel") -> Channel:
        """A conversation that the bot can see: a public one, or one it is a member of."""
        channel = self.world.channels.get(self.required(name))
        if channel is None or not self.can_see(channel):
            raise ApiError("channel_not_found")
        if channel.is_im or self.can_access_team(channel.team_id):  # a direct message belongs to no workspace
            return channel
        is_in_org = self.world.teams[channel.team_id].enterprise_id == self.bot.enterprise_id
        not_granted = self.bot.is_enterprise_install and is_in_org
        raise ApiError("team_access_not_granted" if not_granted else "channel_not_found")

    def can_see(self, channel: Channel) -> bool:
        return (not channel.is_private and not channel.is_im) or self.bot.bot_user in channel.members
