"""Correcting a stored decision when a destination cannot be posted to, see ownership/choice/delivery_plan.py."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, select, update

from domain.decision.record import Decision
from domain.delivery import ClaimedDelivery
from store.schema import job_changes
from store.schema.lists import one_of

_decisions = select(job_changes.c.id, job_changes.c.decision).where(
    one_of(job_changes.c.id, "ids"), job_changes.c.decision.is_not(None)
)
_set_decision = (
    update(job_changes).where(job_changes.c.id == bindparam("of_job_change")).values(decision=bindparam("corrected"))
)


def record_unreachable(
    connection: Connection, moved: Sequence[ClaimedDelivery], destination: str, problem: str
) -> None:
    """Store in the decisions that the destination could not be notified. The caller has locked the workspace."""
    rows = connection.execute(_decisions, {"ids": sorted({delivery.job_change_id for delivery in moved})})
    by_job_change = {row.id: Decision.from_stored(row.decision) for row in rows}
    for delivery in moved:
        if decision := by_job_change.get(delivery.job_change_id):
            by_job_change[delivery.job_change_id] = decision.with_unreachable(
                delivery.role, delivery.side, destination, problem
            )
    if by_job_change:
        corrected = [
            {"of_job_change": key, "corrected": decision.to_stored()} for key, decision in sorted(by_job_change.items())
        ]
        connection.execute(_set_decision, corrected)
