"""
jit: how long after its 202 a lone job change arrives at Slack, one at a time, each for another owner, all known.

Of that time the share that is ours: what the vendors spent on answering meanwhile is taken off. What it takes to reach
them is not, nor is their reading and writing of HTTP. There is no floor but zero.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from statistics import median, quantiles

from bench.kit.databases import POSTGRESQL, SQLITE, Databases
from bench.kit.installation import Installed, installed
from bench.kit.load import Plan, run
from bench.kit.processes import app, helper
from bench.kit.deliveries import all_told, told_at
from bench.kit.vendors import Span
from bench.table import Row, most

DATABASES = (SQLITE, POSTGRESQL)
LONE = 150
PAUSE_SECONDS = 0.08
LANE_GAP_SECONDS = 1.5


async def measure(databases: Databases, kind: str) -> list[Row]:
    scene = {"owners": LONE, "contacts": 2 * LONE, "posts_a_minute": 100_000}
    with databases.fresh(kind) as url:
        async with helper("vendors", **scene) as vendors:
            place = await installed(url, vendors, posts_per_minute=100_000)
            async with app("serve", place.environment):
                await _send(place, 0, LONE)  # after these every owner is known
                await all_told(vendors, LONE)
                await asyncio.sleep(LANE_GAP_SECONDS)
                answered = {}
                for number in range(LONE, 2 * LONE):
                    answered[number] = await _send(place, number)
                    await asyncio.sleep(PAUSE_SECONDS)
                said = await all_told(vendors, 2 * LONE)
    arrived = told_at(said)
    waits = [(arrived[number] - at) * 1_000 for number, at in answered.items()]
    ours = [_ours(at, arrived[number], said["at_work"]) * 1_000 for number, at in answered.items()]
    return [
        Row("jit: from the 202 to Slack, our share, p50", kind, median(ours), "ms", target=most(30)),
        Row("jit: from the 202 to Slack, our share, p99", kind, quantiles(ours, n=100)[98], "ms", target=most(150)),
        Row("jit: from the 202 to Slack, all of it, p50", kind, median(waits), "ms"),
        Row("jit: from the 202 to Slack, all of it, p99", kind, quantiles(waits, n=100)[98], "ms"),
    ]


def _ours(answered: float, arrived: float, at_work: Sequence[Span]) -> float:
    """Seconds from one to the other without those in which a vendor was at work."""
    theirs = sum(max(0.0, min(end, arrived) - max(began, answered)) for began, end in at_work)
    return arrived - answered - theirs


async def _send(place: Installed, first: int, requests: int = 1) -> float:
    """When it was answered, in seconds since the epoch."""
    plan = Plan(place.port, place.workspace_id, place.secret, requests, first, connections=min(requests, 16))
    sent = await run(plan)
    if sent["others"]:
        raise RuntimeError(f"not accepted: {sent['others']}")
    answered: float = sent["began"] + sent["seconds"]
    return answered
