"""World: the state of all workspaces, with lookups and id generators."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from sandbox.slack.block_kit.inputs import elements_in
from sandbox.slack.state import App, Channel, Code, Json, Message, Team, Token, Trigger, User, View


@dataclass
class World:
    """`now` returns seconds since the epoch. `version` grows with every change that a page would show.

    `homes` and `modals` are keyed by user id. `bots` holds the app's bot user of each workspace. `open_teams` holds the
    workspace that a member of several has open, by user id; by default it is their own. `refresh_tokens` are those that
    were not used yet.
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
    refresh_tokens: dict[str, Token] = field(default_factory=dict, repr=False)
    triggers: dict[str, Trigger] = field(default_factory=dict)
    open_teams: dict[str, str] = field(default_factory=dict)
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
        for team_id in user.teams:
            if user.id not in self.users:
                self.teams[team_id].users.append(user.id)
            if user.email:
                self._by_email[team_id, user.email.lower()] = user.id
        self.users[user.id] = user
        self.touch()

    def active_token(self, team_id: str) -> Token | None:
        """The valid token for this workspace: its own, or that of its organization if the app was added here."""
        valid = [token for token in self.tokens.values() if token.error is None]
        own = next((token for token in valid if token.team_id == team_id), None)
        return own or next(
            (token for token in valid if token.is_enterprise_install and team_id in token.added_to), None
        )

    def org_token(self, enterprise_id: str | None) -> Token | None:
        """The valid token of an organization."""
        org_wide = (token for token in self.tokens.values() if token.is_enterprise_install and token.error is None)
        return next((token for token in org_wide if token.enterprise_id == enterprise_id), None)

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

    def teams_of(self, channel: Channel) -> list[str]:
        """The workspaces in which a conversation is: for a direct message, all of the member's."""
        return self.users[channel.im_user].teams if channel.im_user else [channel.team_id]

    def permalink(self, channel: Channel, ts: str) -> str:
        """A link to the message, on Slack's domain unless `permalink_base` is set."""
        base = self.permalink_base or f"https://{self.teams[channel.team_id].domain}.slack.com"
        return f"{base}/archives/{channel.id}/p{ts.replace('.', '')}"

    def hidden_choices(self, blocks: list[Json], viewer: str) -> list[str]:
        """Errors for the initial users and conversations in a view that its viewer cannot see."""
        errors = []
        for _block, element in elements_in(blocks):
            for name in ("initial_user", "initial_users", "initial_conversation", "initial_conversations"):
                chosen = element.get(name, [])
                for chosen_id in [chosen] if isinstance(chosen, str) else chosen:
                    known = chosen_id in self.users if "user" in name else self._can_read(viewer, chosen_id)
                    errors += [] if known else [f"invalid {name}: {chosen_id}"]
        return errors

    def _can_read(self, user_id: str, channel_id: str) -> bool:
        channel = self.channels.get(channel_id)
        if channel is None:
            return False
        is_public = not channel.is_private and not channel.is_im and channel.team_id in self.users[user_id].teams
        return is_public or user_id in channel.members

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
        installed_in = token.installed_in
        return View(view_id, user.team_id, user.id, token.bot_id, definition, self.new_hash(), view_id, installed_in)

    def new_trigger(self, user: User, root_view_id: str | None = None, team_id: str | None = None) -> str:
        """`team_id` is the workspace in which the user acts; None means their own."""
        team_id = team_id or user.team_id
        trigger_id = f"{self._ids()}.{abs(hash(team_id)) % 10**9}.{secrets.token_hex(16)}"
        self.triggers[trigger_id] = Trigger(user.id, team_id, self.now(), root_view_id)
        return trigger_id
