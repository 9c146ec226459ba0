"""What App Home and status show, as data. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from domain.day_counts import OUTCOME_NAMES, DayCount, RecipientCount
from domain.delivery import NO_HISTORY, History
from domain.errors import Outage
from domain.job_change.model import JobChange
from domain.messages.notices import ChecklistItem, SetupSteps, checklist
from domain.notification_hours import HeldBack, NotificationHours
from domain.people import Absence
from domain.preferences import Value
from domain.salesforce import ConnectionStatus
from domain.states import AssignedState
from domain.workspace import ListedKey, OutgoingWebhook, Workspace
from services.salesforce.health import HealthLine

PAGE_SIZE = 5
"""Job changes on a page of what is assigned to a member."""

TO_DO = "to_do"
"""The filter for everything that is not done."""

FILTERS: Mapping[str, frozenset[AssignedState]] = {
    TO_DO: frozenset({AssignedState.OPEN, AssignedState.TAKEN, AssignedState.SNOOZED}),
    **{state.value: frozenset({state}) for state in AssignedState},
}
"""The states that each filter of *Assigned to you* shows, by its name."""

REPORTED_DAYS = 30
"""A report of wrong data is counted for this many days."""


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
        """Return what JSON shows of it."""
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
class AssignedJobChange:
    """A job change that is assigned to a member, and what people did with it. Its message is `ts` in `channel`."""

    delivery_id: int
    at: int
    side: str | None
    job_change: JobChange
    state: AssignedState = AssignedState.OPEN
    is_claimed: bool = False
    history: History = NO_HISTORY
    channel: str | None = None
    ts: str | None = None


@dataclass(frozen=True)
class AssignedPage:
    """The page of *Assigned to you* to show: the name of a filter, and how many newer job changes to skip."""

    filter: str = TO_DO
    skip: int = 0


@dataclass(frozen=True)
class Assigned:
    """
    What is assigned to a member: a page, newest first, and how many there are in each state.

    `slack_url` is the address of the workspace's messages, None if it is not known yet.
    """

    page: AssignedPage = AssignedPage()
    job_changes: tuple[AssignedJobChange, ...] = ()
    counts: Mapping[AssignedState, int] = field(default_factory=dict)
    slack_url: str | None = None

    @property
    def total(self) -> int:
        """How many the filter shows on all pages."""
        return self.count(self.page.filter)

    def count(self, name: str) -> int:
        """How many this filter shows."""
        return sum(self.counts.get(state, 0) for state in FILTERS[name])

    def link_to(self, job_change: AssignedJobChange) -> str | None:
        """A link to its message, as chat.getPermalink would return it."""
        if not (self.slack_url and job_change.channel and job_change.ts):
            return None
        return f"{self.slack_url}/archives/{job_change.channel}/p{job_change.ts.replace('.', '')}"


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
    """What Home shows a member about themselves. `not_me` has the owners that they reported, with names."""

    user_id: str
    hours: NotificationHours = field(default_factory=NotificationHours)
    held_back: HeldBack = field(default_factory=HeldBack)
    assigned: Assigned = field(default_factory=Assigned)
    muted: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()
    absence: Absence | None = None
    identities: tuple[SalesforceIdentity, ...] = ()
    not_me: Mapping[str, str | None] = field(default_factory=dict)
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
    webhook: OutgoingWebhook | None = None

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

    `control` is the action_id of the element of Home that they used, beside which it is shown. None means at the top.
    """

    text: str
    control: str | None = None
