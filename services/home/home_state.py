"""What App Home and status show, as data. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from domain.day_counts import OUTCOME_NAMES, DayCount, RecipientCount
from domain.delivery import NO_HISTORY, History
from domain.intake_key import ListedKey
from domain.job_change.model import JobChange
from domain.notification_hours import HeldBack, NotificationHours
from domain.people import Absence
from domain.salesforce import SalesforceConnection
from domain.workspace import Workspace
from services.salesforce.health import HealthLine


@dataclass(frozen=True)
class WorkspaceStatus:
    """How a workspace stands *at* this time. Times in milliseconds; None: never, or nothing."""

    at: int
    workspace_id: str
    workspace_name: str
    is_active: bool
    default_channel_id: str | None
    default_channel_name: str | None
    default_channel_problem: str | None
    salesforce: tuple[HealthLine, ...]
    last_accepted_at: int | None
    last_day: Mapping[str, int]  # how many ended in the last 24 hours, by the names of store.counts
    waiting: int
    waiting_since: int | None
    failed: int
    reported: int  # who said in REPORTED_DAYS that the data of a job change is wrong
    silent: Mapping[str, int]  # those of VENDORS that do not answer, by name, and since when

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        last_day = {OUTCOME_NAMES[outcome]: count for outcome, count in self.last_day.items()}
        return asdict(self) | {"last_day": last_day, "silent": dict(self.silent)}


@dataclass(frozen=True)
class Overview:
    """*month*: the last days, oldest first. *busiest*: who had most messages in these days, in person."""

    status: WorkspaceStatus
    month: Sequence[DayCount]
    busiest: Sequence[RecipientCount]


@dataclass(frozen=True)
class RecentDelivery:
    """Something that came to them, and what has become of it. *job_change* None: erased."""

    delivery_id: int
    at: int
    side: str | None
    job_change: JobChange | None
    history: History = NO_HISTORY


@dataclass(frozen=True)
class RecentDeliveries:
    """*skipped*: how many are newer; *has_more*: some are older."""

    told: tuple[RecentDelivery, ...] = ()
    skipped: int = 0
    has_more: bool = False


@dataclass(frozen=True)
class SalesforceIdentity:
    """
    An owner in Salesforce whom we take this member for.

    *owner*: an e-mail address, or a Salesforce user id; *linked_by*: who said so, None: the address says so.
    """

    owner: str
    name: str | None = field(default=None, repr=False)
    linked_by: str | None = None


@dataclass(frozen=True)
class MemberHome:
    """What My Home shows to the one whose it is. *unmutable*: what nobody may mute; *denied*: owners they are not."""

    user_id: str
    hours: NotificationHours = field(default_factory=NotificationHours)
    waiting: HeldBack = field(default_factory=HeldBack)
    lately: RecentDeliveries = field(default_factory=RecentDeliveries)
    muted: frozenset[str] = frozenset()
    unmutable: frozenset[str] = frozenset()
    absence: Absence | None = None
    known_as: tuple[SalesforceIdentity, ...] = ()
    denied: tuple[str, ...] = ()
    shown_at: int = 0


@dataclass(frozen=True)
class OwnershipState:
    """
    How the ownership rules stand. *version* 0: none are published, and *published_by* is nobody.

    *unmatched*: owners whom Slack does not know; counted up to 100, and for admins alone.
    """

    version: int = 0
    published_by: str | None = None
    has_draft: bool = False
    unmatched: int = 0


NO_OWNERSHIP = OwnershipState()


@dataclass(frozen=True)
class HomeState:
    """
    All that Home shows. *waiting*: deliveries that are kept for the default channel.

    *keys*: those good now, newest first; empty for who may not change anything. *shown_at* in milliseconds.
    *overview*: for admins alone. *retention_days*: the operator's, who has the last word. *mine*: of whoever looks.
    """

    workspace: Workspace
    is_admin: bool
    waiting: int
    salesforce: SalesforceConnection | None
    keys: tuple[ListedKey, ...]
    intake_url: str
    shown_at: int
    ownership: OwnershipState = NO_OWNERSHIP
    overview: Overview | None = None
    retention_days: int = 90
    mine: MemberHome | None = None


SHOWN_AT_ONCE = 5


A_PAGE = 15
"""How many of what came lately Home and a page of the dialog show."""


REPORTED_DAYS = 30
"""For how long a report of wrong data counts."""
