"""Changes that people make in a workspace (members, channels, installations), each with the event Slack sends."""

from collections.abc import Iterable
from typing import Unpack

from sandbox.slack.builders import Builders, Flags
from sandbox.slack.oauth import installs
from sandbox.slack.outgoing.app_client import AppClient
from sandbox.slack.shapes import user_json
from sandbox.slack.state import Channel, Json, Team, Token, User


class Changes(Builders):
    """Each method changes the state, sends the app its event and returns the HTTP status of the app's response.

    None means that no event was sent: the app is not installed there, not subscribed, or lacks the scope.
    """

    app_client: AppClient

    async def emit(self, team_id: str, event: Json) -> int | None:
        self.world.touch()
        token = self.world.active_token(team_id)
        if token is None or not self.app_client.has_destination or not self.app_client.subscribed(token, event["type"]):
            return None
        return await self.app_client.deliver(token, team_id, event)

    async def join_user(self, team: Team | str, name: str, email: str | None = None, **flags: Unpack[Flags]) -> User:
        """https://docs.slack.dev/reference/events/team_join"""
        user = self.add_user(team, name, email, **flags)
        await self.emit(user.team_id, {"type": "team_join", "user": self._user_json(user)})
        return user

    async def deactivate_user(self, user_id: str) -> int | None:
        """A deactivation is a user_change whose user is deleted: https://docs.slack.dev/reference/events/user_change"""
        return await self.change_user(user_id, deleted=True)

    async def change_user(self, user_id: str, **fields: str | bool) -> int | None:
        """`fields` are fields of User, such as real_name, email or is_admin. Raises AttributeError for others."""
        user = self.world.users[user_id]
        for name, value in fields.items():
            if not hasattr(user, name):
                raise AttributeError(f"a user has no field {name}")
            setattr(user, name, value)
        user.updated = int(self.world.now())
        self.world.save_user(user)
        cache_ts = int(self.world.now())
        team_id = next((team_id for team_id in user.teams if self.world.active_token(team_id)), user.team_id)
        return await self.emit(team_id, {"type": "user_change", "user": self._user_json(user), "cache_ts": cache_ts})

    async def archive_channel(self, channel_id: str) -> int | None:
        """https://docs.slack.dev/reference/events/channel_archive, /group_archive"""
        channel = self.world.channels[channel_id]
        channel.is_archived = True
        fields = {"channel": channel.id, "user": self._any_member(channel), "is_moved": 0}
        return await self._channel_event(channel, "archive", fields)

    async def unarchive_channel(self, channel_id: str) -> int | None:
        """https://docs.slack.dev/reference/events/channel_unarchive, /group_unarchive"""
        channel = self.world.channels[channel_id]
        channel.is_archived = False
        actor = "actor_id" if channel.is_private else "user"
        return await self._channel_event(
            channel, "unarchive", {"channel": channel.id, actor: self._any_member(channel)}
        )

    async def rename_channel(self, channel_id: str, name: str) -> int | None:
        """https://docs.slack.dev/reference/events/channel_rename, /group_rename; `channel` is an object."""
        channel = self.world.channels[channel_id]
        channel.name = name
        renamed = {"id": channel.id, "name": name, "name_normalized": name, "created": channel.created}
        renamed |= {"is_channel": not channel.is_private, "is_mpim": False}
        return await self._channel_event(channel, "rename", {"channel": renamed})

    async def delete_channel(self, channel_id: str) -> int | None:
        """https://docs.slack.dev/reference/events/channel_deleted, /group_deleted"""
        channel = self.world.channels.pop(channel_id)
        self.world.teams[channel.team_id].channels.remove(channel_id)
        fields: Json = {"channel": channel_id, "actor_id": self._any_member(channel)}
        if channel.is_private:
            fields["date_deleted"] = int(self.world.now())
        return await self._channel_event(channel, "deleted", fields)

    async def change_channel_id(self, channel_id: str, new_id: str) -> int | None:
        """https://docs.slack.dev/reference/events/channel_id_changed"""
        channel = self.world.channels.pop(channel_id)
        channel.id = new_id
        self.world.channels[new_id] = channel
        ids = self.world.teams[channel.team_id].channels
        ids[ids.index(channel_id)] = new_id
        event: Json = {"type": "channel_id_changed", "old_channel_id": channel_id, "new_channel_id": new_id}
        return await self.emit(channel.team_id, event)

    async def invite_bot(self, channel_id: str) -> int | None:
        """https://docs.slack.dev/reference/events/member_joined_channel"""
        channel, bot = self._channel_and_bot(channel_id)
        channel.members[bot] = None
        kind = "G" if channel.is_private else "C"
        event: Json = {"type": "member_joined_channel", "user": bot, "channel": channel.id, "channel_type": kind}
        event |= {"team": channel.team_id, "inviter": self._any_member(channel)}
        return await self.emit(channel.team_id, event)

    async def remove_bot(self, channel_id: str) -> int | None:
        """https://docs.slack.dev/reference/events/group_left, /channel_left"""
        channel, bot = self._channel_and_bot(channel_id)
        channel.members.pop(bot, None)
        event: Json = {"type": f"{_prefix(channel)}_left", "channel": channel.id, "actor_id": self._any_member(channel)}
        return await self.emit(channel.team_id, event)

    async def add_to_workspaces(self, enterprise_id: str, team_ids: Iterable[str]) -> int | None:
        """Add the app of an org-wide installation to workspaces.

        https://docs.slack.dev/reference/events/team_access_granted
        """
        token, added = self._org_token(enterprise_id), list(team_ids)
        token.added_to += [team_id for team_id in added if team_id not in token.added_to]
        return await self._access_event(token, "team_access_granted", added)

    async def remove_from_workspaces(self, enterprise_id: str, team_ids: Iterable[str]) -> int | None:
        """Remove it from workspaces; it stays installed in the organization.

        https://docs.slack.dev/reference/events/team_access_revoked
        """
        token, removed = self._org_token(enterprise_id), list(team_ids)
        token.added_to = [team_id for team_id in token.added_to if team_id not in removed]
        return await self._access_event(token, "team_access_revoked", removed)

    async def uninstall(self, team_id: str) -> None:
        """Remove the app; Slack sends tokens_revoked and app_uninstalled. Raises LookupError."""
        self.app_client.send_events(installs.uninstall(self.world, self._token(team_id)))
        await self.app_client.wait_for_events()

    async def revoke_token(self, team_id: str) -> None:
        """Revoke the bot token only; Slack sends tokens_revoked. Raises LookupError."""
        self.app_client.send_events(installs.revoke(self.world, self._token(team_id), "token_revoked"))
        await self.app_client.wait_for_events()

    def _org_token(self, enterprise_id: str) -> Token:
        token = self.world.org_token(enterprise_id)
        if token is None:
            raise LookupError(f"the app is not installed in the organization {enterprise_id}")
        return token

    async def _access_event(self, token: Token, kind: str, team_ids: list[str]) -> int | None:
        self.world.touch()
        if not self.app_client.has_destination or not self.app_client.subscribed(token, kind):
            return None
        return await self.app_client.deliver(token, team_ids[0], {"type": kind, "team_ids": team_ids})

    def _user_json(self, user: User) -> Json:
        token = self.world.active_token(user.team_id)
        with_email = token is not None and "users:read.email" in token.scopes
        return user_json(user, self.world.teams[user.team_id], with_email=with_email)

    def _any_member(self, channel: Channel) -> str:
        return next((member for member in channel.members if not self.world.users[member].bot_id), "USLACKBOT")

    def _channel_and_bot(self, channel_id: str) -> tuple[Channel, str]:
        channel = self.world.channels[channel_id]
        return channel, self._token(channel.team_id).bot_user

    def _token(self, team_id: str) -> Token:
        token = self.world.active_token(team_id)
        if token is None:
            raise LookupError(f"the app is not installed in {team_id}")
        return token

    async def _channel_event(self, channel: Channel, verb: str, fields: Json) -> int | None:
        """Events of private channels go only to apps that are members."""
        self.world.touch()
        token = self.world.active_token(channel.team_id)
        if channel.is_private and (token is None or token.bot_user not in channel.members):
            return None
        return await self.emit(channel.team_id, {"type": f"{_prefix(channel)}_{verb}", **fields})


def _prefix(channel: Channel) -> str:
    return "group" if channel.is_private else "channel"
