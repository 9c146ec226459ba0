"""Deliveries and their history: what is sent where, what people did with it, and every step on the way. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from domain.job_change.model import JobChange
from domain.states import Role


@dataclass(frozen=True)
class ClaimedDelivery:
    """A delivery in a claimed post."""

    id: int
    job_change_id: str
    role: str
    reason: str
    side: str | None
    plainness: int
    created_at: int
    payload: str | None = field(repr=False)
    decision: str | None = field(repr=False)
    acted_at: int | None = None


@dataclass(frozen=True)
class NewDelivery:
    """
    A promise; *destination* is a Slack user, a channel or DEFAULT_CHANNEL, *reason* is why, as the message says.

    *side*: past, current or both, whose owner is told; None: what the change type suggests.
    """

    job_change_id: str
    destination: str
    role: Role
    reason: str
    side: str | None = None


@dataclass(frozen=True)
class DeliveryRecord:
    """One delivery of a job change, and the message that carried it."""

    destination: str
    role: str
    reason: str
    state: str
    attempts: int
    last_error: str | None
    settled_at: int | None
    channel: str | None
    ts: str | None


@dataclass(frozen=True)
class Delivery:
    """
    A delivery, as somebody reaches for it. *destination*: a Slack user, a channel or DEFAULT_CHANNEL.

    *payload* None: erased. *actor* and *at*: who brought it into its *state*, and when; None while it is open.
    """

    id: int
    workspace_id: str
    job_change_id: str
    destination: str
    role: str
    reason: str
    side: str | None
    payload: str | None = field(repr=False)
    decision: str | None = field(repr=False)
    state: str
    actor: str | None
    at: int | None
    given_to: str | None


@dataclass(frozen=True)
class MissedJobChange:
    """
    A job change that would have been this owner's.

    *owner*: their e-mail address in lower case, else their Salesforce user id. *why*: what the message would have said.
    """

    owner: str
    job_change_id: str
    name: str = field(repr=False)
    problem: str
    why: str = field(repr=False)
    side: str | None


@dataclass(frozen=True)
class TraceStep:
    """One thing that happened; *detail* is fit to be shown to an admin."""

    job_change_id: str
    at: int
    step: str
    detail: str = ""


@dataclass(frozen=True)
class Handling:
    """A delivery that somebody took, gave or gave back."""

    delivery_id: int
    state: str
    actor: str
    at: int
    given_to: str | None


@dataclass(frozen=True)
class Snooze:
    """A delivery that comes back at *due_at*, or (None) came back at *back_at*."""

    delivery_id: int
    actor: str
    due_at: int | None
    back_at: int | None


@dataclass(frozen=True)
class Report:
    """Somebody said that something is wrong. *kind*: as in `wrong_data`."""

    actor: str
    at: int
    kind: str


@dataclass(frozen=True)
class History:
    """Each in the order in which it happened."""

    handled: tuple[Handling, ...] = ()
    later: tuple[Snooze, ...] = ()
    reports: tuple[Report, ...] = ()


NO_HISTORY = History()


@dataclass(frozen=True)
class JobChangeRecord:
    """A job change, how far it is, how it ended, and every step that led there. Times in milliseconds."""

    id: str
    source: str
    accepted_at: int
    routed_at: int | None
    ended_at: int | None
    outcome: str | None
    told: str | None
    reason: str | None
    attempts: int
    last_error: str | None
    decision: Mapping[str, Any] | None = field(repr=False)
    deliveries: Sequence[DeliveryRecord]
    trace: Sequence[TraceStep]

    @property
    def state(self) -> str:
        """The outcome, or how far it is on its way there: accepted or routed."""
        return self.outcome or ("accepted" if self.routed_at is None else "routed")


@dataclass(frozen=True)
class FailedJobChange:
    """A job change that could not be delivered; *payload* None: erased. *ended_at* in milliseconds."""

    job_change_id: str
    payload: str | None = field(repr=False)
    reason: str | None
    ended_at: int


@dataclass(frozen=True)
class Lately:
    """A delivery that somebody has read. *payload* and *decision* None: erased."""

    delivery_id: int
    job_change_id: str
    side: str | None
    told_at: int
    payload: str | None = field(repr=False)
    decision: str | None = field(repr=False)


MOST_SEARCHED = 5_000
"""Job changes that are read to find an address, which no index knows."""


@dataclass(frozen=True)
class Explanation:
    """
    A job change with all it led to. *change* None: it was erased, or cannot be read.

    *others*: the ids of further ones of the same person, newest first.
    """

    found: JobChangeRecord
    change: JobChange | None
    others: tuple[str, ...] = ()
