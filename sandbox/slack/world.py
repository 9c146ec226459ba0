"""World: the state of all workspaces, with lookups and id generators."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from sandbox.slack.state import App, Channel, Code, Json, Message, Team, Token, Trigger, User, View


@dataclass
class World:
    """`now` returns seconds since the epoch. `version` grows with every change that a page would show.

    `homes` and `modals` are keyed by user id. `bots` holds the app's bot user of each workspace.
    """

    app: App
    now: Callable[[], float]
    teams: dict[str, Team] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)
    bots: dict[str, str] = field(default_factory=dict)
    homes: dict[str, View] = field(default_factory=dict)
    modals: dict[str, list[View]] = field(default_factory=dict)
    ephemerals: list[Message] = field(default_factory=list)
    tokens: dict[str, Token] = field(default_factory=dict, repr=False)
    codes: dict[str, Code] = field(default_factory=dict, repr=False)
    triggers: dict[str, Trigger] = field(default_factory=dict)
    version: int = 0
    permalink_base: str | None = None
    _ids: Callable[[], int] = field(default_factory=lambda: count(1).__next__, repr=False)
    _last_ts: int = 0
    _by_email: dict[tuple[str, str], str] = field(default_factory=dict, repr=False)
    _dms: dict[tuple[str, str], str] = field(default_factory=dict, repr=False)

    def new_id(self, prefix: str) -> str:
        return f"{prefix}0{self._ids():09d}"

    def new_ts(self) -> str:
        """A message timestamp, later than all earlier ones."""
        self._last_ts = max(self._last_ts + 1, int(self.now() * 1_000_000))
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def new_hash(self) -> str:
        return f"{int(self.now())}.{secrets.token_hex(4)}"

    def touch(self) -> None:
        self.version += 1

    def save_user(self, user: User) -> None:
        if user.id not in self.users:
            self.teams[user.team_id].users.append(user.id)
        self.users[user.id] = user
        if user.email:
            self._by_email[user.team_id, user.email.lower()] = user.id
        self.touch()

    def active_token(self, team_id: str) -> Token | None:
        """The valid token for this workspace: its own, or that of its organization."""
        team = self.teams[team_id]
        for token in self.tokens.values():
            if token.error is None and (
                token.team_id == team_id
                or (token.is_enterprise_install and token.enterprise_id and token.enterprise_id == team.enterprise_id)
            ):
                return token
        return None

    def user_by_email(self, team_id: str, email: str) -> User | None:
        """The member with this email address, in any case; deactivated members are included."""
        wanted = email.strip().lower()
        user_id = self._by_email.get((team_id, wanted))
        # The index still has members who have changed their address since.
        return self.users[user_id] if user_id and (self.users[user_id].email or "").lower() == wanted else None

    def channel_by_name(self, team_id: str, name: str) -> Channel | None:
        wanted = name.removeprefix("#")
        for channel_id in self.teams[team_id].channels:
            channel = self.channels.get(channel_id)
            if channel and channel.name == wanted and not channel.is_im:
                return channel
        return None

    def open_dm(self, token: Token, user: User) -> Channel:
        """The app's direct message with this person, created if there is none."""
        channel_id = self._dms.get((token.bot_user, user.id))
        if channel_id:
            return self.channels[channel_id]
        channel = Channel(self.new_id("D"), user.team_id, "directmessage", im_user=user.id, created=int(self.now()))
        channel.members.update(dict.fromkeys((token.bot_user, user.id)))
        self.channels[channel.id] = channel
        self._dms[token.bot_user, user.id] = channel.id
        self.touch()
        return channel

    def permalink(self, channel: Channel, ts: str) -> str:
        """A link to the message, on Slack's domain unless `permalink_base` is set."""
        base = self.permalink_base or f"https://{self.teams[channel.team_id].domain}.slack.com"
        return f"{base}/archives/{channel.id}/p{ts.replace('.', '')}"

    def message(self, channel_id: str, ts: str) -> Message | None:
        channel = self.channels.get(channel_id)
        message = channel.messages.get(ts) if channel else None
        return message or next((m for m in self.ephemerals if (m.channel_id, m.ts) == (channel_id, ts)), None)

    def view(self, view_id: str | None = None, external_id: str | None = None) -> View | None:
        """A published Home or open modal, found by either id."""
        for view in (*self.homes.values(), *(view for stack in self.modals.values() for view in stack)):
            if view.id == view_id or (external_id and view.definition.get("external_id") == external_id):
                return view
        return None

    def new_view(self, token: Token, user: User, definition: Json) -> View:
        view_id = self.new_id("V")
        return View(view_id, user.team_id, user.id, token.bot_id, definition, self.new_hash(), view_id)

    def new_trigger(self, user: User, root_view_id: str | None = None) -> str:
        trigger_id = f"{self._ids()}.{abs(hash(user.team_id)) % 10**9}.{secrets.token_hex(16)}"
        self.triggers[trigger_id] = Trigger(user.id, user.team_id, self.now(), root_view_id)
        return trigger_id
