"""
scale: what a claim and an accept cost with 10 thousand, 100 thousand and a million job changes waiting.

All of them wait to be routed and to be told, in the same 10,000 lanes of 100 workspaces. They come ten to a lane and
200 to a workspace, so that each claim finds as much to do whatever waits behind it. Each cost is that of the whole
transaction with its commit, the median of 25. The three are measured in turns, a database each, so that a busy moment
hits all of them; the floor is the cost with 10 thousand.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from statistics import median

from bench.kit.databases import POSTGRESQL, SQLITE, Databases
from bench.kit.backlog import IN_A_LANE, IN_A_WORKSPACE, NOW, PAYLOAD, WORKSPACES, add_places, fill
from bench.table import Row, most_of_floor
from store.database import Database
from store.delivery import lanes, routing
from store.intake import job_changes
from store.intake.job_changes import NewJobChange

DATABASES = (SQLITE, POSTGRESQL)
SIZES = (10_000, 100_000, 1_000_000)
TIMES = 25
LEASE_MS = 30_000
LANES_AT_ONCE = 32
ACCEPTED_AT_ONCE = 20


@dataclass(frozen=True)
class Work:
    """What is done in one transaction, and how much it always finds to do."""

    name: str
    do: Callable[[Database], int]
    finds: int

    def milliseconds(self, database: Database) -> float:
        """Raises RuntimeError when it does not find as much to do as it should."""
        start = time.perf_counter()
        found = self.do(database)
        taken = (time.perf_counter() - start) * 1_000
        if found != self.finds:
            raise RuntimeError(f"{self.finds} were to be found, not {found}")
        return taken


async def measure(databases: Databases, kind: str) -> list[Row]:
    with ExitStack() as stack:
        filled = [stack.enter_context(_filled(databases, kind, size)) for size in SIZES]
        return [row for work in _WORK for row in _rows(work.name, kind, _costs(work, filled))]


@contextmanager
def _filled(databases: Databases, kind: str, size: int) -> Iterator[Database]:
    with databases.fresh(kind) as url:
        database = Database(url)
        database.run_sync(add_places)
        fill(database, size)
        yield database
        database.engine.dispose()


def _costs(work: Work, filled: Sequence[Database]) -> list[float]:
    """Of each database, the median in milliseconds."""
    rounds = [[work.milliseconds(database) for database in filled] for _ in range(TIMES)]
    return [median(of_one) for of_one in zip(*rounds, strict=True)]


def _rows(name: str, kind: str, costs: list[float]) -> Iterator[Row]:
    yield Row(f"scale: {name}, 100 thousand waiting", kind, costs[1], "ms", costs[0])
    yield Row(f"scale: {name}, a million waiting", kind, costs[2], "ms", costs[0], most_of_floor(2))


def _claim_lanes(database: Database) -> int:
    claims = database.run_sync(lanes.claim, NOW, LEASE_MS, LANES_AT_ONCE)
    return sum(len(each.deliveries) for each in claims)


def _claim_batch(database: Database) -> int:
    batch = database.run_sync(routing.claim, NOW, LEASE_MS)
    return len(batch.job_changes) if batch else 0


_numbers = count()


def _accept(database: Database) -> int:
    items = [
        NewJobChange(f"T{number % WORKSPACES}", f"facts:{number * 2654435761 % 2**32}", "bench", PAYLOAD, NOW + 1)
        for number in (next(_numbers) for _ in range(ACCEPTED_AT_ONCE))
    ]
    return sum(bool(added and added.is_new) for added in database.run_sync(job_changes.add, items))


_WORK = (
    Work(f"claiming {LANES_AT_ONCE} lanes", _claim_lanes, LANES_AT_ONCE * IN_A_LANE),
    Work("claiming a batch", _claim_batch, IN_A_WORKSPACE),
    Work(f"accepting {ACCEPTED_AT_ONCE}", _accept, ACCEPTED_AT_ONCE),
)
