"""What a sender reads of one job change. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from domain.delivery import DeliveryRecord, JobChangeRecord


def shown(found: JobChangeRecord) -> dict[str, object]:
    """Its state, its outcome, and how it came to that; times in ISO 8601, UTC."""
    return {
        "id": found.id,
        "source": found.source,
        "state": found.state,
        "outcome": found.outcome,
        "told": found.sent_to,
        "reason": found.reason,
        "attempts": found.attempts,
        "last_error": found.last_error,
        "accepted_at": _time(found.accepted_at),
        "routed_at": _time(found.routed_at),
        "ended_at": _time(found.ended_at),
        "decision": found.decision,
        "deliveries": [_delivery(delivery) for delivery in found.deliveries],
        "trace": [{"at": _time(step.at), "step": step.step, "detail": step.detail} for step in found.trace],
    }


def _delivery(told: DeliveryRecord) -> dict[str, object]:
    return {
        "destination": told.destination,
        "role": told.role,
        "reason": told.reason,
        "state": told.state,
        "attempts": told.attempts,
        "last_error": told.last_error,
        "message": {"channel": told.channel, "ts": told.ts} if told.ts else None,
    }


def _time(at: int | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at / 1_000, UTC).isoformat(timespec="milliseconds")
