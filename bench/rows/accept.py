"""
accept: durable job changes a second through the real door, and how long each waits for its 202.

The app's web half in a process of its own, 64 connections, signed requests of about 1 KB, the load generator in
another process. Its floor is a bare aiohttp handler in the same process model that reads the body, parses the JSON and
answers 202, measured in turns with it. The generator is lean (plain sockets, all signed beforehand): an ordinary client
spends more on a request than the bare handler does, so it would measure itself, and flatter us. The CPU of a job change
is that of the server's process alone, which tells the same on a busy machine. Afterwards every id that was answered
must be a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any

from sqlalchemy import Connection, select

from bench.kit.databases import POSTGRESQL, SQLITE, Databases
from bench.kit.installation import installed
from bench.kit.processes import app, busy_seconds, errand, helper
from bench.table import Row, least_of_floor, most
from store.database import Database
from store.schema import job_changes

DATABASES = (SQLITE, POSTGRESQL)
ROUNDS = 3
REQUESTS = 8_000
BATCHES, BATCH = 150, 100
WARM_UP = 500


@dataclass(frozen=True)
class Door:
    """A server, and who may post there."""

    process_id: int
    port: int
    workspace_id: str
    secret: str = field(repr=False)

    async def take(self, requests: int, first: int = 0, batch: int = 1) -> Taken:
        """Send it requests with the job changes from number *first* on. Raises RuntimeError if one is not accepted."""
        to = {"port": self.port, "workspace_id": self.workspace_id, "secret": self.secret}
        busy = busy_seconds(self.process_id)
        sent = await errand("load", **to, requests=requests, first=first, batch=batch)
        if sent["others"]:
            raise RuntimeError(f"not all were accepted: {sorted(set(sent['others']))}")
        return Taken(requests * batch, busy_seconds(self.process_id) - busy, sent)


@dataclass(frozen=True)
class Taken:
    """So many job changes were accepted; *busy* are the seconds of CPU that the server used for them."""

    job_changes: int
    busy: float
    sent: dict[str, Any] = field(repr=False)

    @property
    def rate(self) -> float:
        """Job changes a second."""
        seconds: float = self.sent["seconds"]
        return self.job_changes / seconds

    @property
    def p99(self) -> float:
        """Of a request, in milliseconds."""
        latencies: list[float] = self.sent["latencies"]
        return quantiles(latencies, n=100)[98] * 1_000


async def measure(databases: Databases, kind: str) -> list[Row]:
    with databases.fresh(kind) as url:
        place = await installed(url)
        async with helper("bare") as bare, app("web", place.environment) as process_id:
            ours = Door(process_id, place.port, place.workspace_id, place.secret)
            theirs = Door(bare["process_id"], bare["port"], place.workspace_id, place.secret)
            for door in (ours, theirs):
                await door.take(WARM_UP, first=10_000_000)
            ones, floors, batches, batch_floors = [], [], [], []
            for number in range(ROUNDS):
                floors.append(await theirs.take(REQUESTS))
                ones.append(await ours.take(REQUESTS, first=number * REQUESTS))
                batch_floors.append(await theirs.take(BATCHES, batch=BATCH))
                batches.append(await ours.take(BATCHES, first=20_000_000 + number * BATCHES * BATCH, batch=BATCH))
        lost = await _lost(url, [each for taken in (*ones, *batches) for each in taken.sent["ids"]])
    return [
        Row("accept: one a request", kind, _rate(ones), "a second", _rate(floors), least_of_floor(0.6)),
        Row("accept: one a request, CPU of each", kind, _cpu(ones), "µs", _cpu(floors)),
        Row("accept: one a request, p99", kind, _p99(ones), "ms", _p99(floors)),
        Row("accept: 100 a request", kind, _rate(batches), "a second", _rate(batch_floors)),
        Row("accept: 100 a request, CPU of each", kind, _cpu(batches), "µs", _cpu(batch_floors)),
        Row("accept: 100 a request, p99", kind, _p99(batches), "ms", _p99(batch_floors)),
        Row("accept: answered 202 and not stored", kind, lost, "job changes", target=most(0)),
    ]


def _rate(rounds: Sequence[Taken]) -> float:
    return median(taken.rate for taken in rounds)


def _cpu(rounds: Sequence[Taken]) -> float:
    return median(taken.busy / taken.job_changes * 1_000_000 for taken in rounds)


def _p99(rounds: Sequence[Taken]) -> float:
    return median(taken.p99 for taken in rounds)


async def _lost(url: str, promised: Sequence[str]) -> int:
    """How many ids are no row, or were given to more than one."""
    database = Database(url)
    stored = await database.run(_ids)
    await database.close()
    return len(set(promised) - stored) + len(promised) - len(set(promised))


def _ids(connection: Connection) -> set[str]:
    return set(connection.execute(select(job_changes.c.id)).scalars())
