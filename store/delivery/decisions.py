"""Correcting a stored decision when a destination cannot be posted to, see ownership/choice/delivery_plan.py."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from domain.delivery import ClaimedDelivery
from domain.states import Role
from store.schema import job_changes

_NOTIFIED, _CHANNEL, _BOTH = "told", "channel", "both"

_decisions = select(job_changes.c.id, job_changes.c.decision).where(
    job_changes.c.id.in_(bindparam("ids", expanding=True)), job_changes.c.decision.is_not(None)
)
_set_decision = (
    update(job_changes).where(job_changes.c.id == bindparam("of_job_change")).values(decision=bindparam("corrected"))
)


def record_unreachable(
    connection: Connection, moved: Sequence[ClaimedDelivery], destination: str, problem: str
) -> None:
    """Store in the decisions that the destination could not be notified. The caller has locked the workspace."""
    rows = connection.execute(_decisions, {"ids": sorted({delivery.job_change_id for delivery in moved})})
    by_job_change = {row.id: json.loads(row.decision) for row in rows}
    for delivery in moved:
        if decision := by_job_change.get(delivery.job_change_id):
            correct(decision, delivery.role, delivery.side, destination, problem)
    if by_job_change:
        corrected = [
            {"of_job_change": key, "corrected": json.dumps(decision)} for key, decision in sorted(by_job_change.items())
        ]
        connection.execute(_set_decision, corrected)


def correct(decision: dict[str, Any], role: str, side: str | None, destination: str, problem: str) -> None:
    """Correct one decision. A destination that the rules did not choose changes nothing."""
    if destination not in {chosen.get("destination") for chosen in decision.get("destinations", ())}:
        return
    for candidate in _candidates_of(decision, role, side, destination):
        candidate["result"], candidate["match"] = f"could not be notified: {problem}", None


def _candidates_of(decision: dict[str, Any], role: str, side: str | None, destination: str) -> Iterator[dict[str, Any]]:
    """Yield the candidates that this destination stands for. Of several on a side, the one whose email names it."""
    notified = [
        candidate
        for candidate in decision.get("considered", ())
        if candidate.get("result") == _NOTIFIED and (candidate.get("source") == _CHANNEL) == (role != Role.DRI)
    ]
    for candidate in notified:
        same_side = [other for other in notified if other.get("side") == candidate.get("side")]
        if side in {_BOTH, candidate.get("side")} and (len(same_side) == 1 or candidate.get("email") == destination):
            yield candidate
