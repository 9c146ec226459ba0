"""
replicas: 2,000 job changes of 8 workspaces told by 1, 2 and 4 worker processes on PostgreSQL.

Half of them go to a DRI each, half to 48 who get 20 or more each: two or three messages a lane. The vendors answer at
once and the posts per minute are raised; one message a second a channel still stands, strictly. Counted from the first
message to the last, so that when the workers looked up does not matter. All processes, PostgreSQL and the vendors
share this machine's cores: on two of them, more replicas prove order and pace, not speed. The floor of each figure is
that of one worker.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection

from bench.kit.databases import POSTGRESQL, Databases
from bench.kit.installation import Installed, installed
from bench.kit.processes import app, helper
from bench.kit.samples import job_change, owner_email
from bench.kit.deliveries import all_told, told_at, told_twice
from bench.table import Row, Target, most
from domain.job_change import JobChange
from services.clock import SteadyClock
from store.database import Database
from store.intake import job_changes
from store.intake.job_changes import NewJobChange
from store.slack import members
from store.slack.members import Member

DATABASES = (POSTGRESQL,)
PROCESSES = (1, 2, 4)
JOB_CHANGES, TEAMS, OWNERS, BUSY = 2_000, 8, 131, 6
RAISED = 1_000_000
STARTED_SECONDS = 3


async def measure(databases: Databases, kind: str) -> list[Row]:
    rows: list[Row] = []
    for processes in PROCESSES:
        said = await _told(databases, kind, processes)
        rows += _rows(kind, processes, said, rows[0].value if rows else None)
    return rows


def _rows(kind: str, processes: int, said: Mapping[str, Any], alone: float | None) -> Iterator[Row]:
    name = f"replicas: {processes} worker{'s' if processes > 1 else ''}"
    arrived = told_at(said).values()
    lanes = _lanes(said)
    gaps = [after["at"] - before["at"] for posts in lanes for before, after in pairwise(posts)]
    out_of_order = sum(
        samples != sorted(samples)
        for samples in ([each for post in posts for each in post["samples"]] for posts in lanes)
    )
    yield Row(f"{name}, told", kind, JOB_CHANGES / (max(arrived) - min(arrived)), "a second", alone)
    yield Row(f"{name}, smallest gap in a lane", kind, min(gaps), "s", target=Target(1, is_most=False))
    yield Row(f"{name}, lanes out of order", kind, out_of_order, "lanes", target=most(0))
    yield Row(f"{name}, 429s met", kind, said["refused"], "answers", target=most(0))
    yield Row(f"{name}, told twice", kind, told_twice(said), "job changes", target=most(0))


def _lanes(said: Mapping[str, Any]) -> list[list[dict[str, Any]]]:
    lanes: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for post in said["posts"]:
        lanes[tuple(post["lane"])].append(post)
    return list(lanes.values())


async def _told(databases: Databases, kind: str, processes: int) -> dict[str, Any]:
    scene = {"owners": OWNERS, "contacts": 0, "teams": TEAMS, "posts_a_minute": RAISED}
    with databases.fresh(kind) as url:
        async with AsyncExitStack() as stack:
            vendors = await stack.enter_async_context(helper("vendors", **scene))
            place = await installed(url, vendors, posts_per_minute=RAISED)
            for _ in range(processes):
                await stack.enter_async_context(app("worker", place.environment))
            await asyncio.sleep(STARTED_SECONDS)
            await _accept(url, place, vendors)
            return await all_told(vendors, JOB_CHANGES)


async def _accept(url: str, place: Installed, vendors: Mapping[str, Any]) -> None:
    """All of them at once, their DRIs named by the sender and known already."""
    database, now = Database(url), SteadyClock()()

    def accept(connection: Connection) -> None:
        for team in vendors["teams"]:
            known = {owner_email(number): Member(user_id) for number, user_id in enumerate(team["owners"])}
            members.remember(connection, team["id"], known, now, one_by_one=False)
        job_changes.add(connection, [_accepted(place, number, now) for number in range(JOB_CHANGES)])

    await database.run(accept)
    await database.close()


def _accepted(place: Installed, number: int, now: int) -> NewJobChange:
    turn = number // TEAMS
    owner = turn // 2 % (OWNERS - BUSY) + BUSY if turn % 2 else turn // 2 % BUSY
    change = JobChange.parse(job_change(number, dri_email=owner_email(owner)))
    return NewJobChange(place.workspace_ids[number % TEAMS], f"event:{number}", "bench", change.to_stored(), now)
