"""Deliveries and their history: what is sent where, what people did with it, and every step on the way. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from domain.decision.reasons import Reason, ReasonCode, Reasons, combined, legacy
from domain.decision.record import Decision
from domain.job_change.model import JobChange
from domain.states import HELD, AssignedState, DeliveryState, HandlingState, Role, Step


@dataclass(frozen=True)
class ClaimedDelivery:
    """
    A delivery in a claimed post.

    `payload` None means erased; `plainness` 0 is the full card. `last_code` is Slack's code of the error before.
    `accepted_at` and `request_id`, of the job change, are None when its message is drawn again. `rule` is the key of
    the rule that chose its destination.
    """

    id: int
    job_change_id: str
    role: str
    reasons: Reasons
    side: str | None
    plainness: int
    created_at: int
    payload: str | None = field(repr=False)
    decision: str | None = field(repr=False)
    acted_at: int | None = None
    last_code: str | None = None
    accepted_at: int | None = None
    rule: str | None = None
    request_id: str | None = None


@dataclass(frozen=True)
class NewDelivery:
    """
    A delivery to create. `destination` is a Slack user, a channel or DEFAULT_CHANNEL.

    `reasons` are shown in the message. `side` is past, current or both; None follows from the change type. `rule` is
    the key of the rule that chose the destination, EVERYTHING_ELSE if none matched. None means that it is not part of
    the scorecard: a test, a copy, or what a person chose.
    """

    job_change_id: str
    destination: str
    role: Role
    reasons: Reasons
    side: str | None = None
    rule: str | None = None


@dataclass(frozen=True)
class DeliveryRecord:
    """A delivery as a trace shows it, with the message that carried it."""

    destination: str
    role: str
    reasons: Reasons
    state: str
    attempts: int
    last_error: str | None
    settled_at: int | None
    channel: str | None
    ts: str | None


@dataclass(frozen=True)
class Delivery:
    """
    A delivery that someone acts on. `destination` is a Slack user, a channel or DEFAULT_CHANNEL.

    `payload` None means that the job change was erased. `actor` and `at` say who brought it into its state and when,
    perhaps in another message about the job change; both are None while it is open.
    """

    id: int
    workspace_id: str
    job_change_id: str
    destination: str
    role: str
    reasons: Reasons
    side: str | None
    payload: str | None = field(repr=False)
    decision: str | None = field(repr=False)
    state: str
    actor: str | None
    at: int | None
    given_to: str | None
    created_at: int = 0


@dataclass(frozen=True)
class MissedJobChange:
    """
    A job change that an unmatched owner would have received.

    `owner` is their email address in lower case, else their Salesforce user id. `problem` is why they are unmatched.
    `reasons` are what the message would have shown.
    """

    owner: str
    job_change_id: str
    name: str = field(repr=False)
    problem: Reason
    reasons: Reasons = field(repr=False)
    side: str | None


@dataclass(frozen=True)
class TraceStep:
    """One step in the history of a job change. `detail` may be shown to an admin."""

    job_change_id: str
    at: int
    step: str
    detail: str = ""


@dataclass(frozen=True)
class Handling:
    """Someone took, finished, reassigned or returned a delivery."""

    delivery_id: int
    state: str
    actor: str
    at: int
    given_to: str | None


@dataclass(frozen=True)
class Snooze:
    """A snoozed delivery. It is due again at `due_at`; None means that it came back at `back_at`."""

    delivery_id: int
    actor: str
    due_at: int | None
    back_at: int | None


@dataclass(frozen=True)
class Report:
    """A report of wrong data. `kind` is one of those in `wrong_data`."""

    actor: str
    at: int
    kind: str


@dataclass(frozen=True)
class History:
    """What people did with the deliveries of a job change, oldest first."""

    handlings: tuple[Handling, ...] = ()
    snoozes: tuple[Snooze, ...] = ()
    reports: tuple[Report, ...] = ()

    @property
    def held(self) -> Handling | None:
        """Who is on the job change or has finished it, in any of its messages. The first person keeps it."""
        return next((handling for handling in self.handlings if handling.state in HELD), None)

    def closed_by(self, delivery_id: int, created_at: int, *, in_person: bool) -> Handling | None:
        """
        Return why a delivery is no longer open: what a person did with this or another delivery of the job change.

        None means that it is open. A job change that was reassigned is no longer open in a channel that had it before.
        """
        own = next((handling for handling in self.handlings if handling.delivery_id == delivery_id), None)
        if self.held or own or in_person:
            return self.held or own
        passed_on = [handling for handling in self.handlings if handling.at > created_at]
        is_reassigned = passed_on and passed_on[-1].state == HandlingState.REASSIGNED
        return passed_on[-1] if is_reassigned else None


NO_HISTORY = History()


@dataclass(frozen=True)
class AttachedReport:
    """Another sender's report of the same move, and when it came in."""

    job_change_id: str
    source: str
    at: int


@dataclass(frozen=True)
class JobChangeRecord:
    """
    A job change with its outcome, its deliveries and its trace. Times are in milliseconds.

    `sent_to` is "dri" or "channel", None when nobody was notified. `attached_to` is the job change of another sender
    that reports the same move; `reports` are those that are attached to this one, oldest first. `request_id` is that of
    the HTTP request that brought it, None if it was imported.
    """

    id: str
    source: str
    accepted_at: int
    routed_at: int | None
    ended_at: int | None
    outcome: str | None
    sent_to: str | None
    reason: str | None
    attempts: int
    last_error: str | None
    decision: Decision = field(repr=False)
    deliveries: Sequence[DeliveryRecord]
    trace: Sequence[TraceStep]
    attached_to: str | None = None
    reports: Sequence[AttachedReport] = ()
    request_id: str | None = None

    @property
    def doubts(self) -> int:
        """How many attempts Slack did not confirm. The app looks for such a message before it sends it again."""
        return sum(step.step == Step.IN_DOUBT for step in self.trace)

    @property
    def reasons(self) -> Reasons:
        """Why it ended as it did. If a DRI was notified, the reasons are those of their message."""
        if self.attached_to:
            return (ReasonCode.REPORTED_BEFORE.of(),)
        to_dris = (delivery for delivery in self.deliveries if delivery.role == Role.DRI and self.sent_to == "dri")
        notified = [delivery.reasons for delivery in to_dris if delivery.state == DeliveryState.DELIVERED]
        return combined(reason for reasons in notified for reason in reasons) or legacy(self.reason or "")

    @property
    def state(self) -> str:
        """The outcome, or accepted or routed while there is none."""
        return self.outcome or ("accepted" if self.routed_at is None else "routed")


@dataclass(frozen=True)
class FailedJobChange:
    """A job change that could not be delivered. `payload` None means erased; `ended_at` is in milliseconds."""

    job_change_id: str
    payload: str | None = field(repr=False)
    reason: str | None
    ended_at: int


@dataclass(frozen=True)
class AssignedDelivery:
    """
    A delivery of a job change that is assigned to a member. `destination` is theirs, or the channel they claimed it in.

    `channel` and `ts` are those of its message in Slack.
    """

    delivery_id: int
    job_change_id: str
    destination: str
    state: AssignedState
    side: str | None
    sent_at: int
    channel: str | None
    ts: str | None
    payload: str | None = field(repr=False)
    decision: str | None = field(repr=False)


MOST_SEARCHED = 5_000
"""How many of the latest job changes are searched for an address, since no index covers addresses."""


MOST_SEARCHED_OF_MEMBER = 200
"""How many are searched for a member, who may ask about what was delivered to them."""


@dataclass(frozen=True)
class Explanation:
    """
    A job change with its history, as `explain` shows it.

    `change` is None when it was erased or cannot be read. `others` has the ids of the same person's other job changes,
    newest first.
    """

    record: JobChangeRecord
    change: JobChange | None
    others: tuple[str, ...] = ()
