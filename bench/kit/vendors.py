"""
The sandbox Slack and Salesforce in a process of their own.

`/report` returns what was called and posted, and when the two were busy. Slack's limits are strict: one message per
second and channel, without a burst.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from bench.kit.installation import SCOPES
from bench.kit.samples import owner_email, person_email
from sandbox.salesforce import SalesforceSandbox
from sandbox.slack import SlackSandbox
from sandbox.slack.web_api.calls import CallRecord

_SAMPLE = re.compile(r"Sample (\d+)")

Span = tuple[float, float]
"""Start and end, in seconds since the epoch."""


@dataclass(frozen=True)
class Scene:
    """`owners` is per team; contact n belongs to owner n modulo `owners`. `latency` is in seconds, for every call."""

    owners: int
    contacts: int
    teams: int = 1
    latency: float = 0.0
    posts_a_minute: int = 300

    async def serve(self) -> None:
        slack, salesforce = SlackSandbox(latency=self.latency), SalesforceSandbox(latency=self.latency)
        slack.limits.post_burst, slack.limits.posts_a_minute = 1, self.posts_a_minute
        teams = [self._team(slack, number) for number in range(self.teams)]
        self._org(salesforce)
        busy_spans: list[Span] = []

        async def report(_: web.Request) -> web.Response:
            return web.json_response(_report(slack, salesforce, busy_spans))

        slack.url = await _serve(slack.web_app([web.get("/report", report)]), busy_spans)
        salesforce.url = await _serve(salesforce.web_app(), busy_spans)
        print(json.dumps({"slack": slack.url, "salesforce": salesforce.url, "teams": teams}), flush=True)
        await asyncio.Event().wait()

    def _team(self, slack: SlackSandbox, number: int) -> dict[str, Any]:
        team = slack.add_team(f"Acme {number}")
        admin = slack.add_user(team, "Alma Admin", f"alma@acme-{number}.example", is_admin=True)
        owners = [slack.add_user(team, f"Owner {owner}", owner_email(owner)).id for owner in range(self.owners)]
        token = slack.install(team.id, admin.id, SCOPES.split(","))
        channel = slack.add_channel(team, "job-changes").id
        return {"id": team.id, "token": token, "admin": admin.id, "channel": channel, "owners": owners}

    def _org(self, salesforce: SalesforceSandbox) -> None:
        owners = [
            salesforce.add("User", FirstName="Owner", LastName=str(owner), Email=owner_email(owner))
            for owner in range(self.owners)
        ]
        for number in range(self.contacts):
            email, owner = person_email(number), owners[number % self.owners]
            salesforce.add("Contact", FirstName="Sample", LastName=str(number), Email=email, OwnerId=owner)


def _report(slack: SlackSandbox, salesforce: SalesforceSandbox, busy_spans: Sequence[Span]) -> dict[str, Any]:
    """`calls` counts by method, `refused` counts 429 responses, `posts` has the samples of each message in order."""
    calls = Counter(record.method for record in slack.calls)
    calls["salesforce"] = sum(call.kind != "token" for call in salesforce.calls)
    posts = [record for record in slack.calls if record.method == "chat.postMessage" and record.error is None]
    return {
        "calls": calls,
        "refused": sum(record.status == 429 for record in slack.calls),
        "posts": [
            {"at": post.at, "lane": [post.team_id, post.arguments["channel"]], "samples": _samples(post)}
            for post in posts
        ],
        "busy_spans": busy_spans,
    }


def _samples(record: CallRecord) -> list[int]:
    content = json.dumps([record.arguments.get("blocks") or record.arguments["text"]])
    return list(dict.fromkeys(int(number) for number in _SAMPLE.findall(content)))


async def _serve(app: web.Application, busy_spans: list[Span]) -> str:
    @web.middleware
    async def timed(request: web.Request, handler: Handler) -> web.StreamResponse:
        began = time.time()
        try:
            return await handler(request)
        finally:
            busy_spans.append((began, time.time()))

    app.middlewares.append(timed)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return f"http://127.0.0.1:{runner.addresses[0][1]}"


if __name__ == "__main__":
    asyncio.run(Scene(**json.loads(sys.argv[1])).serve())
