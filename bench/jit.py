"""
jit: how long after its 202 a lone job change arrives at Slack, one at a time, each for another owner, all known.

The vendors answer at once here, so what is left is ours (and their own work). There is no floor but zero.
"""

from __future__ import annotations

import asyncio
from statistics import median, quantiles

from bench.databases import POSTGRESQL, SQLITE, Databases
from bench.installed import Installed, installed
from bench.load import Plan, run
from bench.processes import app, helper
from bench.table import Row, most
from bench.telling import all_told, told_at

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
                arrived = told_at(await all_told(vendors, 2 * LONE))
    waits = [(arrived[number] - at) * 1_000 for number, at in answered.items()]
    return [
        Row("jit: from the 202 to Slack, p50", kind, median(waits), "ms", target=most(30)),
        Row("jit: from the 202 to Slack, p99", kind, quantiles(waits, n=100)[98], "ms", target=most(150)),
    ]


async def _send(place: Installed, first: int, requests: int = 1) -> float:
    """When it was answered, in seconds since the epoch."""
    plan = Plan(place.port, place.workspace_id, place.secret, requests, first, connections=min(requests, 16))
    sent = await run(plan)
    if sent["others"]:
        raise RuntimeError(f"not accepted: {sent['others']}")
    answered: float = sent["began"] + sent["seconds"]
    return answered
