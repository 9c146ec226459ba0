"""
senders: the CPU time to read one job change of each shipped sender, in microseconds.

Pure work: from decoded JSON to a checked job change, as the intake does it for each payload. The row is the slowest of
all senders, each with its own sample. The baseline is our own format, which needs no reading.
"""

from __future__ import annotations

import time
from statistics import median

from bench.kit.databases import SQLITE, Databases
from bench.table import Row, at_most
from domain.job_change.model import JobChange
from services.intake.senders import registry, standard
from services.intake.senders.sender import Sender

DATABASES = (SQLITE,)
ROUNDS, PAYLOADS = 15, 500


async def measure(_: Databases, kind: str) -> list[Row]:
    times = {name: _microseconds(sender) for name, sender in registry.SHIPPED.items()}
    slowest, baseline = max(times.values()), times[standard.API.name]
    return [Row("senders: read one payload of the slowest", kind, slowest, "µs", baseline, at_most(60))]


def _microseconds(sender: Sender) -> float:
    """Time per job change, the median of several rounds."""
    times = []
    for _ in range(ROUNDS):
        began = time.thread_time()
        for _ in range(PAYLOADS):
            (job_change,) = registry.read(sender.sample, sender.name).job_changes
            JobChange.parse(job_change)
        times.append((time.thread_time() - began) * 1_000_000 / PAYLOADS)
    return median(times)
