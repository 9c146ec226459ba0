"""Garbage does not break the served app, fill its memory or database, or slow down valid senders."""

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
from tests.chaos.rig.processes import Rig, open_rig
from tests.fuzz.client import Tally, ValidSender, p99, send_all
from tests.fuzz.corpus import ROUTES, Garbage, Target, garbage

pytestmark = pytest.mark.process

WARM_UP = 1_000
"""Requests for each route that fill the server's caches, such as addresses, before memory is measured."""

A_SECOND = 300
"""
Ten times the rate of the valid sender. At full speed, garbage and server would use up both cores, and the sender
would measure that.
"""

MOST_GROWTH = 30 * 1024 * 1024
FAST_ENOUGH = 0.015
"""Seconds. A faster response passes, even if responses without garbage are faster still."""

MAY_GROW = {
    "job_changes",
    "deliveries",
    "lanes",
    "posts",
    "turns",
    "trace",
    "rule_results",
    "days",
    "slack_events",
    "slack_signs",
    "members",
    "pauses",
    "salesforce_connections",
    "attached_reports",
    "known_moves",
    "refused_payloads",  # of a sender that is named and has a valid key, for a week
}
"""Tables that grow with accepted job changes, Slack requests and started installations."""


@dataclass
class AttackedServer:
    """A serving process, its workspace, and the responses to garbage."""

    rig: Rig
    process: Process
    target: Target
    requests: int
    tally: Tally = field(default_factory=Tally)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.rig.port}/v1/workspaces/{self.rig.team.id}/job-changes"

    @property
    def memory(self) -> int:
        return psutil.Process(self.process.pid).memory_info().rss

    async def rows(self) -> dict[str, int]:
        return await self.rig.read(_rows)

    async def start_sender(self, name: str) -> ValidSender:
        return await ValidSender.start(self.url, self.rig.intake_key, name)


def _rows(connection: Connection) -> dict[str, int]:
    return {
        table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
        for table in metadata.sorted_tables
    }


@pytest.fixture
async def server(sqlite_url: str, request: pytest.FixtureRequest) -> AsyncIterator[AttackedServer]:
    async with open_rig(sqlite_url, owners=1) as rig:
        process = await rig.start("serve")
        target = Target(rig.team.id, rig.intake_key, rig.slack.app.signing_secret)
        yield AttackedServer(rig, process, target, request.config.getoption("--requests"))


async def test_garbage_breaks_nothing_and_is_not_stored(
    server: AttackedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """No route answers with 5xx or hangs, only accepted job changes are stored, and memory is stable."""
    warming = await server.start_sender("warming")
    for route in ROUTES:
        warm_up = garbage(route, server.target, min(WARM_UP, server.requests // 4), seed=1)
        await send_all(server.rig.port, warm_up, Tally())
    assert (await warming.stop())[0].keys() == {"202"}
    before, memory = await server.rows(), server.memory

    sender, quiet = await server.start_sender("valid"), list[tuple[float, float]]()
    for route in ROUTES:
        began = time.perf_counter()
        await asyncio.sleep(min(5, server.requests / 400))
        quiet.append((began, time.perf_counter()))
        await send_all(server.rig.port, garbage(route, server.target, server.requests), server.tally, A_SECOND)
    statuses, timings = await sender.stop()
    before_garbage = [seconds for start, seconds in timings if any(begin <= start <= end for begin, end in quiet)]
    under_garbage = [seconds for start, seconds in timings if not any(begin <= start <= end for begin, end in quiet)]

    after, tally = await server.rows(), server.tally
    growth = server.memory - memory
    with capsys.disabled():
        print(  # noqa: T201 - the figures of docs/promises.md
            f"\n{tally.statuses.total():,} answers, {dict(tally.statuses)}; p99 of valid senders: "
            f"{p99(before_garbage) * 1000:.1f} ms without garbage, {p99(under_garbage) * 1000:.1f} ms with it; "
            f"memory {growth / 2**20:+.1f} MiB"
        )
    assert tally.bad == []
    assert statuses.keys() == {"202"}
    assert after["job_changes"] - before["job_changes"] == tally.accepted + statuses["202"]
    assert {name for name in after if after[name] != before[name]} <= MAY_GROW
    assert growth < MOST_GROWTH
    if server.requests >= 1_000:  # with fewer requests there is no meaningful p99
        assert p99(under_garbage) <= max(2 * p99(before_garbage), FAST_ENOUGH)


async def test_slow_clients_do_not_block_other_clients(server: AttackedServer) -> None:
    """Slowloris: hundreds of connections that send a byte at a time do not slow down others."""
    port = server.rig.port
    head = b"POST /slack/events HTTP/1.1\r\nHost: x\r\n"
    connections = [await asyncio.open_connection("127.0.0.1", port) for _ in range(300)]
    for number, (_, writer) in enumerate(connections):
        writer.write(head + (b"Content-Length: 1000\r\n\r\n" if number % 2 else b""))
    sender = await server.start_sender("slow")
    for _ in range(max(3, min(40, server.requests // 100))):
        for _, writer in connections:
            writer.write(b"x")
        await asyncio.sleep(0.5)
    statuses, timings = await sender.stop()
    for _, writer in connections:
        writer.close()

    assert statuses.keys() == {"202"}
    assert p99([seconds for _, seconds in timings]) < 1


async def test_a_thousand_pipelined_requests_are_answered_in_order(server: AttackedServer) -> None:
    """Pipelined requests are answered in order, without keeping all responses in memory."""
    memory = server.memory
    reader, writer = await asyncio.open_connection("127.0.0.1", server.rig.port)
    requests = b"".join(
        b"GET /nowhere/%d HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" % number
        for number in range(500)
    )
    writer.write(requests[:-2] + b"Connection: close\r\n\r\n")
    async with asyncio.timeout(60):
        answer = await reader.read()
    writer.close()

    statuses = re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)
    assert statuses == [b"404", b"200"] * 500
    assert server.memory - memory < MOST_GROWTH


async def test_request_smuggling_is_refused(server: AttackedServer) -> None:
    """Request smuggling: contradictory lengths are refused and close the connection."""
    hidden = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    for framing in (
        b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" % (len(hidden) + 5),
        b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(hidden),
    ):
        sent = b"POST /slack/events HTTP/1.1\r\nHost: x\r\n" + framing + hidden
        tally = await send_all(server.rig.port, iter([Garbage(sent, is_answered=False)]), Tally())

        assert set(tally.statuses) <= {400}, sent
