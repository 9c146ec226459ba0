"""A workspace with its preferences, the keys of its senders, and its outgoing webhook. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntFlag, StrEnum

from domain.messages.card_buttons import CardButton
from domain.states import DEFAULT_CHANNEL, WorkspaceState

SURE_SIGNS = frozenset({"app_uninstalled", "tokens_revoked", "team_access_revoked", "account_inactive", "erased"})
"""Why a workspace is certainly gone: events of Slack, a code of Slack, or `erase` by the operator."""


@dataclass(frozen=True)
class SlackTeam:
    """
    A Slack workspace, as calls and rights need it.

    `is_org_wide` means that the token is that of the organization `enterprise_id`, so that calls have to name the
    workspace. `id` is None if only its organization is known.
    """

    id: str | None
    enterprise_id: str | None = None
    is_org_wide: bool = False


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """
    A workspace and its preferences.

    `team_id` is its id at Slack if that is not `id`: up to version 0.2, an org-wide installation was one workspace with
    the organization's id, and now stands for one of the organization's workspaces. `gone_because` is one of SURE_SIGNS,
    or the code with which Slack rejected the app's token. `signal_channels` has the channel of each signal with a
    channel of its own. `retention_days` None means the operator's default. `token_ends_at` (milliseconds) is set while
    Slack does not renew the token any more. `url` is where its messages are, such as "https://acme.slack.com"; None
    means that it is not known yet. `card_buttons_problem` is why Slack refuses the buttons that start a workflow.
    """

    id: str
    enterprise_id: str | None
    is_enterprise_install: bool
    name: str
    state: str
    installer_user_id: str | None
    bot_user_id: str | None
    scopes: frozenset[str]
    installed_at: int
    gone_at: int | None
    gone_because: str | None = None
    version: int
    default_channel_id: str | None
    default_channel_name: str | None
    default_channel_problem: str | None
    channel_gets: str
    tell_dris: bool
    posts_per_minute: int
    salesforce_patience_minutes: int
    salesforce_daily_calls: int = 5_000
    default_channel_is_public: bool | None = None
    reminder_hours: int = 0
    reminder_escalation: str = "nobody"
    signal_channels: Mapping[str, str] = field(default_factory=dict)
    retention_days: int | None = None
    merge_reports: bool = True
    team_id: str | None = None
    token_ends_at: int | None = None
    url: str | None = None
    card_buttons: tuple[CardButton, ...] = ()
    card_buttons_problem: str | None = None

    @property
    def is_active(self) -> bool:
        return self.state == WorkspaceState.ACTIVE

    @property
    def may_come_back(self) -> bool:
        """Whether the workspace is gone only because Slack rejected the token, perhaps because of our address."""
        return not self.is_active and self.gone_because not in SURE_SIGNS

    @property
    def slack_team(self) -> SlackTeam:
        is_organization = self.is_enterprise_install and self.id == self.enterprise_id
        team_id = self.team_id or (None if is_organization else self.id)
        return SlackTeam(team_id, self.enterprise_id, self.is_enterprise_install)

    def channel_of(self, signal: str) -> str:
        """Where job changes of this signal go without a DRI: the signal's own channel or the default one."""
        channel = self.signal_channels.get(signal)
        return channel if channel and channel != self.default_channel_id else DEFAULT_CHANNEL


SIGNING, BEARER = "signing", "bearer"
"""The kinds of keys: a secret that signs requests, and a key that is sent with them."""


@dataclass(frozen=True)
class StoredKey:
    """
    A stored key. `secret` is a SHA-256 for BEARER and encrypted for the others. `expires_at` None means valid.

    `sender` is the sender that alone may use it; None means every sender of the workspace.
    """

    id: int
    kind: str
    secret: str = field(repr=False)
    made_at: int
    made_by: str
    expires_at: int | None
    sender: str | None = None


@dataclass(frozen=True)
class ListedKey:
    """A key without its secret, as Home lists it. Times are in milliseconds; `expires_at` None means valid."""

    kind: str
    made_at: int
    made_by: str
    expires_at: int | None
    sender: str | None = None


class WebhookEvent(IntFlag):
    """
    What an outgoing webhook reports. A workspace stores the sum of those that it wants, so these values never change.
    """

    DELIVERED = 1  # a message arrived in Slack, also after a reassignment or a snooze
    TAKEN = 2
    REASSIGNED = 4
    DONE = 8  # or not relevant
    WRONG_DATA = 16
    FAILED = 32

    @property
    def type(self) -> str:
        """The type of a single event, as receivers read it."""
        return f"job_change.{(self.name or '').lower()}"


@dataclass(frozen=True)
class OutgoingWebhook:
    """
    Where a workspace wants its events. `url` and `secret` are encrypted, `host` is the part of the URL that Home shows.

    `off_at` (milliseconds) and `off_because` say when and why it was switched off; None means that it is on.
    `failures` counts the attempts that have failed since the last one that worked. `old_secret`, encrypted, also signs
    until `old_secret_until` (milliseconds).
    """

    workspace_id: str
    url: str = field(repr=False)
    secret: str = field(repr=False)
    host: str
    events: WebhookEvent
    failures: int = 0
    off_at: int | None = None
    off_because: str | None = None
    old_secret: str | None = field(default=None, repr=False)
    old_secret_until: int | None = None

    def secrets(self, now: int) -> tuple[str, ...]:
        """The encrypted secrets that sign now, the current one first."""
        is_overlap = self.old_secret is not None and now < (self.old_secret_until or 0)
        return (self.secret, self.old_secret) if self.old_secret and is_overlap else (self.secret,)


class SecretChange(StrEnum):
    """What happens to the secret when a webhook is saved: REPLACE ends the current one at once."""

    KEEP = "keep"
    ROTATE = "rotate"
    REPLACE = "replace"
