"""
idle: what `serve` costs on SQLite with nothing to do, with one installed workspace and with 300, and what starts cost.

Time to ready is from starting the process until /readyz answers, the median of five starts; so is that of `status`.
The time to import is that of a Python process that imports what a verb needs and ends, without garbage collection, as
in app.py. CPU is measured over 20 seconds of the last start, and memory at their end. The 300 workspaces were installed
just now: their installers got the setup steps, which the app keeps up to date.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from statistics import median

import psutil
from sqlalchemy import Connection

from bench.kit.databases import SQLITE, Databases
from bench.kit.installation import NO_VENDORS, InstalledApp, install
from bench.kit.processes import app, command, cpu_seconds
from bench.table import Row, at_most
from services.clock import SteadyClock
from store.database import Database
from store.messages import notices

DATABASES = (SQLITE,)
STARTS = 5
SETTLE_SECONDS, MEASURED_SECONDS = 2, 20
WORKSPACES = 300


async def measure(databases: Databases, kind: str) -> list[Row]:
    with databases.fresh(kind) as url:
        installed = await install(url)
        status_seconds = [await command("app.py", "status", environment=installed.environment) for _ in range(STARTS)]
        start_seconds = [await _start_seconds(installed) for _ in range(STARTS - 1)]
        began = time.perf_counter()
        async with app("serve", installed.environment) as process_id:
            start_seconds.append(time.perf_counter() - began)
            percent = await _cpu_percent(process_id)
            megabytes = psutil.Process(process_id).memory_info().rss / 1_000_000
    with databases.fresh(kind) as url:
        many = await install(url, {**NO_VENDORS, "teams": [_team(number) for number in range(WORKSPACES)]})
        await _send_setup_steps(url, many)
        async with app("serve", many.environment) as process_id:
            percent_of_many = await _cpu_percent(process_id)
    import_seconds = await _import_seconds("app, listeners.cli.status")
    return [
        Row("idle: CPU", kind, percent, "% of a core", target=at_most(1)),
        Row(f"idle: CPU, {WORKSPACES} workspaces", kind, percent_of_many, "% of a core", target=at_most(1)),
        Row("idle: memory", kind, megabytes, "MB", target=at_most(120)),
        Row("idle: time to ready", kind, median(start_seconds), "s", target=at_most(0.8)),
        Row("idle: `app.py status`", kind, median(status_seconds), "s", target=at_most(0.8)),
        Row("idle: importing what `status` needs", kind, import_seconds, "s", target=at_most(0.4)),
        Row("idle: importing what `serve` needs", kind, await _import_seconds("app, listeners.assembly"), "s"),
    ]


async def _start_seconds(installed: InstalledApp) -> float:
    began = time.perf_counter()
    async with app("serve", installed.environment):
        return time.perf_counter() - began


async def _import_seconds(modules: str) -> float:
    """The median, without the time that Python itself takes to start."""
    python = median([await command("-c", "pass") for _ in range(STARTS)])
    return median([await command("-c", f"import gc; gc.disable(); import {modules}") for _ in range(STARTS)]) - python


async def _cpu_percent(process_id: int) -> float:
    await asyncio.sleep(SETTLE_SECONDS)
    before = cpu_seconds(process_id)
    await asyncio.sleep(MEASURED_SECONDS)
    return (cpu_seconds(process_id) - before) / MEASURED_SECONDS * 100


def _team(number: int) -> dict[str, str]:
    return {"id": f"T{number:03}", "token": f"xoxb-bench-{number}", "admin": "U0ADMIN", "channel": "C0DEFAULT"}


async def _send_setup_steps(url: str, installed: InstalledApp) -> None:
    """Store the notices as if Slack had them."""
    database, now = Database(url), SteadyClock()()

    def send(connection: Connection, workspace_ids: Sequence[str]) -> None:
        for workspace_id in workspace_ids:
            notices.add_welcome(connection, workspace_id, "U0ADMIN", now, is_new=True)
        while notice := notices.claim(connection, now, 1_000):
            steps = int(notices.setup_steps(connection, notice.workspace_id))
            notices.settle(connection, notice, now + 3_600_000, channel="D0ADMIN", ts="1.2", steps=steps)

    await database.run(send, installed.workspace_ids)
    await database.close()
