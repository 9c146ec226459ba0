"""What is counted while we serve, for Prometheus; a registry of its own for each app."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from store.counts import Totals

RESULTS = ("accepted", "duplicate", "refused")


class Metrics:
    """Counters of this process. No label ever names a person or a workspace."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        received = Counter(
            "usergems_job_changes_received", "Job changes that senders posted", ["result"], registry=self._registry
        )
        self._received = {result: received.labels(result) for result in RESULTS}
        self._turned_away = Counter(
            "usergems_intake_turned_away",
            "Requests of senders answered with an error",
            ["status"],
            registry=self._registry,
        )

    def counted(self, result: str) -> None:
        """One job change more; *result* is one of RESULTS."""
        self._received[result].inc()

    def turned_away(self, status: int) -> None:
        """One request more that was answered with an error."""
        self._turned_away.labels(str(status)).inc()

    def exposition(self, totals: Totals | None, now: int) -> bytes:
        """
        The text Prometheus reads: our counters, and how the database stands.

        *totals* None: the database does not answer. *now* in milliseconds.
        """
        of_database = CollectorRegistry()
        of_database.register(_Snapshot(totals, now))
        return generate_latest(self._registry) + generate_latest(of_database)


class _Snapshot(Collector):
    """The database's numbers at one moment, the same whichever replica is asked."""

    def __init__(self, totals: Totals | None, now: int) -> None:
        self._totals = totals
        self._now = now

    def collect(self) -> Iterable[Metric]:
        totals = self._totals
        yield GaugeMetricFamily("usergems_database_up", "Whether the database answered", 0 if totals is None else 1)
        if totals is None:
            return
        age = 0.0 if totals.waiting_since is None else max(0, self._now - totals.waiting_since) / 1_000
        yield GaugeMetricFamily("usergems_job_changes_waiting", "Job changes without an outcome yet", totals.waiting)
        yield GaugeMetricFamily("usergems_job_changes_waiting_oldest_seconds", "How long the oldest has waited", age)
        yield GaugeMetricFamily("usergems_job_changes_buried", "Job changes that could not be delivered", totals.buried)
        ended = GaugeMetricFamily(
            "usergems_job_changes_ended_last_day", "How job changes ended in the last 24 hours", labels=["outcome"]
        )
        for outcome, count in totals.ended.items():
            ended.add_metric([outcome], count)
        yield ended
