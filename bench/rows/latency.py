"""
latency: how long after its 202 a single job change arrives at Slack.

Job changes are sent one at a time, each for another owner whose Slack user is already cached. "Without vendor time"
leaves out the time in which Slack or Salesforce were busy answering, but not the network time. There is no
baseline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from statistics import median, quantiles

from bench.kit.databases import POSTGRESQL, SQLITE, Databases
from bench.kit.deliveries import delivered_at, wait_for_deliveries
from bench.kit.installation import InstalledApp, install
from bench.kit.load import Plan, run
from bench.kit.processes import app, helper
from bench.kit.vendors import Span
from bench.table import Row, at_most

DATABASES = (SQLITE, POSTGRESQL)
JOB_CHANGES = 150
PAUSE_SECONDS = 0.08
LANE_GAP_SECONDS = 1.5


async def measure(databases: Databases, kind: str) -> list[Row]:
    scene = {"owners": JOB_CHANGES, "contacts": 2 * JOB_CHANGES, "posts_a_minute": 100_000}
    with databases.fresh(kind) as url:
        async with helper("vendors", **scene) as vendors:
            installed = await install(url, vendors, posts_per_minute=100_000)
            async with app("serve", installed.environment):
                await _send(installed, 0, JOB_CHANGES)  # Fills the cache with every owner.
                await wait_for_deliveries(vendors, JOB_CHANGES)
                await asyncio.sleep(LANE_GAP_SECONDS)
                answered_at = {}
                for number in range(JOB_CHANGES, 2 * JOB_CHANGES):
                    answered_at[number] = await _send(installed, number)
                    await asyncio.sleep(PAUSE_SECONDS)
                report = await wait_for_deliveries(vendors, 2 * JOB_CHANGES)
    arrivals = delivered_at(report)
    total = [(arrivals[number] - at) * 1_000 for number, at in answered_at.items()]
    ours = [_without_vendors(at, arrivals[number], report["busy_spans"]) * 1_000 for number, at in answered_at.items()]
    name = "latency: 202 to Slack"
    return [
        Row(f"{name}, without vendor time, p50", kind, median(ours), "ms", target=at_most(12)),
        Row(f"{name}, without vendor time, p99", kind, quantiles(ours, n=100)[98], "ms", target=at_most(30)),
        Row(f"{name}, total, p50", kind, median(total), "ms"),
        Row(f"{name}, total, p99", kind, quantiles(total, n=100)[98], "ms"),
    ]


def _without_vendors(answered_at: float, arrived_at: float, busy_spans: Sequence[Span]) -> float:
    """Seconds between the two, without those in which a vendor was busy."""
    vendors = sum(max(0.0, min(end, arrived_at) - max(start, answered_at)) for start, end in busy_spans)
    return arrived_at - answered_at - vendors


async def _send(installed: InstalledApp, first: int, requests: int = 1) -> float:
    """Send job changes, and return when the last one was answered, in seconds since the epoch."""
    secret, connections = installed.secret, min(requests, 16)
    plan = Plan(installed.port, installed.workspace_id, secret, requests, first, connections=connections)
    load = await run(plan)
    if load["others"]:
        raise RuntimeError(f"not accepted: {load['others']}")
    answered_at: float = load["began"] + load["seconds"]
    return answered_at
