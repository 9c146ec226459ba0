"""
importing: a million rows of a CSV (on PostgreSQL a quarter) through `python app.py import`: rows a second, and memory.

A process of its own, as an operator starts it, on a database as durable as in production; then the first 100,000 again,
when every one is a duplicate. Its floor is the same rows read by the csv module, read as job changes and stored in
batches of the same size, with nothing around them. Afterwards every row must be one job change.
"""

from __future__ import annotations

import asyncio
import csv
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import Connection, func, select

from bench.kit.databases import POSTGRESQL, SQLITE, Databases
from bench.kit.installation import Installed, installed
from bench.kit.processes import ROOT
from bench.table import Row, least_of_floor, most
from domain.job_change import JobChange
from services.clock import SteadyClock
from services.intake.accepting import Intake
from services.intake.files.columns import Reading
from services.intake.files.importing import AT_ONCE
from store.database import Database
from store.schema import job_changes

DATABASES = (SQLITE, POSTGRESQL)
ROWS = {SQLITE: 1_000_000, POSTGRESQL: 250_000}
KNOWN_ROWS, FLOOR_ROWS = 100_000, 50_000
MOST_MEGABYTES = 200
HEADER = (
    "Event ID",
    "Full Name",
    "Work Email",
    "LinkedIn URL",
    "Previous Company",
    "Previous Title",
    "New Company",
    "New Title",
    "Change Date",
    "Score",
    "Segment",
)


async def measure(databases: Databases, kind: str) -> list[Row]:
    path, known, rows = databases.folder / "people.csv", databases.folder / "known.csv", ROWS[kind]
    _write(path, rows)
    _write(known, KNOWN_ROWS)
    with databases.fresh(kind) as url:
        place = await installed(url)
        floor = await _floor(path, url, place)
        seconds, megabytes = await asyncio.to_thread(_imported, path, place)
        again, _ = await asyncio.to_thread(_imported, known, place)
        wrong = abs(await _stored(url) - rows - FLOOR_ROWS)
    return [
        Row("importing: rows of a CSV", kind, rows / seconds, "a second", floor, least_of_floor(0.5)),
        Row("importing: rows that are known already", kind, KNOWN_ROWS / again, "a second", floor),
        Row("importing: memory", kind, megabytes, "MB", target=most(MOST_MEGABYTES)),
        Row("importing: rows lost or repeated", kind, wrong, "rows", target=most(0)),
    ]


def _write(path: Path, rows: int) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(_cells(number) for number in range(rows))


def _cells(number: int) -> list[str]:
    person = [f"event-{number}", f"Sample {number}", f"sample-{number}@initech.example"]
    profile = f"https://www.linkedin.com/in/sample-{number}"
    return [*person, profile, "Initech", "VP Sales", "Globex", "CRO", "2026-11-01", "87", "Enterprise"]


async def _floor(path: Path, url: str, place: Installed) -> float:
    """Rows a second, under another source, so that they are none of those that are imported."""
    database, reading = Database(url), Reading("floor", {}, HEADER)
    intake = Intake(database, SteadyClock(), lambda: None)
    with path.open(newline="") as file:
        rows = islice(csv.DictReader(file), FLOOR_ROWS)
        began = time.monotonic()
        for batch in _batches(rows):
            await intake.accept_read(place.workspace_id, [JobChange.parse(reading.read(row)) for row in batch])
        seconds = time.monotonic() - began
    await database.close()
    return FLOOR_ROWS / seconds


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    return iter(lambda: list(islice(rows, AT_ONCE)), [])


def _imported(path: Path, place: Installed) -> tuple[float, float]:
    """Seconds from start to end of the process, and its greatest size in megabytes."""
    command = [sys.executable, "app.py", "import", str(path), "--workspace", place.workspace_id]
    began = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | dict(place.environment),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    # Not ru_maxrss: that begins with what its parent, this benchmark, weighs.
    peak = 0
    while process.poll() is None:
        with suppress(psutil.NoSuchProcess):
            peak = max(peak, psutil.Process(process.pid).memory_info().rss)
        time.sleep(0.05)
    if process.returncode:
        raise RuntimeError(f"the import ended with status {process.returncode}")
    return time.monotonic() - began, peak / 1024**2


async def _stored(url: str) -> int:
    def count(connection: Connection) -> int:
        found: int = connection.execute(select(func.count()).select_from(job_changes)).scalar_one()
        return found

    database = Database(url)
    stored = await database.run(count)
    await database.close()
    return stored
