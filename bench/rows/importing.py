"""
import: a CSV of 1,000,000 rows (250,000 on PostgreSQL) through `python app.py import`.

The import is a process of its own, as an operator starts it, on a database as durable as in production. Then the first
100,000 rows are imported again, when every one is a duplicate. The baseline reads, parses and stores 50,000 of the same
rows in batches of the same size, one after the other in one process. At the end, every row must be exactly one job
change.
"""

from __future__ import annotations

import asyncio
import csv
import os
import subprocess
import sys
import time
from contextlib import suppress
from itertools import islice
from pathlib import Path

import psutil
from sqlalchemy import Connection, func, select

from bench.kit.databases import POSTGRESQL, SQLITE, Databases
from bench.kit.installation import InstalledApp, install
from bench.kit.processes import ROOT
from bench.table import Row, at_least, at_most
from services.clock import SteadyClock
from services.intake.files.columns import RowReader
from services.intake.files.formats import detect_format
from services.intake.files.reading import AT_ONCE, FileReader
from services.intake.intake import LARGEST_JOB_CHANGE
from store.database import Database
from store.intake import job_changes
from store.schema import job_changes as job_change_rows

DATABASES = (SQLITE, POSTGRESQL)
ROWS = {SQLITE: 1_000_000, POSTGRESQL: 250_000}
STORED_ROWS, BASELINE_ROWS = 100_000, 50_000
LEAST_ROWS_A_SECOND, MOST_MEGABYTES = 15_000, 150
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
    path, stored_path, rows = databases.folder / "people.csv", databases.folder / "stored.csv", ROWS[kind]
    _write(path, rows)
    _write(stored_path, STORED_ROWS)
    with databases.fresh(kind) as url:
        baseline = await _baseline(path, url)
    with databases.fresh(kind) as url:
        installed = await install(url)
        seconds, megabytes = await asyncio.to_thread(_import, path, installed)
        seconds_again, _ = await asyncio.to_thread(_import, stored_path, installed)
        wrong = abs(await _count_stored(url) - rows)
    return [
        Row("import: CSV rows", kind, rows / seconds, "per second", baseline, at_least(LEAST_ROWS_A_SECOND)),
        Row("import: CSV rows stored before", kind, STORED_ROWS / seconds_again, "per second", baseline),
        Row("import: memory", kind, megabytes, "MB", target=at_most(MOST_MEGABYTES)),
        Row("import: rows lost or duplicated", kind, wrong, "rows", target=at_most(0)),
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


async def _baseline(path: Path, url: str) -> float:
    """Rows per second, in a database of its own: in the same one, the moves of all rows would have been reported."""
    installed, database, now = await install(url), Database(url), SteadyClock()
    file = detect_format(path)
    reader = FileReader(file, RowReader(None, {}, file.header), installed.workspace_id, LARGEST_JOB_CHANGE)
    began = time.monotonic()
    for rows in islice(reader.read(0, now), BASELINE_ROWS // AT_ONCE):
        await database.run(job_changes.add, rows.job_changes)
    seconds = time.monotonic() - began
    await database.close()
    return BASELINE_ROWS / seconds


def _import(path: Path, installed: InstalledApp) -> tuple[float, float]:
    """Run the import, and return its seconds and the peak memory of its processes in MB, with shared pages once."""
    command = [sys.executable, "app.py", "import", str(path), "--workspace", installed.workspace_id]
    began = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | dict(installed.environment),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    # Not ru_maxrss, which starts from the size of the parent process.
    peak = 0
    while process.poll() is None:
        with suppress(psutil.NoSuchProcess):
            processes = [importer := psutil.Process(process.pid), *importer.children(recursive=True)]
            peak = max(peak, sum(running.memory_full_info().pss for running in processes))
        time.sleep(0.05)
    if process.returncode:
        raise RuntimeError(f"the import ended with status {process.returncode}")
    return time.monotonic() - began, peak / 1024**2


async def _count_stored(url: str) -> int:
    def count(connection: Connection) -> int:
        stored: int = connection.execute(select(func.count()).select_from(job_change_rows)).scalar_one()
        return stored

    database = Database(url)
    job_change_count = await database.run(count)
    await database.close()
    return job_change_count
