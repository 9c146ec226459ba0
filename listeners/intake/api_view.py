"""The answers of the API as models, which openapi.json describes, and a job change as one of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from domain.decision import record
from domain.decision.record import DecidedDestination, RecordLinks
from domain.decision.sentences import for_reader
from domain.delivery import DeliveryRecord, JobChangeRecord
from domain.states import DeliveryState, Outcome
from services.messages.labels import step_detail

_SHOWN_STATES = {state.value: state.name.lower() for kind in (Outcome, DeliveryState) for state in kind}
"""What senders read for a stored state: the database still stores an older word for `failed`."""

Time = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]


class Answer(BaseModel):
    """Base of everything that the API answers."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)


class Accepted(Answer):
    id: str
    status: Literal["accepted"] = "accepted"


class Duplicate(Answer):
    id: str
    status: Literal["duplicate"] = "duplicate"


class Fault(Answer):
    path: str
    message: str


class Refused(Answer):
    status: Literal["refused"] = "refused"
    errors: Sequence[Fault]


class Error(Answer):
    error: str
    errors: Sequence[Fault]


class Results(Answer):
    results: Sequence[Accepted | Duplicate | Refused]


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


class State(Answer):
    """The state and the history of a job change."""

    id: str
    source: str
    state: Literal["accepted", "routed", "delivered", "failed", "muted"] = Field(
        description="The outcome, or how far the job change is while it has none."
    )
    outcome: Literal["delivered", "failed", "muted"] | None = Field(
        description="How the job change ended, or null while it is in progress."
    )
    sent_to: Literal["dri", "channel"] | None = Field(
        description="Whether the DRI was notified or a channel was used instead; null if nothing was sent."
    )
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
        names = ("id", "source", "sent_to", "reason", "attempts", "last_error")
        trace = [Step(at=_time(step.at), step=step.step, detail=step_detail(step)) for step in job_change.trace]
        values = {name: getattr(job_change, name) for name in names} | {
            "state": _state(job_change.state),
            "outcome": _state(job_change.outcome) if job_change.outcome else None,
            "accepted_at": _time(job_change.accepted_at),
            "routed_at": None if job_change.routed_at is None else _time(job_change.routed_at),
            "ended_at": None if job_change.ended_at is None else _time(job_change.ended_at),
            "decision": Decision.of(job_change.decision) if job_change.decision else None,
            "deliveries": [Delivery.of(delivery) for delivery in job_change.deliveries],
            "trace": trace,
        }
        return cls.model_validate(values)


ANSWERS: tuple[type[Answer], ...] = (Accepted, Duplicate, Refused, Error, Results, State)


def _state(stored: str) -> str:
    return _SHOWN_STATES.get(stored, stored)


def _time(at: int) -> str:
    return datetime.fromtimestamp(at / 1_000, UTC).isoformat(timespec="milliseconds")
