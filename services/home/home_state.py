"""What App Home and status show, as data. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from domain.day_counts import OUTCOME_NAMES, DayCount, RecipientCount
from domain.delivery import NO_HISTORY, History
from domain.errors import Outage
from domain.job_change.model import JobChange
from domain.notices import ChecklistItem, SetupSteps, checklist
from domain.notification_hours import HeldBack, NotificationHours
from domain.people import Absence
from domain.preferences import Value
from domain.salesforce import ConnectionStatus
from domain.workspace import ListedKey, Workspace
from services.salesforce.health import HealthLine

SHOWN_IN_HOME = 5
"""Recent deliveries in Home; the rest is in a dialog."""

PAGE_SIZE = 15
"""Recent deliveries on a page of that dialog."""

REPORTED_DAYS = 30
"""For how long a report of wrong data is counted."""


@dataclass(frozen=True)
class WorkspaceStatus:
    """The health figures of a workspace at the time `at`. Times are in milliseconds; None means never or nothing."""

    at: int
    workspace_id: str
    workspace_name: str
    is_active: bool
    default_channel_id: str | None
    default_channel_name: str | None
    default_channel_problem: str | None
    salesforce: tuple[HealthLine, ...]
    last_accepted_at: int | None
    last_day: Mapping[str, int]  # job changes that ended in the last 24 hours, by outcome
    waiting: int
    waiting_since: int | None
    failed: int
    reported: int  # reports of wrong data in the last REPORTED_DAYS
    outages: tuple[Outage, ...] = ()
    preferences: Mapping[str, Value] = field(default_factory=dict)  # by the names in domain/preferences.py
    slack_token_ends_at: int | None = None  # set while Slack does not renew the token any more

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        last_day = {OUTCOME_NAMES[outcome]: count for outcome, count in self.last_day.items()}
        silent = {outage.vendor: outage.since for outage in self.outages}  # as in versions before 0.3
        return asdict(self) | {"last_day": last_day, "silent": silent, "preferences": dict(self.preferences)}


@dataclass(frozen=True)
class Overview:
    """What only admins see in Home. `day_counts` has the last 30 days, oldest first."""

    status: WorkspaceStatus
    day_counts: Sequence[DayCount]
    steps: SetupSteps

    @property
    def has_counts(self) -> bool:
        """Whether any job change ended in the last 30 days."""
        return any(any(day.ended.values()) for day in self.day_counts)


@dataclass(frozen=True)
class Statistics:
    """The figures of a workspace for its admins. `day_counts` has the last 30 days, oldest first."""

    day_counts: Sequence[DayCount]
    reported: int  # reports of wrong data in the last REPORTED_DAYS
    top_recipients: Sequence[RecipientCount]


@dataclass(frozen=True)
class RecentDelivery:
    """A job change that was sent to a member, and what people did with it. `job_change` is None once erased."""

    delivery_id: int
    at: int
    side: str | None
    job_change: JobChange | None
    history: History = NO_HISTORY


@dataclass(frozen=True)
class RecentDeliveries:
    """A page of recent deliveries, newest first. `skipped` is how many newer ones there are."""

    deliveries: tuple[RecentDelivery, ...] = ()
    skipped: int = 0
    has_more: bool = False


@dataclass(frozen=True)
class SalesforceIdentity:
    """
    A Salesforce owner that a member is matched to.

    `owner` is an email address or a Salesforce user id. `linked_by` is the Slack user who linked them; None means that
    they are matched by the address.
    """

    owner: str
    name: str | None = field(default=None, repr=False)
    linked_by: str | None = None


@dataclass(frozen=True)
class MemberHome:
    """What Home shows a member about themselves. `not_me` has the owners that they reported as not theirs."""

    user_id: str
    hours: NotificationHours = field(default_factory=NotificationHours)
    held_back: HeldBack = field(default_factory=HeldBack)
    recent: RecentDeliveries = field(default_factory=RecentDeliveries)
    muted: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()
    absence: Absence | None = None
    identities: tuple[SalesforceIdentity, ...] = ()
    not_me: tuple[str, ...] = ()
    shown_at: int = 0


@dataclass(frozen=True)
class OwnershipState:
    """
    The state of the ownership rules. Without published rules, `version` is 0 and `published_by` is None.

    `unmatched` counts owners without a Slack member, up to 100; it is 0 for members who are not admins.
    """

    version: int = 0
    published_by: str | None = None
    has_draft: bool = False
    unmatched: int = 0


NO_OWNERSHIP = OwnershipState()


@dataclass(frozen=True)
class HomeState:
    """
    Everything that Home shows one person. `shown_at` is in milliseconds.

    `waiting` counts deliveries held for the default channel. `keys` has the valid keys that every sender may use,
    newest first, and `sender_keys` those of single ones. Both and `overview` are empty for members who are not admins.
    `retention_days` is the operator's upper limit.
    """

    workspace: Workspace
    is_admin: bool
    waiting: int
    salesforce: ConnectionStatus | None
    keys: tuple[ListedKey, ...]
    intake_url: str
    shown_at: int
    install_url: str = ""
    ownership: OwnershipState = NO_OWNERSHIP
    overview: Overview | None = None
    outages: tuple[Outage, ...] = ()
    retention_days: int = 90
    member: MemberHome | None = None
    sender_keys: tuple[ListedKey, ...] = ()

    @property
    def setup(self) -> list[ChecklistItem]:
        """The setup checklist, for admins. A channel that was chosen and does not work is a problem, no step."""
        if self.overview is None:
            return []
        chosen = SetupSteps.CHANNEL if self.workspace.default_channel_id else SetupSteps(0)
        return checklist(self.workspace, self.overview.steps | chosen)

    @property
    def is_set_up(self) -> bool:
        return all(item.is_done for item in self.setup)


@dataclass(frozen=True)
class HomeNotice:
    """
    The result of what a person did, in mrkdwn.

    `control` is the action_id of the element of Home that they used, beside which it is shown. None is the top.
    """

    text: str
    control: str | None = None
