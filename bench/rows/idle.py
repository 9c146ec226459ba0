"""
idle: what `serve` costs on SQLite with an installed workspace and nothing to do.

Time to ready is from starting the process until /readyz answers, the median of five starts. CPU is measured over 20
seconds of the last start, and memory at their end.
"""

from __future__ import annotations

import asyncio
import time
from statistics import median

import psutil

from bench.kit.databases import SQLITE, Databases
from bench.kit.installation import InstalledApp, install
from bench.kit.processes import app, cpu_seconds
from bench.table import Row, at_most

DATABASES = (SQLITE,)
STARTS = 5
SETTLE_SECONDS, MEASURED_SECONDS = 2, 20


async def measure(databases: Databases, kind: str) -> list[Row]:
    with databases.fresh(kind) as url:
        installed = await install(url)
        start_seconds = [await _start_seconds(installed) for _ in range(STARTS - 1)]
        began = time.perf_counter()
        async with app("serve", installed.environment) as process_id:
            start_seconds.append(time.perf_counter() - began)
            await asyncio.sleep(SETTLE_SECONDS)
            cpu_before = cpu_seconds(process_id)
            await asyncio.sleep(MEASURED_SECONDS)
            percent = (cpu_seconds(process_id) - cpu_before) / MEASURED_SECONDS * 100
            megabytes = psutil.Process(process_id).memory_info().rss / 1_000_000
    return [
        Row("idle: CPU", kind, percent, "% of a core", target=at_most(1)),
        Row("idle: memory", kind, megabytes, "MB", target=at_most(120)),
        Row("idle: time to ready", kind, median(start_seconds), "s", target=at_most(2)),
    ]


async def _start_seconds(installed: InstalledApp) -> float:
    began = time.perf_counter()
    async with app("serve", installed.environment):
        return time.perf_counter() - began
