"""Waiting until every job change was delivered, and reading the deliveries from the vendors' report."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import aiohttp

TIMEOUT_SECONDS = 90


async def wait_for_deliveries(vendors: Mapping[str, Any], job_changes: int) -> dict[str, Any]:
    """
    Wait until this many different job changes were delivered, and return the report of `bench.kit.vendors`.

    Raises RuntimeError after 90 seconds.
    """
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        report = await _read_report(vendors)
        if len(delivered_at(report)) >= job_changes:
            return report
        await asyncio.sleep(0.5)
    raise RuntimeError(f"only {len(delivered_at(report))} of {job_changes} were delivered")


def delivered_at(report: Mapping[str, Any]) -> dict[int, float]:
    """When each sample first arrived at Slack, in seconds since the epoch."""
    arrivals: dict[int, float] = {}
    for post in report["posts"]:
        for sample in post["samples"]:
            arrivals.setdefault(sample, post["at"])
    return arrivals


def count_duplicates(report: Mapping[str, Any]) -> int:
    """How many messages repeated a sample that was already delivered."""
    return sum(len(post["samples"]) for post in report["posts"]) - len(delivered_at(report))


async def _read_report(vendors: Mapping[str, Any]) -> dict[str, Any]:
    async with aiohttp.ClientSession() as http, http.get(f"{vendors['slack']}/report") as response:
        report: dict[str, Any] = await response.json()
        return report
