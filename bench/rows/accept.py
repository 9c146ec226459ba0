"""
accept: how many job changes per second the intake stores, and how long a sender waits for the 202.

The `web` process serves 64 connections with signed requests of about 1 KB. The load generator is another process. The
baseline is a bare aiohttp handler on the same event loop that reads the body, parses the JSON and answers 202. The
two are measured in turns with the same generator. The handler leaves out the id, the signature, limits, checks and the
database. "While its worker delivers" is `serve` on SQLite, as most run it: its worker looks up and notifies 100
owners for what is accepted, with the sandbox for Slack and Salesforce on the same cores, and its CPU is counted. The
generator is lean (plain sockets, requests signed beforehand), because an ordinary client spends more CPU on a request
than the bare handler and would measure itself. CPU per job change counts only the server's process, so it is
comparable on a busy machine. At the end, every id that was answered must be a stored row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any

from sqlalchemy import Connection, select

from bench.kit.databases import POSTGRESQL, SQLITE, Databases
from bench.kit.installation import install
from bench.kit.processes import app, cpu_seconds, helper, program
from bench.table import Row, at_least, at_least_of_baseline, at_most
from store.database import Database
from store.schema import job_changes

DATABASES = (SQLITE, POSTGRESQL)
ROUNDS = 3
REQUESTS = 8_000
BATCHES, BATCH = 150, 100
WARM_UP = 500
OWNERS, CONTACTS = 100, 1_000


@dataclass(frozen=True)
class Server:
    """A server process, and the credentials for posting to it."""

    process_id: int
    port: int
    workspace_id: str
    secret: str = field(repr=False)

    async def post(self, requests: int, first: int = 0, batch: int = 1) -> Round:
        """Post job changes, numbered from `first`. Raises RuntimeError if one is not accepted."""
        target = {"port": self.port, "workspace_id": self.workspace_id, "secret": self.secret}
        cpu_before = cpu_seconds(self.process_id)
        load = await program("load", **target, requests=requests, first=first, batch=batch)
        if load["others"]:
            raise RuntimeError(f"not all were accepted: {sorted(set(load['others']))}")
        return Round(requests * batch, cpu_seconds(self.process_id) - cpu_before, load)


@dataclass(frozen=True)
class Round:
    """The server accepted `job_changes` and used `cpu` seconds for them. `load` is the output of `bench.kit.load`."""

    job_changes: int
    cpu: float
    load: dict[str, Any] = field(repr=False)

    @property
    def rate(self) -> float:
        """Job changes per second."""
        seconds: float = self.load["seconds"]
        return self.job_changes / seconds

    @property
    def p99(self) -> float:
        """Latency of a request, in milliseconds."""
        latencies: list[float] = self.load["latencies"]
        return quantiles(latencies, n=100)[98] * 1_000


async def measure(databases: Databases, kind: str) -> list[Row]:
    with databases.fresh(kind) as url:
        installed = await install(url)
        async with helper("bare") as bare, app("web", installed.environment) as process_id:
            ours = Server(process_id, installed.port, installed.workspace_id, installed.secret)
            baseline = Server(bare["process_id"], bare["port"], installed.workspace_id, installed.secret)
            for server in (ours, baseline):
                await server.post(WARM_UP, first=10_000_000)
            singles, single_baselines, batches, batch_baselines = [], [], [], []
            for number in range(ROUNDS):
                single_baselines.append(await baseline.post(REQUESTS))
                singles.append(await ours.post(REQUESTS, first=number * REQUESTS))
                batch_baselines.append(await baseline.post(BATCHES, batch=BATCH))
                batches.append(await ours.post(BATCHES, first=20_000_000 + number * BATCHES * BATCH, batch=BATCH))
        answered = [job_change_id for posted in (*singles, *batches) for job_change_id in posted.load["ids"]]
        lost = await _count_lost(url, answered)
    one, many = "accept: one per request", "accept: 100 per request"
    return [
        Row(one, kind, _rate(singles), "per second", _rate(single_baselines), at_least_of_baseline(0.4)),
        Row(f"{one}, CPU per job change", kind, _cpu(singles), "µs", _cpu(single_baselines), at_most(200)),
        Row(f"{one}, p99", kind, _p99(singles), "ms", _p99(single_baselines), at_most(20)),
        Row(many, kind, _rate(batches), "per second", _rate(batch_baselines)),
        Row(f"{many}, CPU per job change", kind, _cpu(batches), "µs", _cpu(batch_baselines), at_most(45)),
        Row(f"{many}, p99", kind, _p99(batches), "ms", _p99(batch_baselines)),
        Row("accept: answered 202 but not stored", kind, lost, "job changes", target=at_most(0)),
        *(await _while_delivering(databases) if kind == SQLITE else []),
    ]


async def _while_delivering(databases: Databases) -> list[Row]:
    with databases.fresh(SQLITE) as url:
        async with helper("vendors", owners=OWNERS, contacts=CONTACTS) as vendors:
            installed = await install(url, vendors)
            async with app("serve", installed.environment) as process_id:
                server = Server(process_id, installed.port, installed.workspace_id, installed.secret)
                await server.post(WARM_UP, first=10_000_000)
                rounds = [await server.post(REQUESTS, first=number * REQUESTS) for number in range(ROUNDS)]
    name = "accept: while its worker delivers"
    return [
        Row(name, SQLITE, _rate(rounds), "per second", target=at_least(2_500)),
        Row(f"{name}, CPU per job change", SQLITE, _cpu(rounds), "µs", target=at_most(400)),
        Row(f"{name}, p99", SQLITE, _p99(rounds), "ms", target=at_most(60)),
    ]


def _rate(rounds: Sequence[Round]) -> float:
    return median(posted.rate for posted in rounds)


def _cpu(rounds: Sequence[Round]) -> float:
    return median(posted.cpu / posted.job_changes * 1_000_000 for posted in rounds)


def _p99(rounds: Sequence[Round]) -> float:
    return median(posted.p99 for posted in rounds)


async def _count_lost(url: str, answered: Sequence[str]) -> int:
    """How many answered ids were not stored, or were answered more than once."""
    database = Database(url)
    stored = await database.run(_stored_ids)
    await database.close()
    return len(set(answered) - stored) + len(answered) - len(set(answered))


def _stored_ids(connection: Connection) -> set[str]:
    return set(connection.execute(select(job_changes.c.id)).scalars())
