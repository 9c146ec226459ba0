"""
scale: what a claim and an accept cost with 10 thousand, 100 thousand and a million job changes waiting.

All of them wait to be routed and to be told, in the same 10,000 lanes of 100 workspaces. They come ten to a lane and
200 to a workspace, so that each claim finds as much to do whatever waits behind it. Each cost is that of the whole
transaction with its commit, the fastest of 15, since whatever else the machine does can only add to it; the floor is
the cost with 10 thousand waiting.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import count, pairwise

from bench.databases import POSTGRESQL, SQLITE, Databases
from bench.table import Row, most_of_floor
from bench.waiting import IN_A_LANE, IN_A_WORKSPACE, NOW, PAYLOAD, WORKSPACES, add_places, fill
from store import job_changes, lanes, routing
from store.database import Database
from store.job_changes import NewJobChange

DATABASES = (SQLITE, POSTGRESQL)
SIZES = (10_000, 100_000, 1_000_000)
TIMES = 15
LEASE_MS = 30_000
LANES_AT_ONCE = 32
ACCEPTED_AT_ONCE = 20

Cost = Callable[[Database], float]


async def measure(databases: Databases, kind: str) -> list[Row]:
    with databases.fresh(kind) as url:
        database = Database(url)
        database.run_sync(add_places)
        costs: dict[str, list[float]] = {name: [] for name in _COSTS}
        for done, size in pairwise((0, *SIZES)):
            fill(database, done, size)
            for name, cost in _COSTS.items():
                costs[name].append(cost(database))
        await database.close()
    return [row for name in _COSTS for row in _rows(name, kind, costs[name])]


def _rows(name: str, kind: str, costs: list[float]) -> Iterator[Row]:
    yield Row(f"scale: {name}, 100 thousand waiting", kind, costs[1], "ms", costs[0])
    yield Row(f"scale: {name}, a million waiting", kind, costs[2], "ms", costs[0], most_of_floor(2))


def _timed(work: Callable[[], int], expected: int) -> float:
    """The fastest in milliseconds. Raises RuntimeError when it does not find as much to do as it should."""
    taken = []
    for _ in range(TIMES):
        start = time.perf_counter()
        found = work()
        taken.append((time.perf_counter() - start) * 1_000)
        if found != expected:
            raise RuntimeError(f"{expected} were to be found, not {found}")
    return min(taken)


def _claim_lanes(database: Database) -> float:
    def claim() -> int:
        claims = database.run_sync(lanes.claim, NOW, LEASE_MS, LANES_AT_ONCE)
        return sum(len(each.deliveries) for each in claims)

    return _timed(claim, LANES_AT_ONCE * IN_A_LANE)


def _claim_batch(database: Database) -> float:
    def claim() -> int:
        batch = database.run_sync(routing.claim, NOW, LEASE_MS)
        return len(batch.job_changes) if batch else 0

    return _timed(claim, IN_A_WORKSPACE)


_numbers = count()


def _accept(database: Database) -> float:
    def accept() -> int:
        items = [
            NewJobChange(f"T{number % WORKSPACES}", f"facts:{number * 2654435761 % 2**32}", "bench", PAYLOAD, NOW + 1)
            for number in (next(_numbers) for _ in range(ACCEPTED_AT_ONCE))
        ]
        return sum(bool(added and added.is_new) for added in database.run_sync(job_changes.add, items))

    return _timed(accept, ACCEPTED_AT_ONCE)


_COSTS: dict[str, Cost] = {
    f"claiming {LANES_AT_ONCE} lanes": _claim_lanes,
    "claiming a batch": _claim_batch,
    f"accepting {ACCEPTED_AT_ONCE}": _accept,
}
