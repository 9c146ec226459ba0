"""Health for machines: liveness, readiness and Prometheus metrics."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy import Connection

from listeners.http.limits import parsed_address
from listeners.http.metrics import Metrics, Snapshot
from services.operations.database_watch import DEADLINE_SECONDS
from services.operations.heartbeat import LONGEST_WAIT_MS
from services.operations.readiness import Readiness
from services.operations.watchdog import Watchdog
from services.settings import VERSION
from store.database import Database, DatabaseUnavailableError
from store.home import counts
from store.operations import health_figures

DAY_MS = 24 * 60 * 60 * 1_000

_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP")


def routes(
    database: Database,
    metrics: Metrics,
    metrics_token: str | None,
    watchdog: Watchdog,
    readiness: Readiness,
    now: Callable[[], int],
    *,
    is_public: bool,
) -> list[web.RouteDef]:
    """
    The monitoring routes.

    If `metrics_token` is None, the metrics can be read from this machine only, and by nobody if the server `is_public`:
    behind a proxy that adds no header, everybody seems to be on this machine. `watchdog` has the heartbeats of this
    process's worker, or none if the process has no worker.
    """
    health = _Health(database, metrics, metrics_token, watchdog, readiness, now, is_public)
    return [
        web.get("/healthz", health.alive),
        web.get("/readyz", health.ready),
        web.get("/metrics", health.read_metrics),
    ]


@dataclass(frozen=True)
class _Health:
    database: Database
    metrics: Metrics
    metrics_token: str | None = field(repr=False)
    watchdog: Watchdog
    readiness: Readiness
    now: Callable[[], int]
    is_public: bool

    async def alive(self, _request: web.Request) -> web.Response:
        """Answer with 503 if a worker loop hangs, so that the process is restarted."""
        if stuck_loops := self.watchdog.stuck_loops:
            reasons = [f"the worker loop “{name}” has stopped responding" for name in stuck_loops]
            return web.json_response({"status": "dead", "reasons": reasons}, status=503)
        return web.json_response({"status": "alive", "version": VERSION})

    async def ready(self, _request: web.Request) -> web.Response:
        report = await self.readiness.check()
        answer = {"status": "not ready" if report.reasons else "ready", "reasons": report.reasons}
        if report.warnings:
            answer["warnings"] = report.warnings
        return web.json_response(answer, status=503 if report.reasons else 200)

    async def read_metrics(self, request: web.Request) -> web.Response:
        if not self._may_read_metrics(request):
            advice = (
                "Send METRICS_TOKEN as a bearer token. If it is not set, only this machine may read the metrics, and"
                " only if PUBLIC_URL is not https.\n"
            )
            return web.Response(status=403, text=advice)
        now = self.now()
        snapshot: Snapshot | None = None
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                snapshot = await self.database.read(_snapshot, now)
        except (DatabaseUnavailableError, TimeoutError):
            pass  # the counters of this process are useful without the database
        body = self.metrics.exposition(snapshot, now, worker_is_up=self.watchdog.is_healthy)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    def _may_read_metrics(self, request: web.Request) -> bool:
        if self.metrics_token:
            header = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
            return hmac.compare_digest(header, f"Bearer {self.metrics_token}".encode())
        if self.is_public:
            return False
        # Requests that come through a proxy on this machine also have a loopback peer.
        peer = parsed_address(request.remote or "")
        return peer is not None and peer.is_loopback and not any(name in request.headers for name in _FORWARDED)


def _snapshot(connection: Connection, now: int) -> Snapshot:
    return Snapshot(
        counts.totals(connection, now - DAY_MS),
        health_figures.collect(connection, now),
        health_figures.is_stuck(connection, now - LONGEST_WAIT_MS, now),
    )
