"""
Prints what the parts of accepting a job change cost, in µs of CPU, on SQLite: `python -m bench.kit.parts`.

Each part runs in a loop by itself, so that the caches of the processor are warm. Within a request it costs more.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

from pydantic_core import from_json
from sqlalchemy import update
from standardwebhooks import Webhook

from bench.kit.databases import SQLITE, Databases
from bench.kit.installation import install
from bench.kit.samples import job_change
from domain.job_change.model import JobChange
from domain.job_change.new import NewJobChange
from services.clock import SteadyClock
from services.intake.senders import registry
from store.database import Database
from store.intake import job_changes
from store.schema import workspaces

GROUP, GROUPS = 64, 150
"""Job changes that share a commit, as on 64 connections, and how many times."""

ROUNDS = 5
SECRET = bytes(32)

Item = TypeVar("Item")


def main() -> None:
    bodies = [json.dumps(job_change(number)).encode() for number in range(2_000)]
    raws = [_decoded(body) for body in bodies]
    changes = [JobChange.parse(raw) for raw in raws]
    now = SteadyClock()()
    costs = {
        "the signature": _cost(_is_genuine, _signed(bodies)),
        "from JSON to Python": _cost(_decoded, bodies),
        "from Python to a checked job change": _cost(JobChange.parse, raws),
        "its key, the keys of its move, and the JSON that is stored": _cost(
            lambda change: NewJobChange.of("T0BENCH", change, now), changes
        ),
    }
    with tempfile.TemporaryDirectory() as folder:
        databases = Databases(Path(folder))
        alone = asyncio.run(_stored(databases, merge_reports=False))
        merged = asyncio.run(_stored(databases, merge_reports=True))
    costs |= {"the database: the row of the job change": alone, "the database: its moves": merged - alone}
    for part, cost in costs.items():
        print(f"{cost:6.1f}  {part}")


def _cost(do: Callable[[Item], object], items: Sequence[Item]) -> float:
    """The least CPU time of several rounds, in µs for each item."""
    costs = []
    for _ in range(ROUNDS):
        before = time.process_time()
        for item in items:
            do(item)
        costs.append((time.process_time() - before) / len(items))
    return min(costs) * 1_000_000


def _decoded(body: bytes) -> Any:
    return from_json(body, allow_inf_nan=False, cache_strings="keys")


def _signed(bodies: Sequence[bytes]) -> Sequence[tuple[Mapping[str, str], bytes]]:
    """Return the headers of each body."""
    at, webhook = datetime.now(UTC), Webhook(SECRET)
    return [
        (
            {
                "webhook-id": "1",
                "webhook-timestamp": str(int(at.timestamp())),
                "webhook-signature": webhook.sign("1", at, body.decode()),
            },
            body,
        )
        for body in bodies
    ]


def _is_genuine(signed: tuple[Mapping[str, str], bytes]) -> bool:
    """Read the headers and check the signature, without finding the key of the workspace."""
    headers, body = signed
    signature = registry.credentials(headers, None).signature
    assert signature is not None
    return signature.is_timely(round(time.time() * 1_000)) and signature.is_made_with(SECRET, body)


async def _stored(databases: Databases, *, merge_reports: bool) -> float:
    """The median CPU time of storing a group, in µs for each job change, with its share of the commit."""
    with databases.fresh(SQLITE) as url:
        [workspace_id] = (await install(url)).workspace_ids
        database, now, costs = Database(url), SteadyClock()(), []
        await database.run(lambda c: c.execute(update(workspaces).values(merge_reports=merge_reports)))
        for first in range(0, GROUP * GROUPS, GROUP):
            changes = [JobChange.parse(job_change(first + number)) for number in range(GROUP)]
            rows = [NewJobChange.of(workspace_id, change, now) for change in changes]
            before = time.process_time()
            database.run_sync(job_changes.add, rows)
            costs.append((time.process_time() - before) / GROUP)
        await database.close()
    return median(costs) * 1_000_000


if __name__ == "__main__":
    main()
