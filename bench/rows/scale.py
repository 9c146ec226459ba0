"""
scale: what a claim and an accept cost with 10,000, 100,000 and 1,000,000 job changes waiting.

All of them wait for routing and also have a delivery waiting, in the same 10,000 lanes of 100 workspaces. They come ten
per lane and 200 per workspace, so that each claim finds the same amount of work, whatever waits behind it. A cost is
that of the whole transaction with its commit, the median of 24. The three sizes are measured in turns, each in its own
database, so that a busy moment affects all of them. The baseline is the cost with 10,000.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from statistics import median

from bench.kit.backlog import IN_A_LANE, IN_A_WORKSPACE, NOW, PAYLOAD, WORKSPACES, add_workspaces, fill
from bench.kit.databases import POSTGRESQL, SQLITE, Databases
from bench.table import Row, Target, at_most, at_most_of_baseline
from domain.job_change.new import NewJobChange
from store.database import Database
from store.delivery import lanes, routing
from store.intake import job_changes

DATABASES = (SQLITE, POSTGRESQL)
SIZES = (10_000, 100_000, 1_000_000)
TIMES = 24
LEASE_MS = 30_000
LANES_AT_ONCE = 32
ACCEPTED_AT_ONCE = 20


@dataclass(frozen=True)
class Operation:
    """A transaction, the number of items that it must find, and the target with 1,000,000 waiting."""

    name: str
    do: Callable[[Database], int]
    expected: int
    target: Target

    def milliseconds(self, database: Database) -> float:
        """Raises RuntimeError when it does not find the expected number of items."""
        start = time.perf_counter()
        items = self.do(database)
        milliseconds = (time.perf_counter() - start) * 1_000
        if items != self.expected:
            raise RuntimeError(f"expected {self.expected} items, got {items}")
        return milliseconds


async def measure(databases: Databases, kind: str) -> list[Row]:
    with ExitStack() as stack:
        databases_by_size = [stack.enter_context(_filled(databases, kind, size)) for size in SIZES]
        return [
            row for operation in _OPERATIONS for row in _rows(operation, kind, _costs(operation, databases_by_size))
        ]


@contextmanager
def _filled(databases: Databases, kind: str, size: int) -> Iterator[Database]:
    with databases.fresh(kind) as url:
        database = Database(url)
        database.run_sync(add_workspaces)
        fill(database, size)
        yield database
        database.engine.dispose()


def _costs(operation: Operation, databases_by_size: Sequence[Database]) -> list[float]:
    """The median for each database, in milliseconds."""
    rounds = [[operation.milliseconds(database) for database in databases_by_size] for _ in range(TIMES)]
    return [median(costs) for costs in zip(*rounds, strict=True)]


def _rows(operation: Operation, kind: str, costs: list[float]) -> Iterator[Row]:
    name = f"scale: {operation.name}"
    yield Row(f"{name}, 100,000 waiting", kind, costs[1], "ms", costs[0])
    yield Row(f"{name}, 1,000,000 waiting", kind, costs[2], "ms", costs[0], operation.target)


_milliseconds = count(NOW)
"""The time passes, so that workspaces take turns."""


def _claim_lanes(database: Database) -> int:
    claims = database.run_sync(lanes.claim, next(_milliseconds), LEASE_MS, LANES_AT_ONCE)
    return sum(len(claim.deliveries) for claim in claims)


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


_OPERATIONS = (
    Operation(f"claim {LANES_AT_ONCE} lanes", _claim_lanes, LANES_AT_ONCE * IN_A_LANE, at_most(15)),
    Operation("claim a batch", _claim_batch, IN_A_WORKSPACE, at_most_of_baseline(2)),
    Operation(f"accept {ACCEPTED_AT_ONCE}", _accept, ACCEPTED_AT_ONCE, at_most_of_baseline(2)),
)
