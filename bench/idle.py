"""
idle: what `serve` takes on SQLite with an installed workspace and nothing to do.

Seconds from starting the process until /readyz answers, its CPU over 20 seconds, and its memory at the end.
"""

from __future__ import annotations

import asyncio
import time

import psutil

from bench.databases import SQLITE, Databases
from bench.installed import installed
from bench.processes import app, busy_seconds
from bench.table import Row, most

DATABASES = (SQLITE,)
SETTLED_SECONDS, WATCHED_SECONDS = 2, 20


async def measure(databases: Databases, kind: str) -> list[Row]:
    with databases.fresh(kind) as url:
        place = await installed(url)
        began = time.perf_counter()
        async with app("serve", place.environment) as process_id:
            started = time.perf_counter() - began
            await asyncio.sleep(SETTLED_SECONDS)
            busy = busy_seconds(process_id)
            await asyncio.sleep(WATCHED_SECONDS)
            percent = (busy_seconds(process_id) - busy) / WATCHED_SECONDS * 100
            megabytes = psutil.Process(process_id).memory_info().rss / 1_000_000
    return [
        Row("idle: CPU", kind, percent, "% of a core", target=most(1)),
        Row("idle: memory", kind, megabytes, "MB", target=most(120)),
        Row("idle: start until ready", kind, started, "s", target=most(2)),
    ]
