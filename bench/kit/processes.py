"""The processes that a benchmark starts and ends: the app, helpers that serve, and programs that run to their end."""

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
KEEP_COMPILED = {"PYTHONDONTWRITEBYTECODE": ""}
"""So that only the first start compiles the app's modules, as on an operator's machine."""

LONGEST_LINE = 256 * 1024 * 1024
START_SECONDS = 30


@asynccontextmanager
async def helper(module: str, **arguments: object) -> AsyncIterator[dict[str, Any]]:
    """Run a module of bench/kit that serves, and yield the line of JSON that it prints when it is ready."""
    async with _started("-m", f"bench.kit.{module}", json.dumps(arguments), stdout=PIPE) as process:
        yield await _read_line(process, module)


async def program(module: str, **arguments: object) -> dict[str, Any]:
    """Run a module of bench/kit to its end, and return the line of JSON that it prints."""
    async with _started("-m", f"bench.kit.{module}", json.dumps(arguments), stdout=PIPE) as process:
        output = await _read_line(process, module)
        await process.wait()
        return output


async def command(*arguments: str, environment: Mapping[str, str] | None = None) -> float:
    """Run Python with these arguments to its end, and return the seconds it took. Raises RuntimeError if it fails."""
    began = time.perf_counter()
    async with _started(*arguments, environment=environment) as process:
        if await process.wait():
            raise RuntimeError(f"{' '.join(arguments)} ended with status {process.returncode}")
    return time.perf_counter() - began


@asynccontextmanager
async def app(verb: str, environment: Mapping[str, str]) -> AsyncIterator[int]:
    """Run the app as an operator does, and yield its process id. Verbs that serve HTTP are ready by then."""
    async with _started("app.py", verb, environment=environment) as process:
        if verb != "worker":
            await _wait_until_ready(f"http://127.0.0.1:{environment['PORT']}/readyz", process)
        yield process.pid


def cpu_seconds(process_id: int) -> float:
    """The CPU time that a process has used since it was started."""
    times = psutil.Process(process_id).cpu_times()
    seconds: float = times.user + times.system
    return seconds


async def _wait_until_ready(url: str, process: Process) -> None:
    """Raises RuntimeError when the URL does not answer 200 within 30 seconds, or when the process ends."""
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


async def _read_line(process: Process, module: str) -> dict[str, Any]:
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        raise RuntimeError(f"bench.kit.{module} ended without output")
    output: dict[str, Any] = json.loads(line)
    return output


@asynccontextmanager
async def _started(
    *arguments: str, stdout: int = DEVNULL, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=ROOT,
        env=environ | KEEP_COMPILED | dict(environment or {}),
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
