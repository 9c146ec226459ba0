"""Prometheus metrics. docs/operating.md explains each of them."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram, Info, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from domain.day_counts import OUTCOME_NAMES, JobChangeTotals
from services.measures import RECEIVED, ROUTED, SETTLED, Measures
from services.settings import VERSION
from store.operations.health_figures import HealthFigures, SalesforceUse

SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
LONGER_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0)


@dataclass(frozen=True)
class Snapshot:
    """Figures from the database. They are the same whichever replica is scraped."""

    totals: JobChangeTotals
    health: HealthFigures
    is_stuck: bool


class Metrics(Measures):
    """Counters of this process, in their own registry. No label names a person or a workspace."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        build = Info("usergems_build", "The version of the app and of Python", registry=self._registry)
        build.info({"version": VERSION, "python": platform.python_version()})
        self._received = self._counter("job_changes_received", "Job changes received, by result", "result")
        self._turned_away = self._counter(
            "intake_turned_away", "Requests of senders answered with an error, by status", "status"
        )
        self._slack_refused = self._counter(
            "slack_requests_refused", "Requests to Slack's endpoint answered with an error, by status", "status"
        )
        self._routed = self._counter("job_changes_routed", "Job changes routed, by outcome", "outcome")
        self._settled = self._counter("deliveries_settled", "Delivery attempts, by result", "result")
        self._sent_seconds = Histogram(
            "usergems_sent_seconds",
            "Time from accepting a job change to its message, without the hours that its reader chose",
            registry=self._registry,
            buckets=LONGER_SECONDS,
        )
        self._events_limited = self._counter("slack_events_limited", "Minutes in which Slack dropped events")
        self._answers = self._counter(
            "vendor_answers", "Calls to Slack and Salesforce, by response status", "vendor", "method", "status"
        )
        self._seconds = Histogram(
            "usergems_vendor_call_seconds",
            "Response times of Slack and Salesforce",
            ["vendor", "method"],
            registry=self._registry,
            buckets=SECONDS,
        )
        # Created in advance: rate() misses the first event of a series that starts with it.
        self._by_result = {name: self._received.labels(name) for name in RECEIVED}
        for counter, names in ((self._routed, ROUTED), (self._settled, SETTLED)):
            for name in names:
                counter.labels(name)

    def _counter(self, name: str, description: str, *labels: str) -> Counter:
        return Counter(f"usergems_{name}", description, labels, registry=self._registry)

    def received(self, result: str, count: int) -> None:
        self._by_result[result].inc(count)

    def routed(self, outcome: str, count: int) -> None:
        self._routed.labels(outcome).inc(count)

    def settled(self, result: str, count: int) -> None:
        self._settled.labels(result).inc(count)

    def sent(self, seconds: float) -> None:
        self._sent_seconds.observe(seconds)

    def slack_refused(self, status: int) -> None:
        self._slack_refused.labels(str(status)).inc()

    def events_limited(self) -> None:
        self._events_limited.inc()

    def called(self, vendor: str, method: str, status: int | None, seconds: float) -> None:
        kind = "none" if status is None else "429" if status == 429 else f"{status // 100}xx"
        self._answers.labels(vendor, method, kind).inc()
        self._seconds.labels(vendor, method).observe(seconds)

    def turned_away(self, status: int) -> None:
        self._turned_away.labels(str(status)).inc()

    def exposition(self, snapshot: Snapshot | None, now: int, *, worker_is_up: bool | None = None) -> bytes:
        """
        The counters and the figures from the database, in Prometheus text format.

        `snapshot` is None if the database is not responding. `now` is in milliseconds. `worker_is_up` is None if this
        process has no worker.
        """
        figures = CollectorRegistry()
        figures.register(_Figures(snapshot, now, worker_is_up))
        return generate_latest(self._registry) + generate_latest(figures)


@dataclass(frozen=True, eq=False)  # a registry keeps it in a set
class _Figures(Collector):
    snapshot: Snapshot | None
    now: int
    worker_is_up: bool | None

    def collect(self) -> Iterable[Metric]:
        if self.worker_is_up is not None:
            yield _gauge("worker_up", "Whether the worker of this process is running", self.worker_is_up)
        yield _gauge("database_up", "Whether the database is responding", self.snapshot is not None)
        if self.snapshot is None:
            return
        yield from _of_totals(self.snapshot.totals, self.now)
        yield from _of_health(self.snapshot.health, self.now)
        yield from _of_salesforce(self.snapshot.health.salesforce)
        yield _gauge(
            "stuck", "Whether anything has waited for over five minutes without a reason", self.snapshot.is_stuck
        )


def _of_totals(totals: JobChangeTotals, now: int) -> Iterable[Metric]:
    yield _gauge("job_changes_waiting", "Job changes without an outcome yet", totals.waiting)
    yield _gauge(
        "job_changes_waiting_oldest_seconds",
        "Age of the oldest job change without an outcome",
        _age(totals.waiting_since, now),
    )
    yield _gauge("job_changes_failed", "Job changes that could not be delivered", totals.failed)
    ended = GaugeMetricFamily(
        "usergems_job_changes_ended_last_day", "How job changes ended in the last 24 hours", labels=["outcome"]
    )
    for outcome, count in totals.ended.items():
        ended.add_metric([OUTCOME_NAMES[outcome]], count)
    yield ended


def _of_health(figures: HealthFigures, now: int) -> Iterable[Metric]:
    yield _gauge(
        "job_changes_overdue_seconds",
        "Age of the oldest job change that waits neither for an admin nor for the hours of its reader",
        _age(figures.overdue_since, now),
    )
    yield _gauge("posts_in_doubt", "Messages that may or may not have been delivered", figures.in_doubt)
    yield _gauge(
        "lanes_parked", "Default channels that cannot be posted to, with job changes waiting for them", figures.parked
    )
    pauses = GaugeMetricFamily(
        "usergems_pauses_open", "Open pauses, by paused subject and reason", labels=["subject", "why"]
    )
    for (subject, why), count in figures.pauses.items():
        pauses.add_metric([subject, why], count)
    yield pauses
    failing = GaugeMetricFamily(
        "usergems_vendor_failing",
        "Workspaces for which calls to a vendor fail since the last attempt",
        labels=["vendor"],
    )
    for vendor, count in figures.failing.items():
        failing.add_metric([vendor.lower()], count)
    yield failing


def _of_salesforce(use: SalesforceUse) -> Iterable[Metric]:
    yield _gauge("salesforce_connections", "Workspaces with Salesforce connected", use.connected)
    yield _gauge("salesforce_connections_broken", "Salesforce connections that an admin has to fix", use.troubled)
    yield _gauge("salesforce_calls_today", "Salesforce API calls made today (UTC)", use.our_calls)
    yield _gauge("salesforce_share_used_ratio", "Highest used ratio of a workspace's daily API limit", use.our_share)
    yield _gauge(
        "salesforce_limit_used_ratio", "Highest used ratio of an org's own daily API limit, by all apps", use.org_share
    )


def _age(since: int | None, now: int) -> float:
    return 0.0 if since is None else max(0, now - since) / 1_000


def _gauge(name: str, description: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"usergems_{name}", description, value)
