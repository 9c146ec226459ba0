"""
Load generator: signed requests over keep-alive connections, each sent as soon as the previous one is answered.

It uses plain sockets and signs every request before the clock starts, so that only the server is measured.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from standardwebhooks import Webhook

from bench.kit.samples import job_change

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


@dataclass
class Answers:
    """`seconds` and `bodies` are of the 202 answers, `others` has the status line of every other answer."""

    seconds: list[float] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


class _Connection(asyncio.Protocol):
    """One connection, with one request at a time."""

    def __init__(self, work: Iterator[bytes], answers: Answers) -> None:
        self.work, self.answers = work, answers
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.buffer, self.sent_at = b"", 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, _, body = self.buffer.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if length is None or len(body) < int(length[1]):
            return
        if head.startswith(b"HTTP/1.1 202 "):
            self.answers.seconds.append(time.perf_counter() - self.sent_at)
            self.answers.bodies.append(body)
        else:
            self.answers.others.append(head[:12].decode("latin-1"))
        self.buffer = b""
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionResetError("the server closed the connection"))

    def _send(self) -> None:
        request = next(self.work, None)
        if request is None:
            self.done.set_result(None)
            self.transport.close()
            return
        self.sent_at = time.perf_counter()
        self.transport.write(request)


@dataclass(frozen=True)
class Plan:
    """`first` is the number of the first sample, `batch` the number of job changes per request."""

    port: int
    workspace_id: str
    secret: str = field(repr=False)
    requests: int
    first: int = 0
    batch: int = 1
    connections: int = 64

    def body(self, request: int) -> bytes:
        start = self.first + request * self.batch
        changes = [job_change(number) for number in range(start, start + self.batch)]
        return json.dumps(changes[0] if self.batch == 1 else {"job_changes": changes}).encode()

    def signed_requests(self) -> list[bytes]:
        signer, now = Webhook(self.secret), datetime.now(UTC)
        return [self._request(signer, now, str(number), self.body(number)) for number in range(self.requests)]

    def _request(self, signer: Webhook, now: datetime, message_id: str, body: bytes) -> bytes:
        head = (
            f"POST /v1/workspaces/{self.workspace_id}/job-changes HTTP/1.1",
            f"Host: 127.0.0.1:{self.port}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            f"webhook-id: {message_id}",
            f"webhook-timestamp: {int(now.timestamp())}",
            f"webhook-signature: {signer.sign(message_id, now, body.decode())}",
        )
        return "\r\n".join(head).encode() + b"\r\n\r\n" + body


async def run(plan: Plan) -> dict[str, Any]:
    """Send all requests. In the result, `began` is in seconds since the epoch, `latencies` are per request."""
    requests, answers = iter(plan.signed_requests()), Answers()
    loop, began, start = asyncio.get_running_loop(), time.time(), time.perf_counter()
    connections = [
        await loop.create_connection(lambda: _Connection(requests, answers), "127.0.0.1", plan.port)
        for _ in range(plan.connections)
    ]
    await asyncio.gather(*(connection.done for _, connection in connections))
    seconds = time.perf_counter() - start
    return {
        "began": began,
        "seconds": seconds,
        "latencies": answers.seconds,
        "ids": _ids(answers.bodies),
        "others": answers.others,
    }


def _ids(bodies: Sequence[bytes]) -> list[str]:
    ids = []
    for body in bodies:
        answer = json.loads(body)
        ids += [result["id"] for result in answer.get("results", [answer]) if "id" in result]
    return ids


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(Plan(**json.loads(sys.argv[1]))))))
