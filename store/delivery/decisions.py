"""
Corrects decisions when a destination cannot be posted to, and stores the results of the rules in them.

See services/ownership/choice/delivery_plan.py, and store/home/scorecard.py, which counts the results.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, case, select, update

from domain.decision.record import Decision
from domain.delivery import ClaimedDelivery, Delivery
from domain.states import DeliveryState, Step, is_person
from store.schema import deliveries, job_changes, rule_results
from store.schema.lists import one_of
from store.schema.upserts import insert_missing

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


_sent = (
    select(
        deliveries.c.id,
        deliveries.c.workspace_id,
        deliveries.c.rule,
        deliveries.c.settled_at,
        # Its reader may have acted before it is stored that the message was sent.
        case((job_changes.c.acted_at.is_not(None), deliveries.c.settled_at)),
    )
    .join(job_changes, job_changes.c.id == deliveries.c.job_change_id)
    .where(
        one_of(deliveries.c.job_change_id, "ids"),
        deliveries.c.state == DeliveryState.DELIVERED,
        deliveries.c.rule.is_not(None),
    )
)
_result_columns = ("delivery_id", "workspace_id", "rule", "sent_at", "acted_at")


def record_sent(connection: Connection, job_change_ids: Sequence[str]) -> None:
    """Record that what rules chose has been sent. A delivery that is sent again keeps its first time."""
    if job_change_ids:
        add = insert_missing(connection, rule_results, "delivery_id").from_select(_result_columns, _sent)
        connection.execute(add, {"ids": sorted(set(job_change_ids))})


_of_job_change = rule_results.c.delivery_id.in_(
    select(deliveries.c.id).where(deliveries.c.job_change_id == bindparam("of_job_change"))
)
_set_acted = (
    update(rule_results).where(_of_job_change, rule_results.c.acted_at.is_(None)).values(acted_at=bindparam("now"))
)
_set_not_mine = update(rule_results).where(rule_results.c.delivery_id == bindparam("of_delivery")).values(not_mine=1)
_set_wrong_data = update(rule_results).where(_of_job_change).values(wrong_data=1)


def record_acted(connection: Connection, delivery: Delivery, step: str, now: int) -> None:
    """
    Record what a person did with a delivery in the results of the rules that sent its job change.

    It counts for every message about the job change. But only who got it in person says that it is not theirs.
    """
    key = {"of_job_change": delivery.job_change_id}
    connection.execute(_set_acted, key | {"now": now})
    if step == Step.REPORTED:
        connection.execute(_set_wrong_data, key)
    if step in {Step.REASSIGNED, Step.RETURNED} and is_person(delivery.destination):
        connection.execute(_set_not_mine, {"of_delivery": delivery.id})
