"""What simulating the rules on job changes shows. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domain.delivery import NewDelivery
from domain.job_change.model import JobChange


@dataclass(frozen=True)
class SimulatedJobChange:
    """
    What would become of one job change. *waits*: Slack does not say now who somebody is, so it cannot be told.

    *trace* as it would be stored; *deliveries* empty and no wait: nobody is told, *reason* says why.
    """

    key: str
    change: JobChange
    deliveries: tuple[NewDelivery, ...] = ()
    reason: str | None = None
    trace: Mapping[str, Any] | None = None
    waits: bool = False


@dataclass(frozen=True)
class Difference:
    """A job change that a draft would tell of otherwise than the rules in force."""

    before: SimulatedJobChange
    after: SimulatedJobChange


@dataclass(frozen=True)
class SimulationReport:
    """*tried*: how many of the latest job changes could be read."""

    tried: int
    differences: tuple[Difference, ...]
