"""A raw client that sends garbage and records the responses, and a valid sender in a process of its own."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

from tests.fuzz.corpus import Garbage

ROOT = Path(__file__).parents[2]
AT_ONCE = 2
CATCH_UP_SECONDS = 0.1
HANGS_AFTER_SECONDS = 25.0
"""Longer than the server waits for a body."""

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")


@dataclass
class Tally:
    """`accepted` counts job changes reported as stored; `bad` lists wrong responses with their requests."""

    statuses: Counter[int] = field(default_factory=Counter)
    unanswered: int = 0
    accepted: int = 0
    bad: list[tuple[object, bytes]] = field(default_factory=list)

    def add(self, sent: Garbage, answer: bytes) -> None:
        statuses = [int(status) for status in _STATUS.findall(answer)]
        self.statuses.update(statuses)
        self.accepted += answer.count(b'"status":"accepted"')
        if any(status >= 500 for status in statuses):
            self.bad.append((statuses, sent.sent[:2_000]))
        if not statuses:
            self.unanswered += 1
            if sent.is_answered:
                self.bad.append(("no answer", sent.sent[:2_000]))


async def send_all(port: int, requests: Iterator[Garbage], tally: Tally, a_second: float = inf) -> Tally:
    """Send the requests, a few at a time."""
    due = time.monotonic()

    async def work() -> None:
        nonlocal due
        for request in requests:
            due = max(due, time.monotonic() - CATCH_UP_SECONDS) + 1 / a_second
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            try:
                async with asyncio.timeout(HANGS_AFTER_SECONDS):
                    answer = await exchange(port, request)
            except TimeoutError:
                tally.bad.append(("hangs", request.sent[:2_000]))
            else:
                tally.add(request, answer)

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return tally


async def exchange(port: int, sent: Garbage) -> bytes:
    """Send one request and return everything received. A request without a clear end is ended by closing our side."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = b""
    with suppress(OSError):  # the server may close the connection first
        writer.write(sent.sent)
        if sent.is_answered:
            answer = await _answer(reader)
        else:
            await asyncio.sleep(0.002)
            writer.write_eof()
            answer = await reader.read()
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
    return answer


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = await reader.readline()
        if not line:
            return head
        head += line
    length = re.search(rb"\r\nContent-Length: (\d+)", head)
    with suppress(asyncio.IncompleteReadError):
        head += await reader.readexactly(int(length[1])) if length else await reader.read()
    return head


class ValidSender:
    """A sender in a process of its own, so that it measures the server and not this process."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, url: str, key: str, name: str) -> ValidSender:
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(Path(__file__).with_name("valid_sender.py")), url, key, name, stdin=PIPE, stdout=PIPE
        )
        assert process.stdout is not None
        assert await process.stdout.readline() == b"sending\n"
        return cls(process)

    async def stop(self) -> tuple[dict[str, int], list[tuple[float, float]]]:
        """The counts by status, and for each request its start (perf_counter) and duration in seconds."""
        out, _ = await self._process.communicate(b"\n")
        result = json.loads(out)
        return result["statuses"], [(began, seconds) for began, seconds in result["timings"]]


def p99(seconds: list[float]) -> float:
    return sorted(seconds)[int(len(seconds) * 0.99) - 1]
