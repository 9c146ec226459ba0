"""The answers of the API as models, which openapi.json describes, and a job change as one of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from domain.decision import record
from domain.decision.record import DecidedDestination, RecordLinks
from domain.decision.sentences import for_reader
from domain.delivery import DeliveryRecord, JobChangeRecord
from domain.job_change import validation
from domain.job_change.validation import InvalidJobChangeError
from domain.states import DeliveryState, Outcome
from services.intake import intake
from services.intake.intake import Received, Result
from services.messages.labels import step_detail

_SHOWN_STATES = {state.value: state.name.lower() for kind in (Outcome, DeliveryState) for state in kind}
"""What senders read for a stored state: the database still stores an older word for `failed`."""

Time = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]


class Answer(BaseModel):
    """Base of everything that the API answers."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)


class Receipt(Answer):
    """Base of the answers for one job change. What is null is left out."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=False)


OutcomeName = Literal["delivered", "failed", "muted", "attached"]
_ATTACHED_TO = Field(
    default=None,
    description="The job change of another sender that reports the same move. This one is attached to it, and nobody is"
    " notified a second time.",
)


class Accepted(Receipt):
    id: str
    status: Literal["accepted"] = "accepted"
    outcome: OutcomeName | None = Field(default=None, description="Set if the job change has ended at once.")
    attached_to: str | None = _ATTACHED_TO


class Duplicate(Receipt):
    id: str
    status: Literal["duplicate"] = "duplicate"
    outcome: OutcomeName | None = Field(default=None, description="How the first one ended, if it has.")
    attached_to: str | None = _ATTACHED_TO


class Skipped(Receipt):
    """A payload, or a part of one, that is not a job change. There is no need to send it again."""

    status: Literal["skipped"] = "skipped"
    reason: str


class Tested(Receipt):
    """A test of the sender: how it was read. Nothing was stored, and nobody is notified."""

    status: Literal["test"] = "test"
    results: Sequence[str]


class Fault(Answer):
    path: str
    message: str


class Refused(Answer):
    status: Literal["refused"] = "refused"
    errors: Sequence[Fault]


class Error(Answer):
    error: str
    errors: Sequence[Fault]


class Results(Receipt):
    """One result for each item. An item with several people has results of its own."""

    results: Sequence[Accepted | Duplicate | Refused | Skipped | Tested | Results]


class Candidate(Answer):
    side: str | None
    source: str
    name: str | None
    email: str | None
    result: str = Field(description="“notified”, or why they were skipped.")
    match: str | None = Field(description="How they were matched to a Slack user.")


class DecidedSide(Answer):
    side: str | None
    rule: str
    sentence: str
    chosen: str | None
    segments: Sequence[str]
    reason: str


class Decision(Answer):
    """The rule that matched, and each candidate in order with its result."""

    rules_version: int
    rule: str
    considered: Sequence[Candidate]
    chosen: str | None
    reason: str
    sides: Sequence[DecidedSide]
    destinations: Sequence[DecidedDestination]
    notes: Sequence[str]
    links: RecordLinks

    @classmethod
    def of(cls, decision: record.Decision) -> Decision:
        """The stored decision with its reasons as sentences."""
        considered = [
            Candidate(
                **candidate.model_dump(include={"side", "source", "name", "email"}),
                result="notified" if candidate.problem is None else for_reader([candidate.problem]),
                match=for_reader([candidate.match]) if candidate.match else None,
            )
            for candidate in decision.considered
        ]
        sides = [
            DecidedSide(**side.model_dump(exclude={"reasons"}), reason=for_reader(side.reasons))
            for side in decision.sides
        ]
        return cls(
            rules_version=decision.rules_version,
            rule=decision.rule,
            considered=considered,
            chosen=decision.chosen,
            reason=for_reader(decision.reasons),
            sides=sides,
            destinations=decision.destinations,
            notes=[for_reader([note]) for note in decision.notes],
            links=decision.links,
        )


class Message(Answer):
    channel: str
    ts: str


class Delivery(Answer):
    destination: str
    role: Literal["dri", "fallback", "channel", "copy"]
    reason: str
    state: Literal["pending", "sending", "delivered", "failed", "moved"]
    attempts: int
    last_error: str | None
    message: Message | None

    @classmethod
    def of(cls, delivery: DeliveryRecord) -> Delivery:
        values = {name: getattr(delivery, name) for name in ("destination", "role", "attempts", "last_error")}
        message = Message(channel=delivery.channel, ts=delivery.ts) if delivery.channel and delivery.ts else None
        values |= {"reason": for_reader(delivery.reasons), "state": _state(delivery.state), "message": message}
        return cls.model_validate(values)


class Step(Answer):
    at: Time
    step: str
    detail: str


class Report(Answer):
    """Another sender's report of the same move."""

    id: str
    source: str
    at: Time


class State(Answer):
    """The state and the history of a job change."""

    id: str
    source: str
    state: Literal["accepted", "routed", "delivered", "failed", "muted", "attached"] = Field(
        description="The outcome, or how far the job change is while it has none."
    )
    outcome: OutcomeName | None = Field(description="How the job change ended, or null while it is in progress.")
    sent_to: Literal["dri", "channel"] | None = Field(
        description="Whether the DRI was notified or a channel was used instead; null if nothing was sent."
    )
    attached_to: str | None = _ATTACHED_TO
    reports: Sequence[Report] = Field(description="Reports of the same move by other senders, oldest first.")
    reason: str | None
    attempts: int
    last_error: str | None
    accepted_at: Time
    routed_at: Time | None
    ended_at: Time | None
    decision: Decision | None
    deliveries: Sequence[Delivery]
    trace: Sequence[Step]

    @classmethod
    def of(cls, job_change: JobChangeRecord) -> State:
        """Times are in ISO 8601 and UTC."""
        names = ("id", "source", "sent_to", "attached_to", "attempts", "last_error")
        reports = [
            Report(id=report.job_change_id, source=report.source, at=_time(report.at)) for report in job_change.reports
        ]
        trace = [Step(at=_time(step.at), step=step.step, detail=step_detail(step)) for step in job_change.trace]
        values = {name: getattr(job_change, name) for name in names} | {
            "state": _state(job_change.state),
            "outcome": _state(job_change.outcome) if job_change.outcome else None,
            "reason": for_reader(job_change.reasons) if job_change.attached_to else job_change.reason,
            "accepted_at": _time(job_change.accepted_at),
            "routed_at": None if job_change.routed_at is None else _time(job_change.routed_at),
            "ended_at": None if job_change.ended_at is None else _time(job_change.ended_at),
            "decision": Decision.of(job_change.decision) if job_change.decision else None,
            "deliveries": [Delivery.of(delivery) for delivery in job_change.deliveries],
            "reports": reports,
            "trace": trace,
        }
        return cls.model_validate(values)


class EventData(Answer):
    workspace_id: str
    job_change: State


class Event(Answer):
    """What happened to a job change, with its state at the time of the request."""

    type: Literal[
        "job_change.delivered",
        "job_change.taken",
        "job_change.reassigned",
        "job_change.done",
        "job_change.wrong_data",
        "job_change.failed",
    ]
    timestamp: Time
    data: EventData


class TestEventData(Answer):
    workspace_id: str


class TestEvent(Answer):
    """An admin tests the webhook."""

    type: Literal["webhook.test"]
    timestamp: Time
    data: TestEventData


ANSWERS: tuple[type[Answer], ...] = (Accepted, Duplicate, Skipped, Tested, Refused, Error, Results, State)
EVENTS: tuple[type[Answer], ...] = (Event, TestEvent)
"""What an outgoing webhook posts."""


def result_of(result: Result) -> Accepted | Duplicate | Skipped | Refused:
    """What became of one person of a payload. Raises ValueError if there is no such workspace."""
    if result is None:
        raise ValueError("there is no such workspace")
    if isinstance(result, InvalidJobChangeError):
        return Refused(errors=faults_of(result.faults))
    if isinstance(result, intake.Skipped):
        return Skipped(reason=result.reason)
    outcome = "attached" if result.attached_to else _SHOWN_STATES.get(result.outcome or "")
    values = {"id": result.id, "outcome": outcome, "attached_to": result.attached_to}
    return Accepted.model_validate(values) if result.is_new else Duplicate.model_validate(values)


def results_of(received: Received) -> Accepted | Duplicate | Skipped | Refused | Tested | Results:
    """What became of a payload. Raises ValueError if there is no such workspace."""
    if received.is_test:
        return Tested(results=[str(result) for result in received.results])
    results = [result_of(result) for result in received.results]
    return results[0] if len(results) == 1 else Results(results=results)


def faults_of(faults: Sequence[validation.Fault]) -> list[Fault]:
    return [Fault(path=fault.path, message=fault.message) for fault in faults]


def _state(stored: str) -> str:
    return _SHOWN_STATES.get(stored, stored)


def _time(at: int) -> str:
    return datetime.fromtimestamp(at / 1_000, UTC).isoformat(timespec="milliseconds")
