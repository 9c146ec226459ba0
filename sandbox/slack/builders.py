"""How a workspace is furnished: teams, members, channels and user groups."""

from collections.abc import Iterable
from typing import TypedDict, Unpack

from sandbox.slack.state import Channel, Team, User, UserGroup
from sandbox.slack.world import World


class Flags(TypedDict, total=False):
    """What may be true of a member, as in Slack's user object."""

    is_admin: bool
    is_owner: bool
    is_primary_owner: bool
    is_restricted: bool
    is_ultra_restricted: bool
    is_stranger: bool
    deleted: bool
    bot_id: str
    title: str


class Builders:
    """Adds to the world and tells nobody; what the app hears of is in changes.py."""

    world: World

    def add_team(
        self,
        name: str = "Acme",
        *,
        team_id: str | None = None,
        enterprise_id: str | None = None,
        enterprise_name: str = "",
    ) -> Team:
        """A workspace; with `enterprise_id` one of that Enterprise Grid organisation."""
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
        **flags: Unpack[Flags],
    ) -> User:
        """A member called `name`, such as "Dana Reyes"; with `bot_id` it is the bot of another app."""
        place = self._team(team)
        handle = ".".join(name.lower().split())
        user_id = user_id or self.world.new_id("U")
        user = User(user_id, place.id, handle, name, email, updated=int(self.world.now()), **flags)
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
        """A channel; `is_member` says whether the app's bot is in it, for which it must be installed by then."""
        place = self._team(team)
        channel = Channel(channel_id or self.world.new_id("C"), place.id, name, is_private, is_archived, is_ext_shared)
        channel.created = int(self.world.now())
        channel.members.update(dict.fromkeys(members))
        if is_member:
            token = self.world.active_token(place.id)
            if token is None:
                raise LookupError(f"the app is not installed in {place.id}, so its bot cannot be in #{name}")
            channel.members[token.bot_user] = None
        self.world.channels[channel.id] = channel
        place.channels.append(channel.id)
        self.world.touch()
        return channel

    def add_usergroup(self, team: Team | str, handle: str, users: Iterable[str] = ()) -> UserGroup:
        place = self._team(team)
        group = UserGroup(self.world.new_id("S"), place.id, handle, handle.title(), list(users))
        place.usergroups[group.id] = group
        return group

    def _team(self, team: Team | str) -> Team:
        return team if isinstance(team, Team) else self.world.teams[team]
