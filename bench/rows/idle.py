"""
idle: what `serve` takes on SQLite with an installed workspace and nothing to do.

Seconds from starting the process until /readyz answers, the median of five starts; then of the last one its CPU over 20
seconds, and its memory at the end.
"""

from __future__ import annotations

import asyncio
import time
from statistics import median

import psutil

from bench.kit.databases import SQLITE, Databases
from bench.kit.installation import Installed, installed
from bench.kit.processes import app, busy_seconds
from bench.table import Row, most

DATABASES = (SQLITE,)
STARTS = 5
SETTLED_SECONDS, WATCHED_SECONDS = 2, 20


async def measure(databases: Databases, kind: str) -> list[Row]:
    with databases.fresh(kind) as url:
        place = await installed(url)
        started = [await _start(place) for _ in range(STARTS - 1)]
        began = time.perf_counter()
        async with app("serve", place.environment) as process_id:
            started.append(time.perf_counter() - began)
            await asyncio.sleep(SETTLED_SECONDS)
            busy = busy_seconds(process_id)
            await asyncio.sleep(WATCHED_SECONDS)
            percent = (busy_seconds(process_id) - busy) / WATCHED_SECONDS * 100
            megabytes = psutil.Process(process_id).memory_info().rss / 1_000_000
    return [
        Row("idle: CPU", kind, percent, "% of a core", target=most(1)),
        Row("idle: memory", kind, megabytes, "MB", target=most(120)),
        Row("idle: start until ready", kind, median(started), "s", target=most(2)),
    ]


async def _start(place: Installed) -> float:
    """Seconds until it was ready; then it is ended again."""
    began = time.perf_counter()
    async with app("serve", place.environment):
        return time.perf_counter() - began
