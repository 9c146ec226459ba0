"""The stored decision of a job change, corrected where it could not be kept. Its shape: ownership/choice/outcome.py."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from domain.delivery import ClaimedDelivery
from domain.states import Role
from store.schema import job_changes

_TOLD, _CHANNEL, _BOTH = "told", "channel", "both"

_decisions = select(job_changes.c.id, job_changes.c.decision).where(
    job_changes.c.id.in_(bindparam("ids", expanding=True)), job_changes.c.decision.is_not(None)
)
_correct = (
    update(job_changes).where(job_changes.c.id == bindparam("of_job_change")).values(decision=bindparam("corrected"))
)


def record_unreachable(
    connection: Connection, members: Sequence[ClaimedDelivery], destination: str, problem: str
) -> None:
    """Whoever reads the decisions later reads that too. Whoever calls it has locked the workspace."""
    stored = connection.execute(_decisions, {"ids": sorted({member.job_change_id for member in members})})
    known = {row.id: json.loads(row.decision) for row in stored}
    for member in members:
        if decision := known.get(member.job_change_id):
            correct(decision, member.role, member.side, destination, problem)
    if known:
        rows = [{"of_job_change": key, "corrected": json.dumps(decision)} for key, decision in sorted(known.items())]
        connection.execute(_correct, rows)


def correct(decision: dict[str, Any], role: str, side: str | None, destination: str, problem: str) -> None:
    """The same for one decision and a delivery of it; a destination that the rules did not choose changes nothing."""
    if destination not in {each.get("destination") for each in decision.get("destinations", ())}:
        return
    for each in _meant(decision, role, side, destination):
        each["result"], each["match"] = f"could not be notified: {problem}", None


def _meant(decision: dict[str, Any], role: str, side: str | None, destination: str) -> Iterator[dict[str, Any]]:
    """Whom of those who were considered this destination stands for: of several on a side, who is named by it."""
    told = [
        each
        for each in decision.get("considered", ())
        if each.get("result") == _TOLD and (each.get("source") == _CHANNEL) == (role != Role.DRI)
    ]
    for each in told:
        same_side = [other for other in told if other.get("side") == each.get("side")]
        if side in {_BOTH, each.get("side")} and (len(same_side) == 1 or each.get("email") == destination):
            yield each
