"""
drain: 500 job changes of 50 owners, accepted one a request, until the last of them is read in Slack.

Both vendors take 50 ms for each call, and Slack allows one message a second a channel, strictly, and 50 lookups a
minute. The floor is what cannot be left out: three calls, one after the other, and one message for each owner. Beside
it a plain loop: for each job change one query, one users.lookupByEmail and one chat.postMessage, one after the other.
That loop is run for a few and multiplied, without the minutes that 500 lookups would have it wait besides.
"""

from __future__ import annotations

import time
from typing import Any

import aiohttp

from bench.kit.databases import POSTGRESQL, SQLITE, Databases
from bench.kit.installation import installed
from bench.kit.processes import app, errand, helper
from bench.kit.samples import job_change
from bench.kit.deliveries import all_told, told_at, told_twice
from bench.table import Row, most

DATABASES = (SQLITE, POSTGRESQL)
JOB_CHANGES, OWNERS, LATENCY = 500, 50, 0.05
LOOPED = 20
SCENE = {"owners": OWNERS, "contacts": JOB_CHANGES, "latency": LATENCY}


async def measure(databases: Databases, kind: str) -> list[Row]:
    loop = await _plain_loop()
    with databases.fresh(kind) as url:
        async with helper("vendors", **SCENE) as vendors:
            place = await installed(url, vendors)
            async with app("serve", place.environment):
                what = {"port": place.port, "workspace_id": place.workspace_id, "secret": place.secret}
                sent = await errand("load", **what, requests=JOB_CHANGES)
                said = await all_told(vendors, JOB_CHANGES)
    seconds = max(told_at(said).values()) - sent["began"]
    calls = sum(said["calls"].values()) / JOB_CHANGES
    return [
        Row("drain: 500 job changes of 50 owners", kind, seconds, "s", 3 * LATENCY, most(3)),
        Row("drain: vendor calls a job change", kind, calls, "calls", (2 + OWNERS) / JOB_CHANGES, most(0.4)),
        Row("drain: 429s met", kind, said["refused"], "answers", target=most(0)),
        Row("drain: told twice", kind, told_twice(said), "job changes", target=most(0)),
        Row(f"drain: a plain loop (from {LOOPED})", "none", loop, "s", 3 * LATENCY),
    ]


async def _plain_loop() -> float:
    async with helper("vendors", **SCENE) as vendors, aiohttp.ClientSession() as http:
        salesforce = await _session(http, vendors["salesforce"])
        began = time.perf_counter()
        for number in range(LOOPED):
            await _tell(http, vendors, salesforce, job_change(number))
        return (time.perf_counter() - began) * JOB_CHANGES / LOOPED


async def _session(http: aiohttp.ClientSession, url: str) -> dict[str, str]:
    form = {"grant_type": "client_credentials", "client_id": "3MVG9sandbox", "client_secret": "sandbox-secret"}
    async with http.post(f"{url}/services/oauth2/token", data=form) as response:
        return {"Authorization": f"Bearer {(await response.json())['access_token']}"}


async def _tell(
    http: aiohttp.ClientSession, vendors: dict[str, Any], salesforce: dict[str, str], change: dict[str, Any]
) -> None:
    person = change["person"]
    soql = f"SELECT Owner.Email FROM Contact WHERE Email = '{person['emails'][0]}'"
    query = f"{vendors['salesforce']}/services/data/v66.0/query"
    async with http.get(query, params={"q": soql}, headers=salesforce) as response:
        email = (await response.json())["records"][0]["Owner"]["Email"]
    slack = {"Authorization": f"Bearer {vendors['teams'][0]['token']}"}
    lookup = f"{vendors['slack']}/api/users.lookupByEmail"
    async with http.get(lookup, params={"email": email}, headers=slack) as response:
        user = (await response.json())["user"]["id"]
    said = {"channel": user, "text": f"{person['full_name']} is now {change['current']['title']}."}
    async with http.post(f"{vendors['slack']}/api/chat.postMessage", json=said, headers=slack) as response:
        if not (await response.json())["ok"]:
            raise RuntimeError("the plain loop met a limit")
