"""The data of the workspaces, as dataclasses: users, channels, messages, views and tokens."""

import secrets
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(slots=True)
class Team:
    """A workspace. `enterprise_id` is set if it belongs to an Enterprise Grid organization.

    `blocks_not_released` are types of blocks that Slack does not accept here yet. It releases a new type to one
    workspace after the other. `workflows` are those that can be started, by the URLs of their link triggers, each with
    the inputs that a button may set. `workflow_runs` are the triggers that buttons have used.
    """

    id: str
    name: str
    domain: str
    enterprise_id: str | None = None
    enterprise_name: str = ""
    users: list[str] = field(default_factory=list, repr=False)
    channels: list[str] = field(default_factory=list, repr=False)
    usergroups: dict[str, "UserGroup"] = field(default_factory=dict, repr=False)
    blocks_not_released: set[str] = field(default_factory=set)
    workflows: dict[str, set[str]] = field(default_factory=dict)
    workflow_runs: list[Json] = field(default_factory=list, repr=False)


@dataclass(slots=True)
class User:
    """A member of a workspace, or a bot user if `bot_id` is set. `updated` is in seconds since the epoch.

    `team_id` is the member's own workspace, to which `is_admin` and the flags beside it apply. A member of an
    organization may belong to more of its workspaces, which are in `more_teams`, and may be an admin of all of it.
    """

    id: str
    team_id: str
    name: str
    real_name: str
    email: str | None
    is_admin: bool = False
    is_owner: bool = False
    is_primary_owner: bool = False
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    is_stranger: bool = False
    deleted: bool = False
    bot_id: str | None = None
    tz: str = "America/New_York"
    title: str = ""
    updated: int = 0
    more_teams: list[str] = field(default_factory=list)
    is_org_admin: bool = False
    is_org_owner: bool = False

    @property
    def teams(self) -> list[str]:
        """Every workspace that the user is a member of."""
        return [self.team_id, *self.more_teams]


@dataclass(slots=True)
class UserGroup:
    """A user group (`@sales`) of a workspace."""

    id: str
    team_id: str
    handle: str
    name: str
    users: list[str]
    disabled: bool = False


@dataclass(slots=True)
class Channel:
    """A channel, or the app's direct message with `im_user`, in which case its id starts with D."""

    id: str
    team_id: str
    name: str
    is_private: bool = False
    is_archived: bool = False
    is_ext_shared: bool = False
    im_user: str | None = None
    created: int = 0
    creator: str = ""
    members: dict[str, None] = field(default_factory=dict, repr=False)
    messages: dict[str, "Message"] = field(default_factory=dict, repr=False)

    @property
    def is_im(self) -> bool:
        return self.im_user is not None

    @property
    def kind(self) -> str:
        """Its type as scopes name it: channels, groups or im."""
        if self.is_im:
            return "im"
        return "groups" if self.is_private else "channels"


@dataclass(slots=True)
class Message:
    """A message of the app. `ephemeral_to` is the id of the only person who sees it; None means everyone does.

    `input_states` is as in View; `arguments` are those of the call that posted the message.
    """

    ts: str
    channel_id: str
    team_id: str
    user: str
    bot_id: str
    text: str
    blocks: list[Json] | None = None
    attachments: list[Json] | None = None
    metadata: Json | None = None
    thread_ts: str | None = None
    edited_ts: str | None = None
    ephemeral_to: str | None = None
    input_states: dict[tuple[str, str], Json] = field(default_factory=dict, repr=False)
    arguments: Json = field(default_factory=dict, repr=False)


@dataclass(slots=True)
class View:
    """A published Home or an open modal. `input_states` holds what its user entered, by (block_id, action_id).

    `installed_in` is the workspace or organization that has installed the app.
    """

    id: str
    team_id: str
    user_id: str
    bot_id: str
    definition: Json
    hash: str
    root_view_id: str
    installed_in: str = ""
    previous_view_id: str | None = None
    input_states: dict[tuple[str, str], Json] = field(default_factory=dict)

    @property
    def blocks(self) -> list[Json]:
        blocks: list[Json] = self.definition.get("blocks", [])
        return blocks


@dataclass(slots=True)
class Token:
    """An installation and its bot token. `error` is what calls get after it was revoked; None while it is valid.

    `added_to` holds the workspaces of an organization to which an admin has added the app after the org-wide
    installation; the token has access to no other.
    With token rotation, the token expires at `expires_at` (seconds), and calls then get `token_expired`.
    """

    value: str = field(repr=False)
    team_id: str | None
    enterprise_id: str | None
    bot_user: str
    bot_id: str
    scopes: set[str]
    installed_by: str
    error: str | None = None
    added_to: list[str] = field(default_factory=list)
    expires_at: float | None = None
    refresh_token: str = field(default="", repr=False)

    @property
    def is_enterprise_install(self) -> bool:
        return self.team_id is None

    @property
    def installed_in(self) -> str:
        """The id of the workspace, or of the organization for an org-wide installation."""
        return self.team_id or self.enterprise_id or ""


@dataclass(slots=True)
class Trigger:
    """A trigger id, which is valid once within three seconds."""

    user_id: str
    team_id: str
    created_at: float
    root_view_id: str | None = None
    used: bool = False


@dataclass(slots=True)
class Code:
    """An OAuth code that has not been exchanged yet."""

    user_id: str
    scopes: set[str]
    redirect_uri: str
    created_at: float
    org_wide: bool
    add_to: list[str] | None = None


@dataclass(slots=True)
class App:
    """The app as its manifest describes it. `events` and `commands` None means all of them.

    With `has_short_history` it is distributed commercially outside of Slack's Marketplace: it may read 15 messages of a
    conversation a minute. https://docs.slack.dev/changelog/2025/05/29/tos-updates
    """

    client_id: str
    client_secret: str = field(repr=False)
    signing_secret: str = field(repr=False)
    id: str = "A0SANDBOX01"
    name: str = "UserGems"
    bot_name: str = "usergems"
    verification_token: str = field(default_factory=lambda: secrets.token_hex(12), repr=False)
    home_tab_enabled: bool = True
    messages_tab_enabled: bool = True
    redirect_urls: list[str] = field(default_factory=list)
    scopes: set[str] = field(default_factory=set)
    optional_scopes: set[str] = field(default_factory=set)
    org_deploy_enabled: bool = True
    socket_mode_enabled: bool = False
    has_short_history: bool = False
    token_rotation_enabled: bool = False
    events: set[str] | None = None
    commands: set[str] | None = None
