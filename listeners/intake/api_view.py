"""A job change and its history as the API shows them. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from domain.decision.record import Decision
from domain.decision.sentences import for_reader
from domain.delivery import DeliveryRecord, JobChangeRecord
from domain.states import DeliveryState, Outcome
from services.messages.labels import step_detail

_SHOWN_STATES = {state.value: state.name.lower() for kind in (Outcome, DeliveryState) for state in kind}
"""What senders read for a stored state: the database still stores an older word for `failed`."""


def shown(job_change: JobChangeRecord) -> dict[str, object]:
    """Return its state, its outcome and its history, with times in ISO 8601 and UTC."""
    return {
        "id": job_change.id,
        "source": job_change.source,
        "state": _state(job_change.state),
        "outcome": _state(job_change.outcome) if job_change.outcome else None,
        "sent_to": job_change.sent_to,
        "reason": job_change.reason,
        "attempts": job_change.attempts,
        "last_error": job_change.last_error,
        "accepted_at": _time(job_change.accepted_at),
        "routed_at": _time(job_change.routed_at),
        "ended_at": _time(job_change.ended_at),
        "decision": decision_json(job_change.decision) if job_change.decision else None,
        "deliveries": [_delivery(delivery) for delivery in job_change.deliveries],
        "trace": [{"at": _time(step.at), "step": step.step, "detail": step_detail(step)} for step in job_change.trace],
    }


def _delivery(delivery: DeliveryRecord) -> dict[str, object]:
    return {
        "destination": delivery.destination,
        "role": delivery.role,
        "reason": for_reader(delivery.reasons),
        "state": _state(delivery.state),
        "attempts": delivery.attempts,
        "last_error": delivery.last_error,
        "message": {"channel": delivery.channel, "ts": delivery.ts} if delivery.ts else None,
    }


def decision_json(decision: Decision) -> dict[str, object]:
    """Return the decision as JSON, with its reasons as sentences."""
    return {
        "rules_version": decision.rules_version,
        "rule": decision.rule,
        "considered": [
            {
                **candidate.model_dump(include={"side", "source", "name", "email"}),
                "result": "notified" if candidate.problem is None else for_reader([candidate.problem]),
                "match": for_reader([candidate.match]) if candidate.match else None,
            }
            for candidate in decision.considered
        ],
        "chosen": decision.chosen,
        "reason": for_reader(decision.reasons),
        "sides": [
            side.model_dump(exclude={"reasons"}) | {"reason": for_reader(side.reasons)} for side in decision.sides
        ],
        "destinations": [destination.model_dump() for destination in decision.destinations],
        "notes": [for_reader([note]) for note in decision.notes],
        "links": decision.links.model_dump(),
    }


def _state(stored: str) -> str:
    return _SHOWN_STATES.get(stored, stored)


def _time(at: int | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at / 1_000, UTC).isoformat(timespec="milliseconds")
