"""Deliveries: one job change for one destination, as they are planned, claimed and shown. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

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
