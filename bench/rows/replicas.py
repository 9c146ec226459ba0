"""
replicas: 2,000 job changes of 8 workspaces, delivered by 1, 2 and 4 worker processes on PostgreSQL.

Half of them go to a different DRI each. The other half goes to 48 DRIs with 20 or more each, which makes two or three
messages per lane. CPU is what all workers used from the first job change to the last message, divided by all job
changes. The vendors answer at once and the limit of posts per minute is raised; one message per second and
channel still applies. The rate counts from the first message to the last, so the time to start does not matter. All
processes, PostgreSQL and the vendors share the cores of one machine: on two cores, more replicas show order and pace,
not speed. The baseline is one worker.
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
from bench.kit.deliveries import count_duplicates, delivered_at, wait_for_deliveries
from bench.kit.installation import InstalledApp, install
from bench.kit.processes import app, cpu_seconds, helper
from bench.kit.samples import job_change, owner_email
from bench.table import Row, at_least, at_most
from domain.job_change.model import JobChange
from domain.job_change.new import NewJobChange
from domain.people import Member
from services.clock import SteadyClock
from store.database import Database
from store.intake import job_changes
from store.slack import members

DATABASES = (POSTGRESQL,)
RATES = {1: at_least(700), 2: None, 4: at_least(1_000)}
"""The targets for job changes per second, by the number of workers."""

JOB_CHANGES, TEAMS, OWNERS, BUSY = 2_000, 8, 131, 6
POSTS_PER_MINUTE = 1_000_000
START_SECONDS = 3


async def measure(databases: Databases, kind: str) -> list[Row]:
    rows: list[Row] = []
    for processes in RATES:
        report, cpu = await _deliver(databases, kind, processes)
        rows += _rows(kind, processes, report, cpu, rows[0].value if rows else None)
    return rows


def _rows(kind: str, processes: int, report: Mapping[str, Any], cpu: float, baseline: float | None) -> Iterator[Row]:
    """`cpu` is in seconds, of all workers."""
    name = f"replicas: {processes} worker{'s' if processes > 1 else ''}"
    arrivals = delivered_at(report).values()
    rate = JOB_CHANGES / (max(arrivals) - min(arrivals))
    lanes = _posts_by_lane(report)
    gaps = [after["at"] - before["at"] for posts in lanes for before, after in pairwise(posts)]
    samples_by_lane = ([sample for post in posts for sample in post["samples"]] for posts in lanes)
    out_of_order = sum(samples != sorted(samples) for samples in samples_by_lane)
    yield Row(f"{name}, delivered", kind, rate, "per second", baseline, RATES[processes])
    most_cpu = at_most(1.2) if processes == 1 else None  # each process begins by compiling its statements
    yield Row(f"{name}, CPU per job change", kind, cpu / JOB_CHANGES * 1_000, "ms", target=most_cpu)
    yield Row(f"{name}, smallest gap in a lane", kind, min(gaps), "s", target=at_least(1))
    yield Row(f"{name}, lanes out of order", kind, out_of_order, "lanes", target=at_most(0))
    yield Row(f"{name}, 429 responses", kind, report["refused"], "responses", target=at_most(0))
    yield Row(f"{name}, delivered twice", kind, count_duplicates(report), "job changes", target=at_most(0))


def _posts_by_lane(report: Mapping[str, Any]) -> list[list[dict[str, Any]]]:
    lanes: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for post in report["posts"]:
        lanes[tuple(post["lane"])].append(post)
    return list(lanes.values())


async def _deliver(databases: Databases, kind: str, processes: int) -> tuple[dict[str, Any], float]:
    """The report of the vendors, and the seconds of CPU that the workers used."""
    scene = {"owners": OWNERS, "contacts": 0, "teams": TEAMS, "posts_a_minute": POSTS_PER_MINUTE}
    with databases.fresh(kind) as url:
        async with AsyncExitStack() as stack:
            vendors = await stack.enter_async_context(helper("vendors", **scene))
            installed = await install(url, vendors, posts_per_minute=POSTS_PER_MINUTE)
            workers = [await stack.enter_async_context(app("worker", installed.environment)) for _ in range(processes)]
            await asyncio.sleep(START_SECONDS)
            before = sum(map(cpu_seconds, workers))
            await _accept(url, installed, vendors)
            report = await wait_for_deliveries(vendors, JOB_CHANGES)
            return report, sum(map(cpu_seconds, workers)) - before


async def _accept(url: str, installed: InstalledApp, vendors: Mapping[str, Any]) -> None:
    """Store all job changes in one transaction. The sender names each DRI, whose Slack user is already cached."""
    database, now = Database(url), SteadyClock()()

    def accept(connection: Connection) -> None:
        for team in vendors["teams"]:
            cached = {owner_email(number): Member(user_id) for number, user_id in enumerate(team["owners"])}
            members.cache(connection, team["id"], cached, now, one_by_one=False)
        job_changes.add(connection, [_new_job_change(installed, number, now) for number in range(JOB_CHANGES)])

    await database.run(accept)
    await database.close()


def _new_job_change(installed: InstalledApp, number: int, now: int) -> NewJobChange:
    turn = number // TEAMS
    owner = turn // 2 % (OWNERS - BUSY) + BUSY if turn % 2 else turn // 2 % BUSY
    payload = JobChange.parse(job_change(number, dri_email=owner_email(owner))).to_stored()
    return NewJobChange(installed.workspace_ids[number % TEAMS], f"event:{number}", "bench", payload, now)
