"""The results of simulating rules on job changes. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from domain.decision.reasons import Reasons
from domain.decision.record import Decision
from domain.delivery import NewDelivery
from domain.job_change.model import JobChange


@dataclass(frozen=True)
class SimulatedJobChange:
    """
    The deliveries that one job change would have, and the decision that would be stored.

    `waits` is true if Slack cannot look a candidate up now. Without deliveries, nobody would be notified; `reasons` say
    why.
    """

    key: str
    change: JobChange
    deliveries: tuple[NewDelivery, ...] = ()
    reasons: Reasons = ()
    decision: Decision | None = None
    waits: bool = False


@dataclass(frozen=True)
class Difference:
    """A job change that a draft would deliver differently from the rules in force."""

    before: SimulatedJobChange
    after: SimulatedJobChange


@dataclass(frozen=True)
class SimulationReport:
    """`tried` is the number of recent job changes that were compared."""

    tried: int
    differences: tuple[Difference, ...]
