"""
drain: 500 job changes for 50 owners, accepted one per request, until the last of them is posted in Slack.

Both vendors take 50 ms for each call. Slack's limits are strict: one message per second and channel, and 50 lookups per
minute. The baseline is what cannot be left out: three calls, one after the other; for calls per job change, two calls
and one message per owner. The simple loop makes one query, one users.lookupByEmail and one chat.postMessage for each
job change, one after the other. It runs for a few and is extrapolated, without the waits that 500 lookups would need.
"""

from __future__ import annotations

import time
from typing import Any

import aiohttp

from bench.kit.databases import POSTGRESQL, SQLITE, Databases
from bench.kit.deliveries import count_duplicates, delivered_at, wait_for_deliveries
from bench.kit.installation import install
from bench.kit.processes import app, helper, program
from bench.kit.samples import job_change
from bench.table import Row, at_most

DATABASES = (SQLITE, POSTGRESQL)
JOB_CHANGES, OWNERS, LATENCY = 500, 50, 0.05
LOOPED = 20
SCENE = {"owners": OWNERS, "contacts": JOB_CHANGES, "latency": LATENCY}


async def measure(databases: Databases, kind: str) -> list[Row]:
    loop_seconds = await _simple_loop()
    with databases.fresh(kind) as url:
        async with helper("vendors", **SCENE) as vendors:
            installed = await install(url, vendors)
            async with app("serve", installed.environment):
                target = {
                    "port": installed.port,
                    "workspace_id": installed.workspace_id,
                    "secret": installed.secret,
                }
                load = await program("load", **target, requests=JOB_CHANGES)
                report = await wait_for_deliveries(vendors, JOB_CHANGES)
    seconds = max(delivered_at(report).values()) - load["began"]
    calls = sum(report["calls"].values()) / JOB_CHANGES
    return [
        Row("drain: 500 job changes for 50 owners", kind, seconds, "s", 3 * LATENCY, at_most(1.4)),
        Row("drain: vendor calls per job change", kind, calls, "calls", (2 + OWNERS) / JOB_CHANGES, at_most(0.4)),
        Row("drain: 429 responses", kind, report["refused"], "responses", target=at_most(0)),
        Row("drain: delivered twice", kind, count_duplicates(report), "job changes", target=at_most(0)),
        Row(f"drain: a simple loop (extrapolated from {LOOPED})", "none", loop_seconds, "s", 3 * LATENCY),
    ]


async def _simple_loop() -> float:
    """Seconds for all job changes, extrapolated from a few."""
    async with helper("vendors", **SCENE) as vendors, aiohttp.ClientSession() as http:
        salesforce = await _log_in(http, vendors["salesforce"])
        began = time.perf_counter()
        for number in range(LOOPED):
            await _notify(http, vendors, salesforce, job_change(number))
        return (time.perf_counter() - began) * JOB_CHANGES / LOOPED


async def _log_in(http: aiohttp.ClientSession, url: str) -> dict[str, str]:
    form = {"grant_type": "client_credentials", "client_id": "3MVG9sandbox", "client_secret": "sandbox-secret"}
    async with http.post(f"{url}/services/oauth2/token", data=form) as response:
        return {"Authorization": f"Bearer {(await response.json())['access_token']}"}


async def _notify(
    http: aiohttp.ClientSession, vendors: dict[str, Any], salesforce: dict[str, str], sample: dict[str, Any]
) -> None:
    person = sample["person"]
    soql = f"SELECT Owner.Email FROM Contact WHERE Email = '{person['emails'][0]}'"
    query = f"{vendors['salesforce']}/services/data/v66.0/query"
    async with http.get(query, params={"q": soql}, headers=salesforce) as response:
        email = (await response.json())["records"][0]["Owner"]["Email"]
    slack = {"Authorization": f"Bearer {vendors['teams'][0]['token']}"}
    lookup = f"{vendors['slack']}/api/users.lookupByEmail"
    async with http.get(lookup, params={"email": email}, headers=slack) as response:
        user = (await response.json())["user"]["id"]
    message = {"channel": user, "text": f"{person['full_name']} is now {sample['current']['title']}."}
    async with http.post(f"{vendors['slack']}/api/chat.postMessage", json=message, headers=slack) as response:
        if not (await response.json())["ok"]:
            raise RuntimeError("the simple loop was rate limited")
