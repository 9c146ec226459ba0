"""The processes of a benchmark: started by it, told what to do on their command line, ended by their process id."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from os import environ
from pathlib import Path
from typing import Any

import aiohttp
import psutil

ROOT = Path(__file__).parents[2]
LONGEST_LINE = 256 * 1024 * 1024
START_SECONDS = 30


@asynccontextmanager
async def helper(module: str, **told: object) -> AsyncIterator[dict[str, Any]]:
    """A module of ours that prints one line of JSON when it is ready, and serves until it is ended."""
    async with _started("-m", f"bench.{module}", json.dumps(told), stdout=PIPE) as process:
        yield await _line(process, module)


async def errand(module: str, **told: object) -> dict[str, Any]:
    """What a module of ours that runs to its end has to say."""
    async with _started("-m", f"bench.{module}", json.dumps(told), stdout=PIPE) as process:
        said = await _line(process, module)
        await process.wait()
        return said


@asynccontextmanager
async def app(verb: str, environment: Mapping[str, str]) -> AsyncIterator[int]:
    """The app as an operator starts it; its process id, once a verb that serves says that it is ready."""
    async with _started("app.py", verb, environment=environment) as process:
        if verb != "worker":
            await until_ready(f"http://127.0.0.1:{environment['PORT']}/readyz", process)
        yield process.pid


async def until_ready(url: str, process: Process) -> None:
    """Until the address answers 200. Raises RuntimeError when it does not, or the process has ended."""
    deadline = time.monotonic() + START_SECONDS
    async with aiohttp.ClientSession() as http:
        while time.monotonic() < deadline and process.returncode is None:
            try:
                async with http.get(url) as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.01)
    raise RuntimeError(f"{url} never became ready")


def busy_seconds(process_id: int) -> float:
    """The CPU that a process has used since it was started."""
    times = psutil.Process(process_id).cpu_times()
    seconds: float = times.user + times.system
    return seconds


async def _line(process: Process, module: str) -> dict[str, Any]:
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        raise RuntimeError(f"bench.{module} ended before it said anything")
    said: dict[str, Any] = json.loads(line)
    return said


@asynccontextmanager
async def _started(
    *arguments: str, stdout: int = DEVNULL, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=ROOT,
        env=environ | dict(environment or {}),
        stdout=stdout,
        limit=LONGEST_LINE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 15)
            except TimeoutError:
                process.kill()
                await process.wait()
