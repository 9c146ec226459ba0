"""Waiting until the vendors have heard of every job change, and what they then report."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import aiohttp

PATIENCE_SECONDS = 90


async def report(vendors: Mapping[str, Any]) -> dict[str, Any]:
    """See `bench.vendors`."""
    async with aiohttp.ClientSession() as http, http.get(f"{vendors['slack']}/report") as response:
        answer: dict[str, Any] = await response.json()
        return answer


async def all_told(vendors: Mapping[str, Any], job_changes: int) -> dict[str, Any]:
    """The report once so many different job changes have been told. Raises RuntimeError if they never are."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        said = await report(vendors)
        if len(told_at(said)) >= job_changes:
            return said
        await asyncio.sleep(0.5)
    raise RuntimeError(f"only {len(told_at(said))} of {job_changes} were told")


def told_at(said: Mapping[str, Any]) -> dict[int, float]:
    """When each sample first arrived at Slack, in seconds since the epoch."""
    arrived: dict[int, float] = {}
    for post in said["posts"]:
        for sample in post["samples"]:
            arrived.setdefault(sample, post["at"])
    return arrived


def told_twice(said: Mapping[str, Any]) -> int:
    """How many messages about a sample came after the first one about it."""
    return sum(len(post["samples"]) for post in said["posts"]) - len(told_at(said))
