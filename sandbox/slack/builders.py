"""Builders that add teams, members, channels and user groups to the sandbox."""

from collections.abc import Iterable
from typing import TypedDict, Unpack

from sandbox.slack.state import Channel, Team, User, UserGroup
from sandbox.slack.world import World


class Flags(TypedDict, total=False):
    """Optional fields of a member, named as in Slack's user object."""

    is_admin: bool
    is_owner: bool
    is_primary_owner: bool
    is_restricted: bool
    is_ultra_restricted: bool
    is_stranger: bool
    deleted: bool
    bot_id: str
    title: str
    tz: str
    is_org_admin: bool
    is_org_owner: bool


class Builders:
    """These change the state without sending the app an event; changes.py has the methods that send one."""

    world: World

    def add_team(
        self,
        name: str = "Acme",
        *,
        team_id: str | None = None,
        enterprise_id: str | None = None,
        enterprise_name: str = "",
    ) -> Team:
        """A workspace. With `enterprise_id` it belongs to that Enterprise Grid organization."""
        domain = "".join(letter for letter in name.lower() if letter.isalnum()) or "workspace"
        enterprise_name = enterprise_name or enterprise_id or ""
        team = Team(team_id or self.world.new_id("T"), name, domain, enterprise_id, enterprise_name)
        self.world.teams[team.id] = team
        return team

    def add_user(
        self,
        team: Team | str,
        name: str,
        email: str | None = None,
        *,
        user_id: str | None = None,
        more_teams: Iterable[Team] = (),
        **flags: Unpack[Flags],
    ) -> User:
        """A member with a full `name`, such as "Dana Reyes". With `bot_id` it is the bot user of another app.

        `more_teams` are other workspaces of the same organization that the person is a member of.
        """
        workspace = self._team(team)
        handle = ".".join(name.lower().split())
        user_id = user_id or self.world.new_id("U")
        user = User(user_id, workspace.id, handle, name, email, updated=int(self.world.now()), **flags)
        user.more_teams = [other.id for other in more_teams]
        self.world.save_user(user)
        return user

    def add_channel(
        self,
        team: Team | str,
        name: str,
        *,
        channel_id: str | None = None,
        is_private: bool = False,
        is_archived: bool = False,
        is_ext_shared: bool = False,
        is_member: bool = False,
        members: Iterable[str] = (),
    ) -> Channel:
        """A channel. `is_member` adds the app's bot, so the app must already be installed. Raises LookupError."""
        workspace = self._team(team)
        channel = Channel(
            channel_id or self.world.new_id("C"), workspace.id, name, is_private, is_archived, is_ext_shared
        )
        channel.created = int(self.world.now())
        channel.members.update(dict.fromkeys(members))
        if is_member:
            token = self.world.active_token(workspace.id)
            if token is None:
                raise LookupError(f"the app is not installed in {workspace.id}, so its bot cannot join #{name}")
            channel.members[token.bot_user] = None
        self.world.channels[channel.id] = channel
        workspace.channels.append(channel.id)
        self.world.touch()
        return channel

    def add_usergroup(self, team: Team | str, handle: str, users: Iterable[str] = ()) -> UserGroup:
        workspace = self._team(team)
        group = UserGroup(self.world.new_id("S"), workspace.id, handle, handle.title(), list(users))
        workspace.usergroups[group.id] = group
        return group

    def _team(self, team: Team | str) -> Team:
        return team if isinstance(team, Team) else self.world.teams[team]
