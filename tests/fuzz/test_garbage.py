"""The served app under garbage: nothing breaks, nothing grows, nothing is stored, and honest senders notice nothing."""

from __future__ import annotations

import asyncio
import re
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import psutil
import pytest
from sqlalchemy import Connection, func, select

from store.slack.sdk_stores import metadata
from tests.chaos.rig.processes import Rig, rig_on
from tests.fuzz.corpus import ROUTES, Garbage, Target, garbage
from tests.fuzz.wire import Honest, Tally, p99, throw

pytestmark = pytest.mark.process

WARM_UP = 1_000
"""Requests for each route after which a server has all in memory that it keeps there, such as addresses it has met."""

A_SECOND = 300
"""
Ten times what the honest sender asks. As fast as can be, garbage and server would leave none of two cores to the
sender, and it would measure that.
"""

MOST_GROWTH = 30 * 1024 * 1024
AS_GOOD_AS = 0.015
"""Seconds: what is below is as good as the usual, however good that is."""

FOLLOW_UPS = {
    "job_changes",
    "deliveries",
    "lanes",
    "posts",
    "turns",
    "trace",
    "days",
    "slack_events",
    "slack_signs",
    "slack_oauth_states",
    "members",
    "pauses",
    "salesforce_connections",
}
"""What grows by itself with what was accepted, heard or begun; see the tests for its bounds."""

MOST_STATES = 10_000
"""Begun installations that are kept; the oldest are pushed out."""


@dataclass
class Fortress:
    """A workspace, and the process that serves it."""

    rig: Rig
    process: Process
    target: Target
    asked: int
    tally: Tally = field(default_factory=Tally)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.rig.port}/v1/workspaces/{self.rig.team.id}/job-changes"

    @property
    def memory(self) -> int:
        return psutil.Process(self.process.pid).memory_info().rss

    async def rows(self) -> dict[str, int]:
        found = await self.rig.look(_rows)
        assert isinstance(found, dict)
        return found

    async def honest(self, name: str) -> Honest:
        return await Honest.start(self.url, self.rig.intake_key, name)


def _rows(connection: Connection) -> dict[str, int]:
    return {
        table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
        for table in metadata.sorted_tables
    }


@pytest.fixture
async def fortress(sqlite_url: str, request: pytest.FixtureRequest) -> AsyncIterator[Fortress]:
    async with rig_on(sqlite_url, owners=1) as rig:
        process = await rig.start("serve")
        target = Target(rig.team.id, rig.intake_key, rig.slack.app.signing_secret)
        yield Fortress(rig, process, target, request.config.getoption("--requests"))


async def test_garbage_breaks_nothing_and_is_not_stored(fortress: Fortress, capsys: pytest.CaptureFixture[str]) -> None:
    """On every route: no 5xx, nothing that hangs; each row is one that was answered with yes; memory stays."""
    warming = await fortress.honest("warming")
    for route in ROUTES:
        warm_up = garbage(route, fortress.target, min(WARM_UP, fortress.asked // 4), seed=1)
        await throw(fortress.rig.port, warm_up, Tally())
    assert (await warming.stop())[0].keys() == {"202"}
    before, memory = await fortress.rows(), fortress.memory

    sender, quiet = await fortress.honest("honest"), list[tuple[float, float]]()
    for route in ROUTES:
        begun = time.perf_counter()
        await asyncio.sleep(min(5, fortress.asked / 400))
        quiet.append((begun, time.perf_counter()))
        await throw(fortress.rig.port, garbage(route, fortress.target, fortress.asked), fortress.tally, A_SECOND)
    answers, took = await sender.stop()
    usually = [seconds for asked, seconds in took if any(begin <= asked <= end for begin, end in quiet)]
    meanwhile = [seconds for asked, seconds in took if not any(begin <= asked <= end for begin, end in quiet)]

    after, tally = await fortress.rows(), fortress.tally
    grown = fortress.memory - memory
    with capsys.disabled():
        told = f"p99 of honest senders: {p99(usually) * 1000:.1f} ms usually, {p99(meanwhile) * 1000:.1f} ms meanwhile"
        print(  # noqa: T201 - the figures of docs/promises.md
            f"\n{tally.statuses.total():,} answers, {dict(tally.statuses)}; {told}; memory {grown / 2**20:+.1f} MiB"
        )
    assert tally.bad == []
    assert answers.keys() == {"202"}
    assert after["job_changes"] - before["job_changes"] == tally.accepted + answers["202"]
    assert after["slack_oauth_states"] <= MOST_STATES
    assert {name for name in after if after[name] != before[name]} <= FOLLOW_UPS
    assert grown < MOST_GROWTH
    if fortress.asked >= 1_000:  # else there are too few to speak of the slowest hundredth
        assert p99(meanwhile) <= max(2 * p99(usually), AS_GOOD_AS)


async def test_slow_clients_do_not_block_other_clients(fortress: Fortress) -> None:
    """Slow-loris: hundreds of connections that say a byte now and then, in their headers or their body."""
    port = fortress.rig.port
    head = b"POST /slack/events HTTP/1.1\r\nHost: x\r\n"
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(300)]
    for number, (_, writer) in enumerate(opened):
        writer.write(head + (b"Content-Length: 1000\r\n\r\n" if number % 2 else b""))
    sender = await fortress.honest("slow")
    for _ in range(max(3, min(40, fortress.asked // 100))):
        for _, writer in opened:
            writer.write(b"x")
        await asyncio.sleep(0.5)
    answers, took = await sender.stop()
    for _, writer in opened:
        writer.close()

    assert answers.keys() == {"202"}
    assert p99([seconds for _, seconds in took]) < 1


async def test_a_thousand_pipelined_requests_are_answered_in_order(fortress: Fortress) -> None:
    """Pipelining: as many answers as requests, without keeping them all in memory at once."""
    memory = fortress.memory
    reader, writer = await asyncio.open_connection("127.0.0.1", fortress.rig.port)
    asking = b"".join(
        b"GET /nowhere/%d HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" % number
        for number in range(500)
    )
    writer.write(asking[:-2] + b"Connection: close\r\n\r\n")
    async with asyncio.timeout(60):
        answer = await reader.read()
    writer.close()

    statuses = re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)
    assert statuses == [b"404", b"200"] * 500
    assert fortress.memory - memory < MOST_GROWTH


async def test_request_smuggling_is_refused(fortress: Fortress) -> None:
    """Smuggling: a length and chunks together, or two lengths, are refused and end the connection."""
    hidden = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    for framing in (
        b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" % (len(hidden) + 5),
        b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(hidden),
    ):
        sent = b"POST /slack/events HTTP/1.1\r\nHost: x\r\n" + framing + hidden
        tally = await throw(fortress.rig.port, iter([Garbage(sent, is_answered=False)]), Tally())

        assert set(tally.statuses) <= {400}, sent
